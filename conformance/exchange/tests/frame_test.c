/* frame_test.c: WebSocket frames: what a line means, that the writer writes it so that it means the same, and what is no such line. */
#include "support.h"

#include "../writer.h"

static struct exchange_file *parsed_step(const char *line) {
    char text[512];
    int size = snprintf(text, sizeof text, "bridgecheck-exchange 1\nexchange x\n%s\nend next\n", line);
    assert_true(size > 0 && (size_t)size < sizeof text);
    return parsed(text, (size_t)size);
}

static const struct frame_line {
    const char *line, *written;
    struct exchange_frame frame;
    const char *payload;
    size_t size;
} LINES[] = {
    {"frame text", "frame text\n", {.opcode = 1}, "", 0},
    {"frame  text   hello", "frame text \"hello\"\n", {.opcode = 1}, "hello", 5},
    {"frame text \"more\"", "frame text \"more\"\n", {.opcode = 1}, "more", 4},
    {"frame text morel", "frame text \"morel\"\n", {.opcode = 1}, "morel", 5},
    {"frame text \"rsv1 x\"", "frame text \"rsv1 x\"\n", {.opcode = 1}, "rsv1 x", 6},
    {"frame text more", "frame text more\n", {.opcode = 1, .more = true}, "", 0},
    {"frame text more \"more\"", "frame text more \"more\"\n", {.opcode = 1, .more = true}, "more", 4},
    {"frame binary \"\\x00\\xff\"", "frame binary \"\\0\\xff\"\n", {.opcode = 2}, "\0\xff", 2},
    {"frame continuation unmasked lo", "frame continuation unmasked \"lo\"\n", {.unmasked = true}, "lo", 2},
    {"frame ping rsv3 rsv1 a", "frame ping rsv1 rsv3 \"a\"\n", {.opcode = 9, .reserved = EXCHANGE_RSV1 | EXCHANGE_RSV3}, "a", 1},
    {"frame pong rsv2", "frame pong rsv2\n", {.opcode = 10, .reserved = EXCHANGE_RSV2}, "", 0},
    {"frame text length16 a", "frame text length16 \"a\"\n", {.opcode = 1, .length_size = 2}, "a", 1},
    {"frame text unmasked length64 more a",
     "frame text more length64 unmasked \"a\"\n",
     {.opcode = 1, .length_size = 8, .unmasked = true, .more = true},
     "a",
     1},
    {"frame close", "frame close\n", {.opcode = 8}, "", 0},
    {"frame close x", "frame close \"x\"\n", {.opcode = 8}, "x", 1},
    {"frame close \"\\x03\\xe8\"", "frame close 1000\n", {.opcode = 8}, "\x03\xe8", 2},
    {"frame close 1000", "frame close 1000\n", {.opcode = 8}, "\x03\xe8", 2},
    {"frame close 65535 \"good bye\"", "frame close 65535 \"good bye\"\n", {.opcode = 8}, "\xff\xffgood bye", 10},
    {"frame close 0", "frame close 0\n", {.opcode = 8}, "\0\0", 2},
    {"frame close \"1000\"", "frame close 12592 \"00\"\n", {.opcode = 8}, "1000", 4},
    {"frame close rsv1 4000 a",
     "frame close rsv1 4000 \"a\"\n",
     {.opcode = 8, .reserved = EXCHANGE_RSV1},
     "\x0f\xa0"
     "a",
     3},
    {"frame text 1000", "frame text \"1000\"\n", {.opcode = 1}, "1000", 4},
    {"frame opcode 11 a", "frame opcode 11 \"a\"\n", {.opcode = 11}, "a", 1},
    {"frame opcode 15", "frame opcode 15\n", {.opcode = 15}, "", 0},
    {"frame opcode 8 1000", "frame close 1000\n", {.opcode = 8}, "\x03\xe8", 2},
    {"frame opcode 0", "frame continuation\n", {.opcode = 0}, "", 0},
};

static void assert_frame(const struct exchange_step *step, const struct frame_line *line) {
    assert_int_equal(step->kind, EXCHANGE_FRAME);
    assert_int_equal(step->frame.opcode, line->frame.opcode);
    assert_int_equal(step->frame.reserved, line->frame.reserved);
    assert_int_equal(step->frame.more, line->frame.more);
    assert_int_equal(step->frame.unmasked, line->frame.unmasked);
    assert_int_equal(step->frame.length_size, line->frame.length_size);
    assert_int_equal(step->text.size, line->size);
    assert_memory_equal(step->text.data, line->payload, line->size);
}

static void lines_test(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct exchange_file *file = parsed_step(LINES[i].line);
        assert_frame(&file->exchanges[0].steps[0], &LINES[i]);
        struct writer writer;
        writer_init(&writer, NULL);
        writer_frame(&writer, &file->exchanges[0].steps[0]);
        assert_false(writer.out_of_memory);
        assert_int_equal(writer.text.count, strlen(LINES[i].written));
        assert_memory_equal(writer.text.items, LINES[i].written, writer.text.count);
        exchange_file_free(file);
        ((char *)writer.text.items)[writer.text.count - 1] = '\0';
        file = parsed_step(writer.text.items);
        assert_frame(&file->exchanges[0].steps[0], &LINES[i]);
        writer_free(&writer);
        exchange_file_free(file);
    }
}

