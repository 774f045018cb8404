/* error_test.c: everything that does not fit the grammar, with its exact place and message. */
#include "support.h"

struct wrong {
    const char *text; /* NUL marks its end unless size is set */
    unsigned line, column;
    const char *message;
};

#define X HEAD "exchange x\n"                /* lines 1 and 2 */
#define SEND X "send\n> GET / HTTP/1.1\n>\n" /* lines 1 to 5 */
#define N60 "123456789-123456789-123456789-123456789-123456789-123456789-"
#define N120 N60 N60

static const char first_line[] = "the first line of an exchange file is \"bridgecheck-exchange 1\"";
static const char crlf[] = "the line ends with CR LF; lines of an exchange file end with LF alone";
static const char wait_form[] = "a wait needs one of response, head, body, interim, call, closed, frame, message";
static const char save_coding[] = "behind a save's texts stand only \"decode CODING\" and then \"encode CODING\"";
static const char save_form[] = "a save is written: save NAME from body between TEXT TEXT, or: save NAME from field NAME between TEXT TEXT";
static const char frame_form[] = "a frame is one of text, binary, continuation, ping, pong, close, opcode";
static const char process_form[] = "a process step is one of start, signal, exit";
static const char signal_form[] = "\"process signal\" needs a signal's name, as in \"process signal SIGTERM\"";
static const char end_form[] = "an end is one of next, close, open";
static const char hexadecimal[] = "bad escape: \\x needs two hexadecimal digits";
static const char text_value[] = "a value ${...} stands only in a > or + piece; a dollar sign is written \\$ in quotes";

