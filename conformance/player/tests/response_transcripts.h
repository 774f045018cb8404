/* response_transcripts.h: what servers may send, and what is to be told of it.
 *
 * Told by tell_reader() in response_test.c: each response with its fields, "=" its content, "+" its trailers, "~" its interim responses;
 * then how the connection stands.
 */
#ifndef BRIDGECHECK_RESPONSE_TRANSCRIPTS_H
#define BRIDGECHECK_RESPONSE_TRANSCRIPTS_H

#include <stdbool.h>
#include <stddef.h>

struct transcript {
    const char *name;
    const char *bytes;
    size_t size;
    const char *methods; /* what the responses answer: H HEAD, C CONNECT, anything else another method */
    bool eof;
    const char *expected;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct transcript TRANSCRIPTS[] = {
    {
        "content-length",
        BYTES("HTTP/1.1 200 OK\r\n"
              "Server: a\r\n"
              "content-LENGTH: 5\r\n"
              "x:  two  \r\n"
              "X:\r\n"
              "\r\n"
              "hello"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  Server|a\n"
        "  content-LENGTH|5\n"
        "  x|two  \n"
        "  X|\n"
        "= hello\n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "chunked with extensions and trailers",
        BYTES("HTTP/1.1 200 OK\r\n"
              "Transfer-Encoding: chunked\r\n"
              "\r\n"
              "5;name=value;q=\"a;b\"\r\n"
              "hello\r\n"
              "006;flag\r\n"
              " world\r\n"
              "0;last\r\n"
              "X-Sum: 1\r\n"
              "X-Sum: 2 \r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, 2 pieces)\n"
        "  Transfer-Encoding|chunked\n"
        "= hello world\n"
        "+ X-Sum|1\n"
        "+ X-Sum|2 \n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "close-delimited",
        BYTES("HTTP/1.1 200 OK\r\n"
              "server: a\r\n"
              "\r\n"
              "all until\r\n"
              "the end"),
        "",
        true,
        "1.1 200 OK (close)\n"
        "  server|a\n"
        "= all until\\r\\nthe end\n"
        "between  closing\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "close-delimited, before its end",
        BYTES("HTTP/1.1 200 OK\r\n"
              "\r\n"
              "all until"),
        "",
        false,
        "1.1 200 OK (close, incomplete)\n"
        "= all until\n"
        "in body \n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "HEAD, then GET",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 5\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "hi"),
        "H",
        false,
        "1.1 200 OK (none)\n"
        "  content-length|5\n"
        "= \n"
        "1.1 200 OK (content-length)\n"
        "  content-length|2\n"
        "= hi\n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "HEAD with chunked and without length",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "\r\n"
              "HTTP/1.1 204 No Content\r\n"
              "\r\n"),
        "HH",
        false,
        "1.1 200 OK (none)\n"
        "  transfer-encoding|chunked\n"
        "= \n"
        "1.1 200 OK (none)\n"
        "= \n"
        "1.1 204 No Content (none)\n"
        "= \n"
        "between \n"
        "3 heads, 3 complete, 0 interim\n",
    },
    {
        "HEAD answered with content",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 5\r\n"
              "\r\n"
              "hello"),
        "H",
        false,
        "1.1 200 OK (none)\n"
        "  content-length|5\n"
        "= \n"
        "broken HPE_INVALID_CONSTANT\n"
        "rest 5 hello\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "204 and 304 with content-length",
        BYTES("HTTP/1.1 204 No Content\r\n"
              "content-length: 3\r\n"
              "\r\n"
              "HTTP/1.1 304 Not Modified\r\n"
              "content-length: 9\r\n"
              "etag: \"a\"\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 204 No Content (none)\n"
        "  content-length|3\n"
        "= \n"
        "1.1 304 Not Modified (none)\n"
        "  content-length|9\n"
        "  etag|\"a\"\n"
        "= \n"
        "1.1 200 OK (content-length)\n"
        "  content-length|0\n"
        "= \n"
        "between \n"
        "3 heads, 3 complete, 0 interim\n",
    },
    {
        "100, then 200",
        BYTES("HTTP/1.1 100 Continue\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "ok"),
        "",
        false,
        "~ 1.1 100 Continue\n"
        "1.1 200 OK (content-length)\n"
        "  content-length|2\n"
        "= ok\n"
        "between \n"
        "1 heads, 1 complete, 1 interim\n",
    },
    {
        "103 twice, 199 with content-length, then 200",
        BYTES("HTTP/1.1 103 Early Hints\r\n"
              "link: </a>\r\n"
              "link: </b>\r\n"
              "\r\n"
              "HTTP/1.1 103 \r\n"
              "\r\n"
              "HTTP/1.1 199 Odd\r\n"
              "content-length: 5\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "~ 1.1 103 Early Hints\n"
        "~   link|</a>\n"
        "~   link|</b>\n"
        "~ 1.1 103 \n"
        "~ 1.1 199 Odd\n"
        "~   content-length|5\n"
        "1.1 200 OK (content-length)\n"
        "  content-length|0\n"
        "= \n"
        "between \n"
        "1 heads, 1 complete, 3 interim\n",
    },
    {
        "interim only",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 0\r\n"
              "\r\n"
              "HTTP/1.1 100 Continue\r\n"
              "x: y\r\n"
              "\r\n"),
        "",
        true,
        "1.1 200 OK (content-length)\n"
        "  content-length|0\n"
        "= \n"
        "~ 1.1 100 Continue\n"
        "~   x|y\n"
        "between \n"
        "1 heads, 1 complete, 1 interim\n",
    },
    {
        "100 in HTTP/1.0 that closes ends nothing",
        BYTES("HTTP/1.0 100 Continue\r\n"
              "connection: close\r\n"
              "\r\n"
              "HTTP/1.0 200 OK\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "a"),
        "",
        false,
        "~ 1.0 100 Continue\n"
        "~   connection|close\n"
        "1.0 200 OK (content-length)\n"
        "  content-length|1\n"
        "= a\n"
        "between  closing\n"
        "1 heads, 1 complete, 1 interim\n",
    },
    {
        "pipelined pair",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 3\r\n"
              "\r\n"
              "oneHTTP/1.1 404 Not Found\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "3\r\n"
              "two\r\n"
              "0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  content-length|3\n"
        "= one\n"
        "1.1 404 Not Found (chunked, 1 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= two\n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "line ends between responses",
        BYTES("\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 3\r\n"
              "\r\n"
              "one\r\n"
              "\n"
              "HTTP/1.1 204 No Content\r\n"
              "\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  content-length|3\n"
        "= one\n"
        "1.1 204 No Content (none)\n"
        "= \n"
        "between \n"
        "stray 7\n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "garbage",
        BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
        "",
        true,
        "broken HPE_INVALID_CONSTANT\n"
        "rest 21 SSH-2.0-OpenSSH_9.2\\r\\n\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "one wrong letter",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 0\r\n"
              "\r\n"
              "HTTQ/1.1 200 OK\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  content-length|0\n"
        "= \n"
        "broken HPE_INVALID_CONSTANT\n"
        "rest 19 HTTQ/1.1 200 OK\\r\\n\\r\\n\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "garbage after a complete response",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "okmore than was said"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  content-length|2\n"
        "= ok\n"
        "broken HPE_INVALID_CONSTANT\n"
        "rest 18 more than was said\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "garbage in a field name",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content length: 2\r\n"
              "\r\n"
              "ok"),
        "",
        false,
        "broken HPE_INVALID_HEADER_TOKEN\n"
        "rest 40 HTTP/1.1 200 OK\\r\\ncontent length: 2\\r\\n\\r\\nok\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "bare LF",
        BYTES("HTTP/1.1 200 OK\n"
              "content-length: 2\n"
              "\n"
              "ok"),
        "",
        false,
        "broken HPE_CR_EXPECTED\n"
        "rest 37 HTTP/1.1 200 OK\\ncontent-length: 2\\n\\nok\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "folded line",
        BYTES("HTTP/1.1 200 OK\r\n"
              "a: b\r\n"
              "  c\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "broken HPE_INVALID_HEADER_TOKEN\n"
        "rest 49 HTTP/1.1 200 OK\\r\\na: b\\r\\n  c\\r\\ncontent-length: 0\\r\\n\\r\\n\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "content-length twice",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 2\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "ok"),
        "",
        false,
        "broken HPE_UNEXPECTED_CONTENT_LENGTH\n"
        "rest 59 HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\ncontent-length: 2\\r\\n\\r\\nok\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "content-length that is none",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 2x\r\n"
              "\r\n"
              "ok"),
        "",
        false,
        "broken HPE_INVALID_CONTENT_LENGTH\n"
        "rest 41 HTTP/1.1 200 OK\\r\\ncontent-length: 2x\\r\\n\\r\\nok\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "content-length beside chunked",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 99\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "2\r\n"
              "ok\r\n"
              "0\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "content-length: 99\r\n"
              "\r\n"
              "0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, 1 pieces)\n"
        "  content-length|99\n"
        "  transfer-encoding|chunked\n"
        "= ok\n"
        "1.1 200 OK (chunked, 0 pieces)\n"
        "  transfer-encoding|chunked\n"
        "  content-length|99\n"
        "= \n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "another transfer coding",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: gzip\r\n"
              "\r\n"
              "2\r\n"
              "ok\r\n"),
        "",
        true,
        "1.1 200 OK (close)\n"
        "  transfer-encoding|gzip\n"
        "= 2\\r\\nok\\r\\n\n"
        "between  closing\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "octets above ASCII in a value and in a reason",
        BYTES("HTTP/1.1 200 \351t\351\r\n"
              "a: b\377\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 \\xe9t\\xe9 (content-length)\n"
        "  a|b\\xff\n"
        "  content-length|0\n"
        "= \n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "control byte in a value",
        BYTES("HTTP/1.1 200 OK\r\n"
              "a: b\001c\r\n"
              "\r\n"),
        "",
        false,
        "broken HPE_INVALID_HEADER_TOKEN\n"
        "rest 27 HTTP/1.1 200 OK\\r\\na: b\\x01c\\r\\n\\r\\n\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "NUL in a value",
        BYTES("HTTP/1.1 200 OK\r\n"
              "a: b\000c\r\n"
              "\r\n"),
        "",
        false,
        "broken HPE_INVALID_HEADER_TOKEN\n"
        "rest 27 HTTP/1.1 200 OK\\r\\na: b\\x00c\\r\\n\\r\\n\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "status below 100",
        BYTES("HTTP/1.1 000 x\r\n"
              "\r\n"),
        "",
        false,
        "broken STATUS_TOO_SMALL\n"
        "rest 18 HTTP/1.1 000 x\\r\\n\\r\\n\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "odd version",
        BYTES("HTTP/3.7 200 OK\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "a"),
        "",
        false,
        "3.7 200 OK (content-length)\n"
        "  content-length|1\n"
        "= a\n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "no reason",
        BYTES("HTTP/1.1 200\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "a"),
        "",
        false,
        "1.1 200  (content-length)\n"
        "  content-length|1\n"
        "= a\n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "status of two digits",
        BYTES("HTTP/1.1 99 Low\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "a"),
        "",
        false,
        "broken HPE_INVALID_STATUS\n"
        "rest 39 HTTP/1.1 99 Low\\r\\ncontent-length: 1\\r\\n\\r\\na\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "status 999",
        BYTES("HTTP/1.1 999 High\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "a"),
        "",
        false,
        "1.1 999 High (content-length)\n"
        "  content-length|1\n"
        "= a\n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "truncated in the status line",
        BYTES("HTTP/1.1 20"),
        "",
        true,
        "broken HPE_INVALID_EOF_STATE\n"
        "rest 11 HTTP/1.1 20\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "truncated in a field after 100",
        BYTES("HTTP/1.1 100 Continue\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-le"),
        "",
        true,
        "~ 1.1 100 Continue\n"
        "broken HPE_INVALID_EOF_STATE\n"
        "rest 27 HTTP/1.1 200 OK\\r\\ncontent-le\n"
        "0 heads, 0 complete, 1 interim\n",
    },
    {
        "a head under way",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-le"),
        "",
        false,
        "in head \n"
        "rest 27 HTTP/1.1 200 OK\\r\\ncontent-le\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "truncated in the content",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 10\r\n"
              "\r\n"
              "hello"),
        "",
        true,
        "1.1 200 OK (content-length, incomplete)\n"
        "  content-length|10\n"
        "= hello\n"
        "in body \n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "truncated in a chunk",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "5\r\n"
              "hel"),
        "",
        true,
        "1.1 200 OK (chunked, incomplete, 1 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= hel\n"
        "in body \n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "truncated in the trailers",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "0\r\n"
              "a: b\r\n"
              "c: "),
        "",
        true,
        "1.1 200 OK (chunked, incomplete, 0 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= \n"
        "+ a|b\n"
        "in body \n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "chunk size that is none",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "5\r\n"
              "hello\r\n"
              "xyz\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, incomplete, 1 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= hello\n"
        "broken HPE_INVALID_CHUNK_SIZE\n"
        "rest 5 xyz\\r\\n\n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "chunk longer than its size",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "3\r\n"
              "hello\r\n"
              "0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, incomplete, 1 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= hel\n"
        "broken HPE_STRICT\n"
        "rest 9 lo\\r\\n0\\r\\n\\r\\n\n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "chunk size beyond 64 bit",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "fffffffffffffffff\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, incomplete, 0 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= \n"
        "broken HPE_INVALID_CHUNK_SIZE\n"
        "rest 2 \\r\\n\n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "bad trailer",
        BYTES("HTTP/1.1 200 OK\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "0\r\n"
              "a: b\r\n"
              "c d: e\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (chunked, incomplete, 0 pieces)\n"
        "  transfer-encoding|chunked\n"
        "= \n"
        "+ a|b\n"
        "broken HPE_INVALID_HEADER_TOKEN\n"
        "rest 9  d: e\\r\\n\\r\\n\n"
        "1 heads, 0 complete, 0 interim\n",
    },
    {
        "101 with a tail",
        BYTES("HTTP/1.1 101 Switching Protocols\r\n"
              "upgrade: websocket\r\n"
              "connection: upgrade\r\n"
              "\r\n"
              "\201\002hi"),
        "",
        false,
        "1.1 101 Switching Protocols (none)\n"
        "  upgrade|websocket\n"
        "  connection|upgrade\n"
        "= \n"
        "upgraded \n"
        "WebSocket, 4 octets\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "101 to a WebSocket, in other words",
        BYTES("HTTP/1.1 101 Yes\r\n"
              "UPGRADE: WebSocket \t\r\n"
              "\r\n"
              "ab"),
        "",
        false,
        "1.1 101 Yes (none)\n"
        "  UPGRADE|WebSocket \\x09\n"
        "= \n"
        "upgraded \n"
        "WebSocket, 2 octets\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "101 to something like a WebSocket",
        BYTES("HTTP/1.1 101 Switching Protocols\r\n"
              "upgrade: websockets\r\n"
              "upgraded: websocket\r\n"
              "\r\n"
              "ab"),
        "",
        false,
        "1.1 101 Switching Protocols (none)\n"
        "  upgrade|websockets\n"
        "  upgraded|websocket\n"
        "= \n"
        "upgraded \n"
        "rest 2 ab\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "101 without upgrade fields",
        BYTES("HTTP/1.1 101 Switching Protocols\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "\r\n"),
        "",
        false,
        "1.1 101 Switching Protocols (none)\n"
        "= \n"
        "upgraded \n"
        "rest 19 HTTP/1.1 200 OK\\r\\n\\r\\n\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "101 with content-length",
        BYTES("HTTP/1.1 101 Switching Protocols\r\n"
              "upgrade: a\r\n"
              "connection: upgrade\r\n"
              "content-length: 5\r\n"
              "\r\n"
              "hello"),
        "",
        false,
        "1.1 101 Switching Protocols (none)\n"
        "  upgrade|a\n"
        "  connection|upgrade\n"
        "  content-length|5\n"
        "= \n"
        "upgraded \n"
        "rest 5 hello\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "upgrade offered in a 200",
        BYTES("HTTP/1.1 200 OK\r\n"
              "upgrade: websocket\r\n"
              "connection: upgrade\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "okHTTP/1.1 204 No Content\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  upgrade|websocket\n"
        "  connection|upgrade\n"
        "  content-length|2\n"
        "= ok\n"
        "1.1 204 No Content (none)\n"
        "= \n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "CONNECT accepted",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 5\r\n"
              "\r\n"
              "tunnel"),
        "C",
        false,
        "1.1 200 OK (none)\n"
        "  content-length|5\n"
        "= \n"
        "upgraded \n"
        "rest 6 tunnel\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "CONNECT refused",
        BYTES("HTTP/1.1 405 Method Not Allowed\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "noHTTP/1.1 204 No Content\r\n"
              "\r\n"),
        "C",
        false,
        "1.1 405 Method Not Allowed (content-length)\n"
        "  content-length|2\n"
        "= no\n"
        "1.1 204 No Content (none)\n"
        "= \n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "HTTP/1.0",
        BYTES("HTTP/1.0 200 OK\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "ok"),
        "",
        true,
        "1.0 200 OK (content-length)\n"
        "  content-length|2\n"
        "= ok\n"
        "between  closing\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "HTTP/1.0 that closes, and more",
        BYTES("HTTP/1.0 200 OK\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "okHTTP/1.0 200 OK\r\n"
              "\r\n"),
        "",
        false,
        "1.0 200 OK (content-length)\n"
        "  content-length|2\n"
        "= ok\n"
        "broken HPE_CLOSED_CONNECTION closing\n"
        "rest 19 HTTP/1.0 200 OK\\r\\n\\r\\n\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "HTTP/1.0 kept alive",
        BYTES("HTTP/1.0 200 OK\r\n"
              "connection: keep-alive\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "okHTTP/1.1 204 No Content\r\n"
              "\r\n"),
        "",
        false,
        "1.0 200 OK (content-length)\n"
        "  connection|keep-alive\n"
        "  content-length|2\n"
        "= ok\n"
        "1.1 204 No Content (none)\n"
        "= \n"
        "between \n"
        "2 heads, 2 complete, 0 interim\n",
    },
    {
        "data after Connection: close",
        BYTES("HTTP/1.1 200 OK\r\n"
              "connection: close\r\n"
              "content-length: 2\r\n"
              "\r\n"
              "ok\r\n"
              "HTTP/1.1 200 OK\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  connection|close\n"
        "  content-length|2\n"
        "= ok\n"
        "broken HPE_CLOSED_CONNECTION closing\n"
        "stray 2\n"
        "rest 38 HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "marked response",
        BYTES("HTTP/1.1 200 OK\r\n"
              "content-length: 1\r\n"
              "\r\n"
              "aHTTP/1.1 200 OK\r\n"
              "bridgecheck-next: t0ken\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  content-length|1\n"
        "= a\n"
        "between  marked\n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "marked response that closes, and more",
        BYTES("HTTP/1.1 200 OK\r\n"
              "BRIDGECHECK-NEXT: t0ken\r\n"
              "connection: close\r\n"
              "transfer-encoding: chunked\r\n"
              "\r\n"
              "1\r\n"
              "a\r\n"
              "0\r\n"
              "b: c\r\n"
              "\r\n"
              "more"),
        "",
        false,
        "broken HPE_CLOSED_CONNECTION closing marked\n"
        "rest 4 more\n"
        "0 heads, 0 complete, 0 interim\n",
    },
    {
        "another's mark",
        BYTES("HTTP/1.1 200 OK\r\n"
              "bridgecheck-next: t0ke\r\n"
              "bridgecheck-nex: t0ken\r\n"
              "bridgecheck-nexts: t0ken\r\n"
              "bridgecheck-next: t0kens\r\n"
              "content-length: 0\r\n"
              "\r\n"),
        "",
        false,
        "1.1 200 OK (content-length)\n"
        "  bridgecheck-next|t0ke\n"
        "  bridgecheck-nex|t0ken\n"
        "  bridgecheck-nexts|t0ken\n"
        "  bridgecheck-next|t0kens\n"
        "  content-length|0\n"
        "= \n"
        "between \n"
        "1 heads, 1 complete, 0 interim\n",
    },
    {
        "marked response after 100",
        BYTES("HTTP/1.1 100 Continue\r\n"
              "\r\n"
              "HTTP/1.1 200 OK\r\n"
              "bridgecheck-next: t0ken\r\n"
              "\r\n"
              "abc"),
        "",
        true,
        "~ 1.1 100 Continue\n"
        "between  closing marked\n"
        "0 heads, 0 complete, 1 interim\n",
    },
    {
        "nothing",
        BYTES("\r\n"),
        "",
        true,
        "between \n"
        "stray 2\n"
        "0 heads, 0 complete, 0 interim\n",
    },
};

#endif