/* A payload in pieces: with values, repeated, or none; and who else may have pieces behind it. */
static void pieces_test(void **state) {
    (void)state;
    static const char text[] = HEAD "exchange x\nsend\n> GET / HTTP/1.1\n>\nsave t from body between a b\nframe text rsv1\n"
                                    "+ {\"t\":\"${t}\"}\n> x\n* 3 ab\nframe ping\nframe close 1000\nend next\n";
    struct exchange_file *file = parsed(text, sizeof text - 1);
    const struct exchange_step *steps = file->exchanges[0].steps;
    assert_int_equal(file->exchanges[0].step_count, 5);
    assert_int_equal(steps[2].kind, EXCHANGE_FRAME);
    assert_int_equal(steps[2].frame.reserved, EXCHANGE_RSV1);
    assert_int_equal(steps[2].text.size, 0);
    assert_int_equal(steps[2].piece_count, 4);
    assert_bytes(&steps[2].pieces[0].bytes, "{\"t\":\"", 6);
    assert_int_equal(steps[2].pieces[1].kind, EXCHANGE_PIECE_VALUE);
    assert_bytes(&steps[2].pieces[2].bytes, "\"}x\r\n", 5);
    assert_int_equal(steps[2].pieces[3].count, 3);
    assert_int_equal(steps[3].piece_count, 0);
    exchange_file_free(file);
}

/* These lines of an exchange, the first of which is line 3, are no exchange, and why. */
static void assert_error(const char *lines, unsigned line, unsigned column, const char *message) {
    char text[256];
    struct exchange_file *file;
    struct exchange_error error;
    int size = snprintf(text, sizeof text, "bridgecheck-exchange 1\nexchange x\n%s\nend next\n", lines);
    assert_int_equal(exchange_parse(text, (size_t)size, NULL, &file, &error), -1);
    if (error.line != line || error.column != column || strcmp(error.message, message) != 0)
        fail_msg("%s: %u:%u: %s", lines, error.line, error.column, error.message);
}

static void pieces_errors_test(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        unsigned line, column;
        const char *message;
    } errors[] = {
        {"frame text a\n+ b", 4, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
        {"frame text \"\"\n+ b", 4, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
        {"frame close 1000\n+ b", 4, 1, "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece"},
        {"frame text\n+ ${t}", 4, 5, "nothing before saves \"t\""},
        {"frame text\n* 16777217 b", 3, 1, "a frame's payload is at most 16777216 bytes"},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_error(errors[i].lines, errors[i].line, errors[i].column, errors[i].message);
}

static void waits_test(void **state) {
    (void)state;
    static const struct {
        const char *line, *word;
        enum exchange_condition condition;
        unsigned opcode, milliseconds;
    } waits[] = {
        {"wait frame", "", EXCHANGE_WAIT_FRAME, 0, 0},
        {"wait frame within 5ms", "", EXCHANGE_WAIT_FRAME, 0, 5},
        {"wait frame text", "text", EXCHANGE_WAIT_FRAME, 1, 0},
        {"wait frame continuation", "continuation", EXCHANGE_WAIT_FRAME, 0, 0},
        {"wait frame close within 1s", "close", EXCHANGE_WAIT_FRAME, 8, 1000},
        {"wait message", "", EXCHANGE_WAIT_MESSAGE, 0, 0},
        {"wait message within 20ms", "", EXCHANGE_WAIT_MESSAGE, 0, 20},
    };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        struct exchange_file *file = parsed_step(waits[i].line);
        const struct exchange_step *step = &file->exchanges[0].steps[0];
        assert_int_equal(step->kind, EXCHANGE_WAIT);
        assert_int_equal(step->condition, waits[i].condition);
        assert_string_equal(step->name.data, waits[i].word);
        assert_int_equal(step->frame.opcode, waits[i].opcode);
        assert_int_equal(step->milliseconds, waits[i].milliseconds);
        exchange_file_free(file);
    }
}

static void errors_test(void **state) {
    (void)state;
    static const struct {
        const char *line;
        unsigned column;
        const char *message;
    } errors[] = {
        {"frame opcode", 13, "\"opcode\" needs a number from 0 to 15"},
        {"frame opcode a", 14, "\"opcode\" needs a number from 0 to 15"},
        {"frame opcode 16", 14, "an opcode is a number from 0 to 15"},
        {"frame opcode 99999999999999999999", 14, "an opcode is a number from 0 to 15"},
        {"frame text more more", 17, "\"more\" stands behind what says the same, or the opposite"},
        {"frame text unmasked rsv1 unmasked", 26, "\"unmasked\" stands behind what says the same, or the opposite"},
        {"frame text rsv1 rsv1", 17, "\"rsv1\" stands behind what says the same, or the opposite"},
        {"frame text length16 length64", 21, "\"length64\" stands behind what says the same, or the opposite"},
        {"frame close 65536", 13, "a close code is a number from 0 to 65535"},
        {"frame close 1000 2000 x", 23, "nothing may follow this step"},
        {"frame text a more", 14, "nothing may follow this step"},
        {"frame text\\x20", 11, "an escape stands only in a quoted text or a piece"},
        {"wait frame opcode", 12, "only \"within DURATION\" may follow what is waited for"},
        {"wait frame text ping", 17, "only \"within DURATION\" may follow what is waited for"},
        {"wait message text", 14, "only \"within DURATION\" may follow what is waited for"},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_error(errors[i].line, 3, errors[i].column, errors[i].message);
}

static void allocations_test(void **state) {
    (void)state;
    static const char text[] = "bridgecheck-exchange 1\nexchange x\nframe close rsv1 4000 \"a reason\"\nframe text\n+ a\n* 2 b\nend next\n";
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct exchange_file *file;
        struct exchange_error error;
        int failed = exchange_parse(text, sizeof text - 1, &allocator, &file, &error);
        if (failed)
            assert_string_equal(error.message, "out of memory");
        exchange_file_free(file);
        assert_int_equal(failing.live, 0);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_test), cmocka_unit_test(pieces_test), cmocka_unit_test(pieces_errors_test),
        cmocka_unit_test(waits_test), cmocka_unit_test(errors_test), cmocka_unit_test(allocations_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
