/* request_transcripts.h: what clients send, and what the parser tells of it: data of request_test.c.
 */
#ifndef BRIDGE_TEST_REQUEST_TRANSCRIPTS_H
#define BRIDGE_TEST_REQUEST_TRANSCRIPTS_H

#include "support.h"

#define HEAD "GET / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
#define TOLD_CHUNKED "POST / 1.1 keep-alive\n host: h\n transfer-encoding: chunked\n"

struct transcript {
    const char *name;
    const char *bytes;
    size_t size;
    const char *expected;
};

static const struct transcript TRANSCRIPTS[] = {
    {"a request without fields", BYTES("GET / HTTP/1.0\r\n\r\n"), "GET / 1.0\n.\nok\n"},
    {"names are lowered, values kept, in the order they came",
     BYTES("OPTIONS * HTTP/1.1\r\nX-B: Two\r\nHOST: Ex.com:80\r\nx-a:one\r\nX_^`|~!#$%&'*+-.9Z: 1\r\nX-B: 3\r\n\r\n"),
     "OPTIONS * 1.1 keep-alive\n x-b: Two\n host: Ex.com:80\n x-a: one\n x_^`|~!#$%&'*+-.9z: 1\n x-b: 3\n.\nok\n"},
    {"white space around values", BYTES(HEAD "A: \t b \t c\t \r\nB:\r\nC: \t\r\nD:d\t\r\nE:  e\r\n\r\n"),
     "GET / 1.1 keep-alive\n host: h\n a: b \\x09 c\n b: \n c: \n d: d\n e: e\n.\nok\n"},
    {"octets beyond ASCII in a value", BYTES(HEAD "A: caf\xc3\xa9\xff\r\n\r\n"),
     "GET / 1.1 keep-alive\n host: h\n a: caf\\xc3\\xa9\\xff\n.\nok\n"},
    {"path, query, fragment", BYTES("GET /a%20b/?c=d?e#f HTTP/1.1\r\nHost:\r\n\r\n"),
     "GET /a%20b/ ?c=d?e 1.1 keep-alive\n host: \n.\nok\n"},
    {"an absolute target without a path", BYTES("GET http://h?a HTTP/1.1\r\nHost: other\r\n\r\n"),
     "GET / ?a 1.1 keep-alive\n host: other\n.\nok\n"},
    {"content by length", BYTES("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello\r\n\r\n!!"),
     "POST /a 1.1 keep-alive\n host: h\n content-length: 11\n= hello\\r\\n\\r\\n!!\n.\nok\n"},
    {"content of length 0", BYTES("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
     "POST /a 1.1 keep-alive\n host: h\n content-length: 0\n.\nok\n"},
    {"content that has not all come", BYTES("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhello"),
     "PUT / 1.1 keep-alive\n host: h\n content-length: 6\n= hello\nok within\n"},
    {"chunks, extensions and trailers",
     BYTES(CHUNKED "\r\n5\r\nhello\r\n0A;a=\"b\\\"c\";d\r\n, world!!!\r\n000;e\r\nX-T: 1\r\nHost: again\r\nConnection: close\r\n\r\n" HEAD
                   "\r\n"),
     TOLD_CHUNKED "= hello, world!!!\n.\nGET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"no chunk", BYTES(CHUNKED "\r\n0\r\n\r\n" HEAD "\r\n"), TOLD_CHUNKED ".\nGET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"trailers that have not all come", BYTES(CHUNKED "\r\n1\r\na\r\n0\r\nA: b\r\n"), TOLD_CHUNKED "= a\nok within\n"},
    {"pipelined",
     BYTES(HEAD "\r\nPOST /b HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc\r\n\r\n\n" CHUNKED
                "\r\n1\r\nx\r\n0\r\n\r\nGET /c HTTP/1.1"),
     "GET / 1.1 keep-alive\n host: h\n.\nPOST /b 1.1 keep-alive\n host: h\n content-length: 3\n= abc\n.\n" TOLD_CHUNKED
     "= x\n.\nok within\n"},
    {"empty lines around requests", BYTES("\r\n\n\r\n" HEAD "\r\n\r\n\r\n"), "GET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"a request that closes, and what comes behind",
     BYTES(HEAD "Connection: TE\r\nConnection: x, Close \r\n\r\nGET / HTTP/1.1\r\nno: request"),
     "GET / 1.1\n host: h\n connection: TE\n connection: x, Close\n.\nok\n"},
    {"an old client's request closes", BYTES("GET / HTTP/1.0\r\n\r\nGET"), "GET / 1.0\n.\nok\n"},
    {"an old client's keep-alive is none to us",
     BYTES("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\nHost: h\r\n\r\n"),
     "GET /a 1.0\n connection: keep-alive\n.\nGET /b 1.0\n host: h\n.\nok\n"},
    {"an old client expects nothing and upgrades nothing",
     BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na"),
     "POST / 1.0\n expect: 100-continue\n connection: upgrade\n upgrade: h2c\n content-length: 1\n= a\n.\nok\n"},
    {"expecting to continue", BYTES(HEAD "Expect: 100-Continue \r\n\r\n"),
     "GET / 1.1 keep-alive expects-continue\n host: h\n expect: 100-Continue\n.\nok\n"},
    {"expecting something else", BYTES(HEAD "Expect: 100-continues\r\nExpect: 100-continu\r\nExpect:\r\n\r\n"),
     "GET / 1.1 keep-alive\n host: h\n expect: 100-continues\n expect: 100-continu\n expect: \n.\nok\n"},
    {"an offer to upgrade, no content", BYTES(HEAD "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" HEAD "\r\n"),
     "GET / 1.1 keep-alive upgrade-offered\n host: h\n connection: Upgrade\n upgrade: websocket\n.\nGET / 1.1 keep-alive\n host: "
     "h\n.\nok\n"},
    {"an offer to upgrade, content of length 0",
     BYTES("POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n" HEAD "\r\n"),
     "POST / 1.1 keep-alive upgrade-offered\n host: h\n connection: upgrade\n upgrade: a\n content-length: 0\n.\n"
     "GET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"an offer to upgrade, content by length",
     BYTES("POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: a\r\nContent-Length: 5\r\n\r\nhello" HEAD "\r\n"),
     "POST / 1.1 keep-alive upgrade-offered\n host: h\n connection: upgrade\n upgrade: a\n content-length: 5\n= hello\n.\n"
     "GET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"an offer to upgrade, chunks", BYTES(CHUNKED "Connection: upgrade\r\nUpgrade: a\r\n\r\n5\r\nhello\r\n0\r\n\r\n" HEAD "\r\n"),
     "POST / 1.1 keep-alive upgrade-offered\n host: h\n transfer-encoding: chunked\n connection: upgrade\n upgrade: a\n= hello\n.\n"
     "GET / 1.1 keep-alive\n host: h\n.\nok\n"},
    {"half an offer is none", BYTES(HEAD "Upgrade: a\r\n\r\n" HEAD "Connection: upgrade\r\n\r\n"),
     "GET / 1.1 keep-alive\n host: h\n upgrade: a\n.\nGET / 1.1 keep-alive\n host: h\n connection: upgrade\n.\nok\n"},
    {"a coding that is not the last one chunked", BYTES("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nabc"),
     "POST / 1.1 keep-alive\n host: h\n transfer-encoding: gzip\ninvalid\n"},
    {"chunked is the last coding", BYTES("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
     "POST / 1.1 keep-alive\n host: h\n transfer-encoding: gzip, chunked\n.\nok\n"},
    {"what is no chunk size", BYTES(CHUNKED "\r\n5\r\nhello\r\nx"), TOLD_CHUNKED "= hello\ninvalid\n"},
    {"a chunk longer than its size", BYTES(CHUNKED "\r\n5\r\nhello!\r\n"), TOLD_CHUNKED "= hello\ninvalid\n"},
    {"content-length in trailers", BYTES(CHUNKED "\r\n0\r\nContent-Length: 1\r\n\r\n"), TOLD_CHUNKED "invalid\n"},
    {"garbage behind a request", BYTES(HEAD "\r\ngarbage"), "GET / 1.1 keep-alive\n host: h\n.\ninvalid\n"},
    {"a bad head behind a good one", BYTES(HEAD "\r\nGET / HTTP/1.1\r\n\r\n"), "GET / 1.1 keep-alive\n host: h\n.\ninvalid\n"},
};

/* No head is told of these. */
static const struct transcript REFUSED[] = {
    {"TLS", BYTES("\x16\x03\x01\x02"), NULL},
    {"a method that is not known", BYTES("BREW / HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"a method in lower case", BYTES("get / HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"a method of RTSP", BYTES("DESCRIBE / HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"RTSP", BYTES("OPTIONS / RTSP/1.0\r\nHost: h\r\n\r\n"), NULL},
    {"ICE", BYTES("SOURCE / ICE/1.0\r\nHost: h\r\n\r\n"), NULL},
    {"HTTP/0.9", BYTES("GET /\r\n\r\n"), NULL},
    {"HTTP/0.9 by name", BYTES("GET / HTTP/0.9\r\n\r\n"), NULL},
    {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), NULL},
    {"HTTP/2.0", BYTES("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), NULL},
    {"HTTP/2 with prior knowledge", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NULL},
    {"CONNECT", BYTES("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"CONNECT with an absolute target", BYTES("CONNECT http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"no target", BYTES("GET HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"a target that is none", BYTES("GET a HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"a target without a host", BYTES("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"a target with a bad port", BYTES("GET http://h:99999/ HTTP/1.1\r\nHost: h\r\n\r\n"), NULL},
    {"no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), NULL},
    {"two Hosts", BYTES(HEAD "Host: h\r\n\r\n"), NULL},
    {"two Hosts of an old client", BYTES("GET / HTTP/1.0\r\nHost: h\r\nhost: h\r\n\r\n"), NULL},
    {"a bad Host", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), NULL},
    {"a bad Host of an old client", BYTES("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"), NULL},
    {"white space before the colon", BYTES(HEAD "A : b\r\n\r\n"), NULL},
    {"a folded value", BYTES(HEAD "A: b\r\n c\r\n\r\n"), NULL},
    {"a field without a name", BYTES(HEAD ": b\r\n\r\n"), NULL},
    {"a bare LF", BYTES("GET / HTTP/1.1\nHost: h\n\n"), NULL},
    {"a bare CR in a value", BYTES(HEAD "A: b\rc\r\n\r\n"), NULL},
    {"NUL in a value", BYTES(HEAD "A: b\0c\r\n\r\n"), NULL},
    {"two lengths", BYTES(HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), NULL},
    {"a negative length", BYTES(HEAD "Content-Length: -1\r\n\r\n"), NULL},
    {"a length that overflows", BYTES(HEAD "Content-Length: 18446744073709551616\r\n\r\n"), NULL},
    {"length and coding", BYTES(HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), NULL},
};

#endif