static const struct wrong WRONG[] = {
    /* the first line */
    {"", 1, 1, first_line},
    {"\n", 1, 1, first_line},
    {"# comment\n" HEAD, 1, 1, first_line},
    {"bridgecheck-exchange", 1, 21, first_line},
    {"bridgecheck-exchange 2\n", 1, 22, first_line},
    {"bridgecheck-exchange 1 \n", 1, 23, first_line},
    {"bridgecheck-exchange 10\n", 1, 23, first_line},
    {"\xef\xbb\xbf" HEAD, 1, 1, first_line},
    /* line ends and white space */
    {"bridgecheck-exchange 1\r\n", 1, 23, crlf},
    {X "send\n> GET / HTTP/1.1\r\n", 4, 17, crlf},
    {HEAD "# a comment\r\n", 2, 12, crlf},
    {HEAD "\r\n", 2, 1, crlf},
    {SEND "end next\r", 6, 9, crlf},
    {HEAD " exchange x\n", 2, 1, "white space before the first word of a line"},
    {HEAD "\texchange x\n", 2, 1, "white space before the first word of a line"},
    {HEAD "   \n", 2, 1, "white space before the first word of a line"},
    /* words */
    {HEAD "exchange\tx\n", 2, 9, "a tab; words are separated by spaces"},
    {HEAD "exchange x\x01\n", 2, 11, "control byte \\x01"},
    {HEAD "exchange \x7f\n", 2, 10, "control byte \\x7f"},
    {HEAD "exchange x\"\n", 2, 11, "a quote stands only around the whole of a text"},
    {HEAD "exchange \\x41\n", 2, 10, "an escape stands only in a quoted text or a piece"},
    {HEAD "\"exchange\" x\n", 2, 1, "a quote stands only around the whole of a text"},
    /* statements where they do not belong */
    {HEAD "exchanges x\n", 2, 1, "unknown statement \"exchanges\""},
    {HEAD "\xc3\xa9\n", 2, 1, "unknown statement \"\\xc3\\xa9\""},
    {HEAD N120 "\n", 2, 1, "unknown statement \"" N60 "123...\""},
    {X "wit response\n", 3, 1, "unknown statement \"wit\""},
    {HEAD "send\n", 2, 1, "\"send\" stands outside an exchange"},
    {HEAD "end next\n", 2, 1, "\"end\" stands outside an exchange"},
    {X "end next\nwait call\n", 4, 1, "\"wait\" stands outside an exchange"},
    {X "end next\nend next\n", 4, 1, "\"end\" stands outside an exchange"},
    {HEAD "> GET / HTTP/1.1\n", 2, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
    {X "+ a\n", 3, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
    {SEND "wait call\n* 2 a\n", 7, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
    /* session and exchange */
    {HEAD "session\n", 2, 8, "session needs a name"},
    {HEAD "exchange  \n", 2, 11, "exchange needs a name"},
    {HEAD "exchange a/b\n", 2, 11, "a name is made of A-Z a-z 0-9 . _ -"},
    {HEAD "exchange " N120 "x\n", 2, 130, "a name has at most 120 characters"},
    {HEAD "exchange a b\n", 2, 12, "nothing may follow the name"},
    {HEAD "session a  b\n", 2, 12, "nothing may follow the name"},
    {X "end next\nexchange x\n", 4, 10, "exchange \"x\" stands twice, first on line 2"},
    {HEAD "session s\nexchange x\nend next\nexchange x\n", 5, 10, "exchange \"x\" stands twice, first on line 3"},
    {HEAD "session s\nexchange x\nend next\nsession t\nexchange x\nend next\nsession s\n", 8, 9,
     "session \"s\" stands twice, first on line 2"},
    {HEAD "session s\nsession t\n", 2, 1, "session \"s\" holds no exchange"},
    {HEAD "session s\n", 2, 1, "session \"s\" holds no exchange"},
    {HEAD "session s\norigin: hand\n# end\n", 2, 1, "session \"s\" holds no exchange"},
    {X "exchange y\n", 3, 1, "no \"end\" before the next exchange, for exchange \"x\" on line 2"},
    {X "session s\n", 3, 1, "no \"end\" before the next session, for exchange \"x\" on line 2"},
    {X, 3, 1, "no \"end\" before the end of the file, for exchange \"x\" on line 2"},
    {SEND, 6, 1, "no \"end\" before the end of the file, for exchange \"x\" on line 2"},
    {HEAD "exchange x", 2, 11, "no \"end\" before the end of the file, for exchange \"x\" on line 2"},
    {HEAD "exchange x\n\n#", 4, 2, "no \"end\" before the end of the file, for exchange \"x\" on line 2"},
    /* meta */
    {X "rules: a\nrules: b\n", 4, 1, "meta key \"rules\" stands twice"},
    {HEAD "session s\nrules: a\nrules:\n", 4, 1, "meta key \"rules\" stands twice"},
    {X ": a\n", 3, 1, "a meta key is empty"},
    {X "Rules: a\n", 3, 1, "a meta key is made of a-z and -"},
    {X "ru1es: a\n", 3, 3, "a meta key is made of a-z and -"},
    {X "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: a\n",
     3, 121, "a meta key has at most 120 characters"},
    {HEAD "rules: a\n", 2, 1, "a meta line stands behind \"session\" or \"exchange\""},
    {X "end next\nrules: a\n", 4, 1, "a meta line stands behind \"session\" or \"exchange\""},
    {HEAD "session s\nexchange x\nend next\nrules: a\n", 5, 1, "a meta line stands behind \"session\" or \"exchange\""},
    {SEND "rules: a\n", 6, 1, "a meta line stands before the first step"},
    {X "a:\nb:\nc:\nd:\ne:\nf:\ng:\nh:\ni:\nj:\nk:\nl:\nm:\nn:\no:\np:\nq:\n", 19, 1, "more than 16 meta lines"},
    {HEAD "session s\na:\nb:\nc:\nd:\ne:\nf:\ng:\nh:\ni:\nj:\nk:\nl:\nm:\nn:\no:\np:\nq:\n", 19, 1, "more than 16 meta lines"},
    /* connect and on */
    {X "connect\n", 3, 8, "a connection's name is missing"},
    {X "connect a,b\n", 3, 10, "a connection's name is made of A-Z a-z 0-9 . _ -"},
    {X "connect a b\n", 3, 11, "nothing may follow this step"},
    {X "connect a\nconnect a\n", 4, 9, "connection \"a\" was opened before"},
    {SEND "connect main\n", 6, 9, "connection \"main\" was opened before"},
    {X "connect a\nclose\nconnect a\n", 5, 9, "connection \"a\" was opened before"},
    {X "on\n", 3, 3, "a connection's name is missing"},
    {X "on main\n", 3, 4, "no connection \"main\" is open"},
    {X "connect a\non b\n", 4, 4, "no connection \"b\" is open"},
    {X "connect a\nconnect b\non a\nreset\non b\non a\n", 8, 4, "connection \"a\" was closed on line 6"},
    /* send and pieces */
    {X "send\nend next\n", 3, 1, "a send needs at least one piece, on the lines behind it"},
    {X "send\n# > comment\n\n", 3, 1, "a send needs at least one piece, on the lines behind it"},
    {X "wait call\nsend\nexchange y\n", 4, 1, "a send needs at least one piece, on the lines behind it"},
    {X "send hello\n", 3, 6, "only \"split COUNT\" may follow \"send\", and the bytes stand on the next line"},
    {X "send \"a\"\n", 3, 6, "a quote stands only around the whole of a text"},
    {X "send split\n", 3, 11, "\"split\" needs a count"},
    {X "send split 0\n", 3, 12, "a count is a number from 1 to 1073741824, not \"0\""},
    {X "send split 1x\n", 3, 12, "a count is a number from 1 to 1073741824, not \"1x\""},
    {X "send split 1 2\n", 3, 14, "nothing may follow the count"},
    {X "send\n>GET / HTTP/1.1\n", 4, 2, "a space must follow \">\""},
    {X "send\n+a\n", 4, 2, "a space must follow \"+\""},
    {X "send\n*2 a\n", 4, 2, "a space must follow \"*\""},
    {X "send\n+\n", 4, 2, "a + piece needs bytes"},
    {X "send\n+ \n", 4, 3, "a + piece needs bytes"},
    {X "send\n*\n", 4, 2, "a * piece needs a count"},
    {X "send\n*  2 a\n", 4, 3, "a * piece needs a count"},
    {X "send\n* a\n", 4, 3, "a count is a number from 1 to 1073741824, not \"a\""},
    {X "send\n* 0 a\n", 4, 3, "a count is a number from 1 to 1073741824, not \"0\""},
    {X "send\n* -1 a\n", 4, 3, "a count is a number from 1 to 1073741824, not \"-1\""},
    {X "send\n* 1073741825 a\n", 4, 3, "a count is a number from 1 to 1073741824, not \"1073741825\""},
    {X "send\n* 18446744073709551617 a\n", 4, 3, "a count is a number from 1 to 1073741824, not \"18446744073709551617\""},
    {X "send\n* 2\n", 4, 4, "a * piece needs bytes behind its count"},
    {X "send\n* 2 \n", 4, 5, "a * piece needs bytes behind its count"},
    {X "send\n* 2 ab${c}\n", 4, 7, "a value ${...} stands only in a > or + piece, not in a * piece"},
    {X "send\n* 536870913 ab\n", 4, 3, "an exchange sends at most 1073741824 bytes"},
    {X "send\n* 1073741823 a\n>\n", 5, 1, "an exchange sends at most 1073741824 bytes"},
    {X "send\n* 1073741823 a\nsend\n+ b\n+ c\n", 7, 1, "an exchange sends at most 1073741824 bytes"},
    {X "send\n* 1073741823 a\nframe text bc\n", 5, 1, "an exchange sends at most 1073741824 bytes"},
    /* escapes and values */
    {X "send\n> a\\qb\n", 4, 4, "unknown escape \\q"},
    {X "send\n+ \\X41\n", 4, 3, "unknown escape \\X"},
    {X "send\n+ ab\\\n", 4, 5, "bad escape: nothing follows the backslash"},
    {X "send\n+ ab\\", 4, 5, "bad escape: nothing follows the backslash"},
    {X "send\n+ \\\xff\n", 4, 3, "bad escape: a backslash before byte \\xff"},
    {X "send\n+ \\ \n", 4, 3, "bad escape: a backslash before byte \\x20"},
    {X "send\n+ \\x\n", 4, 3, hexadecimal},
    {X "send\n+ \\x4\n", 4, 3, hexadecimal},
    {X "send\n+ \\x4g\n", 4, 3, hexadecimal},
    {X "send\n+ \\xg4\n", 4, 3, hexadecimal},
    {X "send\n* 2 \\x", 4, 5, hexadecimal},
    {X "send\n> ${a\n", 4, 3, "a value is written ${NAME}, and this one has no \"}\"; a dollar sign is written \\$"},
    {X "send\n> ${}\n", 4, 5, "a value's name is empty"},
    {X "send\n> ${a b}\n", 4, 6, "a value's name is made of A-Z a-z 0-9 . _ -"},
    {X "send\n> ${a}\n", 4, 5, "nothing before saves \"a\""},
    {SEND "save a from body between x y\nsend\n> ${5+a+b}\n", 8, 9, "nothing before saves \"b\""},
    {X "send\n> ${5+}\n", 4, 7, "a value's name is empty"},
    {X "send\n> ${5+a+}\n", 4, 7, "nothing before saves \"a\""},
    {X "send\n> ${+a}\n", 4, 5, "a length is written ${COUNT+NAME}, its count from 0 to 1073741824"},
    {X "send\n> ${a+b}\n", 4, 5, "a length is written ${COUNT+NAME}, its count from 0 to 1073741824"},
    {X "send\n> ${0x+b}\n", 4, 5, "a length is written ${COUNT+NAME}, its count from 0 to 1073741824"},
    {X "send\n> ${1f+b}\n", 4, 5, "a length is written ${COUNT+NAME}, its count from 0 to 1073741824"},
    {X "send\n> ${1073741825+b}\n", 4, 5, "a length is written ${COUNT+NAME}, its count from 0 to 1073741824"},
    {X "send\n* 2 ab${5+c}\n", 4, 7, "a value ${...} stands only in a > or + piece, not in a * piece"},
    {X "answered\n> a\n", 3, 1, "no connection is open yet"},
    {SEND "answered x\n", 6, 10, "nothing may follow this step"},
    {SEND "answered\nend next\n", 6, 1, "\"answered\" needs at least one piece, on the lines behind it"},
    {SEND "save a from body between x y\nend next\nexchange y\nsend\n+ ${a}\n", 10, 5, "nothing before saves \"a\""},
    {HEAD "session s\nexchange x\nconnect a\nsave v from body between x y\nend next\nsession t\nexchange x\nsend\n+ a${v}\n", 10, 6,
     "nothing before saves \"v\""},
    {SEND "save a from body between x y\nsend\n+ ${A}\n", 8, 5, "nothing before saves \"A\""},
    /* pause, half-close, close, reset */
    {X "pause\n", 3, 6, "a pause needs a duration, as in \"pause 50ms\""},
    {X "pause 50\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"50\""},
    {X "pause ms\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"ms\""},
    {X "pause 5m\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"5m\""},
    {X "pause 0ms\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"0ms\""},
    {X "pause 0s\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"0s\""},
    {X "pause 60001ms\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"60001ms\""},
    {X "pause 61s\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"61s\""},
    {X "pause 4294967297ms\n", 3, 7, "a duration is 1ms to 60s, as in 250ms or 2s, not \"4294967297ms\""},
    {X "pause 1ms 1ms\n", 3, 11, "nothing may follow this step"},
    {X "half-close\n", 3, 1, "no connection is open yet"},
    {X "close\n", 3, 1, "no connection is open yet"},
    {X "reset\n", 3, 1, "no connection is open yet"},
    {SEND "half-close now\n", 6, 12, "nothing may follow this step"},
    {SEND "half-close\nhalf-close\n", 7, 1, "connection \"main\" was half-closed on line 6"},
    {SEND "half-close\nsend\n", 7, 1, "connection \"main\" was half-closed on line 6"},
    {SEND "half-close\nframe ping\n", 7, 1, "connection \"main\" was half-closed on line 6"},
    {SEND "close\nhalf-close\n", 7, 1, "connection \"main\" was closed on line 6"},
    {SEND "close\nclose\n", 7, 1, "connection \"main\" was closed on line 6"},
    {SEND "reset\nclose\n", 7, 1, "connection \"main\" was closed on line 6"},
    {SEND "reset\nsend\n", 7, 1, "connection \"main\" was closed on line 6"},
    {SEND "close\nwait response\n", 7, 1, "connection \"main\" was closed on line 6"},
    /* wait */
    {X "wait\n", 3, 5, wait_form},
    {X "wait answer\n", 3, 6, wait_form},
    {X "wait body\n", 3, 10, "\"wait body\" needs a count of bytes"},
    {X "wait body 0\n", 3, 11, "a count is a number from 1 to 1073741824, not \"0\""},
    {X "wait body within 1s\n", 3, 11, "a count is a number from 1 to 1073741824, not \"within\""},
    {X "wait response 1s\n", 3, 15, "only \"within DURATION\" may follow what is waited for"},
    {X "wait response within\n", 3, 21, "\"within\" needs a duration, as in \"within 500ms\""},
    {X "wait response within 0s\n", 3, 22, "a duration is 1ms to 60s, as in 250ms or 2s, not \"0s\""},
    {X "wait response within 1s or 2s\n", 3, 25, "nothing may follow this step"},
    /* save */
    {X "save a from body between x y\n", 3, 1, "no connection is open yet"},
    {SEND "save\n", 6, 5, save_form},
    {SEND "save a/b from body between x y\n", 6, 7, "a value's name is made of A-Z a-z 0-9 . _ -"},
    {SEND "save a\n", 6, 7, save_form},
    {SEND "save a in body\n", 6, 8, save_form},
    {SEND "save a from\n", 6, 12, save_form},
    {SEND "save a from head between x y\n", 6, 13, save_form},
    {SEND "save a from field\n", 6, 18, "a field's name is missing"},
    {SEND "save a from field a:b between x y\n", 6, 20, "a field's name is made of A-Z a-z 0-9 . _ -"},
    {SEND "save a from body after x y\n", 6, 18, save_form},
    {SEND "save a from body between\n", 6, 25, "the text before the value is missing"},
    {SEND "save a from body between x\n", 6, 27, "the text after the value is missing; \"\" means up to the end"},
    {SEND "save a from body between x y z\n", 6, 30, save_coding},
    {SEND "save a from body between x y decode\n", 6, 36, "a coding is missing: percent, json or html"},
    {SEND "save a from body between x y decode none\n", 6, 37, "a coding is percent, json or html"},
    {SEND "save a from body between x y decode json encode xml\n", 6, 49, "a coding is percent, json or html"},
    {SEND "save a from body between x y encode json decode json\n", 6, 42, save_coding},
    {SEND "save a from body between x y decode json html\n", 6, 42, save_coding},
    {SEND "save a from body between x y decode \"json\"\n", 6, 37, "a quote stands only around the whole of a text"},
    {SEND "save a from body between \"x y\n", 6, 30, "no closing quote"},
    {SEND "save a from body between \"x\\\" y\n", 6, 32, "no closing quote"},
    {SEND "save a from body between \"x\"y\n", 6, 29, "a space must follow the closing quote"},
    {SEND "save a from body between x\" y\n", 6, 27, "a quote stands only around the whole of a text"},
    {SEND "save a from body between x \"\\z\"\n", 6, 29, "unknown escape \\z"},
    {SEND "save a from body between \\x41 y\n", 6, 26, "an escape stands only in a quoted text or a piece"},
    {SEND "save a from body between ${a} y\n", 6, 26, text_value},
    {SEND "save a from body between \"b${a}\" y\n", 6, 28, text_value},
    /* frame and process */
    {X "frame\n", 3, 6, frame_form},
    {X "frame test\n", 3, 7, frame_form},
    {X "frame text \"a\n", 3, 14, "no closing quote"},
    {X "frame text a b\n", 3, 14, "nothing may follow this step"},
    {X "process\n", 3, 8, process_form},
    {X "process stop\n", 3, 9, process_form},
    {X "process exit 0\n", 3, 14, "only \"within DURATION\" may follow what is waited for"},
    {X "process exit within\n", 3, 20, "\"within\" needs a duration, as in \"within 500ms\""},
    {X "process start \"a\n", 3, 17, "no closing quote"},
    {X "process signal\n", 3, 15, signal_form},
    {X "process signal TERM\n", 3, 16, signal_form},
    {X "process signal SIGterm\n", 3, 16, signal_form},
    {X "process signal SIG\n", 3, 16, signal_form},
    {X "process signal SIGTERM SIGINT\n", 3, 24, "nothing may follow this step"},
    /* end */
    {X "end\n", 3, 4, end_form},
    {X "end later\n", 3, 5, end_form},
    {X "end open\n", 3, 9, "\"end open\" needs a duration, as in \"end open 50ms\""},
    {X "end open 61s\n", 3, 10, "a duration is 1ms to 60s, as in 250ms or 2s, not \"61s\""},
    {X "end next 50ms\n", 3, 10, "nothing may follow an end"},
    {X "end \"next\"\n", 3, 5, "a quote stands only around the whole of a text"},
};

static void wrong_test(void **state) {
    const struct wrong *wrong = *state;
    struct exchange_file *file = (struct exchange_file *)&wrong;
    struct exchange_error error = {0};
    assert_int_equal(exchange_parse(wrong->text, strlen(wrong->text), NULL, &file, &error), -1);
    assert_null(file);
    char told[sizeof error.message + 32], expected[sizeof error.message + 32];
    snprintf(told, sizeof told, "%u:%u: %s", error.line, error.column, error.message);
    snprintf(expected, sizeof expected, "%u:%u: %s", wrong->line, wrong->column, wrong->message);
    assert_string_equal(told, expected);
}

int main(void) {
    enum { COUNT = sizeof WRONG / sizeof *WRONG };
    static struct CMUnitTest tests[COUNT];
    static char names[COUNT][sizeof((struct exchange_error *)0)->message + 32];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%u:%u: %s", WRONG[i].line, WRONG[i].column, WRONG[i].message);
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = wrong_test, .initial_state = (void *)&WRONG[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
