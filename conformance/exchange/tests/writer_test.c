/* writer_test.c: what is written is read back as the same bytes, whatever they are; and it looks as a person would write it. */
#include "support.h"

#include "../writer.h"
#include "full.h"

#define BYTES(text) text, sizeof(text) - 1

/* The text ends with a NUL then. */
static const char *text_of(struct writer *writer) {
    assert_false(writer->out_of_memory);
    char *end = growing_add(&writer->text, &writer->allocator, 1, 1);
    assert_non_null(end);
    *end = '\0';
    return writer->text.items;
}

/* What a send with these lines sends, with values as their names; the file is for exchange_file_free(). */
static struct exchange_bytes read_back(const struct writer *writer, struct exchange_file **file) {
    static const char before[] = HEAD "exchange x\nsend\n", after[] = "end next\n";
    size_t size = sizeof before - 1 + writer->text.count + sizeof after - 1;
    char *text = malloc(size);
    assert_non_null(text);
    assert_false(writer->out_of_memory);
    memcpy(text, before, sizeof before - 1);
    memcpy(text + sizeof before - 1, writer->text.items, writer->text.count);
    memcpy(text + size - sizeof after + 1, after, sizeof after - 1);
    *file = parsed(text, size);
    free(text);
    const struct exchange_step *send = &(*file)->exchanges[0].steps[0];
    assert_int_equal(send->piece_count, 1);
    assert_int_equal(send->pieces[0].count, 1);
    return send->pieces[0].bytes;
}

static void assert_round(const char *data, size_t size) {
    struct writer writer;
    struct exchange_file *file;
    writer_init(&writer, NULL);
    writer_bytes(&writer, data, size);
    struct exchange_bytes bytes = read_back(&writer, &file);
    assert_bytes(&bytes, data, size);
    const char *text = text_of(&writer);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        assert_true(*line == '>' || *line == '+');
        assert_true(length <= (*line == '>' ? WRITER_LINE_MAX : WRITER_PIECE_MAX) + 5);
        assert_true(length == 1 || line[length - 1] != ' ');
        for (size_t i = 0; i < length; i++)
            assert_in_range(line[i], ' ', '~');
    }
    exchange_file_free(file);
    writer_free(&writer);
}

static void each_octet_test(void **state) {
    (void)state;
    char all[256];
    for (int octet = 0; octet < 256; octet++) {
        all[octet] = (char)octet;
        assert_round(&all[octet], 1);
        assert_round((char[]){(char)octet, '\r', '\n'}, 3);
        assert_round((char[]){'\\', (char)octet, '0'}, 3);
    }
    assert_round(all, sizeof all);
}

static void random_bytes_test(void **state) {
    (void)state;
    static const char likely[] = "\r\n\r\n  \\\\$${}x\"0\t>+*# ";
    static char bytes[3000];
    uint64_t random = 20261124; /* xorshift */
    for (unsigned round = 0; round < 2000; round++) {
        size_t size = 1 + round % (round % 50 == 0 ? sizeof bytes : 200);
        for (size_t i = 0; i < size; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[i] = round % 2 ? (char)(random >> 24) : likely[(random >> 24) % (sizeof likely - 1)];
        }
        assert_round(bytes, size);
    }
}

static void no_bytes_test(void **state) {
    (void)state;
    struct writer writer;
    writer_init(&writer, NULL);
    writer_bytes(&writer, NULL, 0);
    writer_pieces(&writer, NULL, 0);
    assert_int_equal(writer.text.count, 0);
    assert_false(writer.out_of_memory);
    writer_free(&writer);
}

static void assert_written(const char *data, size_t size, const char *expected) {
    struct writer writer;
    writer_init(&writer, NULL);
    writer_bytes(&writer, data, size);
    assert_string_equal(text_of(&writer), expected);
    writer_free(&writer);
}

static void lines_test(void **state) {
    (void)state;
    assert_written(BYTES("POST / HTTP/1.1\r\nA:  b \r\n\r\n{\"a\": 1}"), "> POST / HTTP/1.1\n> A:  b\\x20\n>\n+ {\"a\": 1}\n");
    assert_written(BYTES("\r\n \r\n"), ">\n> \\x20\n");
    assert_written(BYTES("\n\r\r\n\n\r"), "> \\n\\r\n+ \\n\\r\n");
    assert_written(BYTES(" a\0b\x7f\xff\t\\$\" "), "+  a\\0b\\x7f\\xff\\t\\\\\\$\"\\x20\n");
}

/* A line of SIZE times "x" and CR LF, or without. */
static void assert_long(size_t size, bool line_end, const char *const *expected_starts) {
    static char bytes[2000];
    struct writer writer;
    memset(bytes, 'x', size);
    memcpy(bytes + size, "\r\n", 2);
    assert_round(bytes, size + 2 * line_end);
    writer_init(&writer, NULL);
    writer_bytes(&writer, bytes, size + 2 * line_end);
    const char *line = text_of(&writer);
    for (; *expected_starts; expected_starts++, line = strchr(line, '\n') + 1) {
        char marked[16];
        size_t length = strcspn(line, "\n");
        snprintf(marked, sizeof marked, "%c %zu", *line, length - (length == 1 ? 1 : 2));
        assert_string_equal(marked, *expected_starts);
    }
    assert_int_equal(*line, 0);
    writer_free(&writer);
}

static void long_lines_test(void **state) {
    (void)state;
    assert_long(480, true, (const char *const[]){"> 480", NULL});
    assert_long(481, true, (const char *const[]){"+ 96", "+ 96", "+ 96", "+ 96", "+ 96", "> 1", NULL});
    assert_long(576, true, (const char *const[]){"+ 96", "+ 96", "+ 96", "+ 96", "+ 96", "> 96", NULL});
    assert_long(96, false, (const char *const[]){"+ 96", NULL});
    assert_long(97, false, (const char *const[]){"+ 96", "+ 1", NULL});
}

static void pieces_test(void **state) {
    (void)state;
    static const char expected[] = "> Cookie: cart=${cart}\n+ ${token}${cart}\n* 2 z\n";
    struct exchange_file *file = parsed(full, sizeof full - 1);
    const struct exchange_step *send = &file->exchanges[2].steps[12];
    struct writer writer;
    writer_init(&writer, NULL);
    writer_pieces(&writer, send->pieces, send->piece_count);
    assert_string_equal(text_of(&writer), expected);
    writer_free(&writer);
    exchange_file_free(file);
}

static void long_names_test(void **state) {
    (void)state;
    char name[EXCHANGE_NAME_MAX + 1], expected[512];
    memset(name, 'n', EXCHANGE_NAME_MAX);
    name[EXCHANGE_NAME_MAX] = '\0';
    struct exchange_piece value = {.kind = EXCHANGE_PIECE_VALUE, .bytes = {name, EXCHANGE_NAME_MAX}, .count = 1};
    struct exchange_piece a = {.kind = EXCHANGE_PIECE_BYTES, .bytes = {(char[]){"a"}, 1}, .count = 1};
    struct exchange_piece line_end = {.kind = EXCHANGE_PIECE_BYTES, .bytes = {(char[]){"\r\n"}, 2}, .count = 1};
    struct writer writer;
    writer_init(&writer, NULL);
    writer_pieces(&writer, (struct exchange_piece[]){a, value, a, line_end}, 4);
    snprintf(expected, sizeof expected, "+ a\n+ ${%s}\n> a\n", name);
    assert_string_equal(text_of(&writer), expected);
    writer_free(&writer);
}

static void quoted_test(void **state) {
    (void)state;
    struct writer writer;
    writer_init(&writer, NULL);
    writer_quoted(&writer, BYTES("a \"b\"\\${c}\r\n\0\xe9 "));
    assert_string_equal(text_of(&writer), "\"a \\\"b\\\"\\\\\\${c}\\r\\n\\0\\xe9 \"");
    writer_free(&writer);
}

static void allocations_test(void **state) {
    (void)state;
    static char bytes[600];
    memset(bytes, ' ', sizeof bytes);
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct writer writer;
        writer_init(&writer, &allocator);
        writer_bytes(&writer, bytes, sizeof bytes);
        writer_bytes(&writer, BYTES("\r\n \r\n"));
        bool whole = !writer.out_of_memory;
        writer_free(&writer);
        assert_int_equal(failing.live, 0);
        if (whole) {
            assert_true(failing_at > 4);
            break;
        }
        assert_int_equal(failing.asked, failing_at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_octet_test), cmocka_unit_test(random_bytes_test), cmocka_unit_test(no_bytes_test),
        cmocka_unit_test(lines_test),      cmocka_unit_test(long_lines_test),   cmocka_unit_test(pieces_test),
        cmocka_unit_test(long_names_test), cmocka_unit_test(quoted_test),       cmocka_unit_test(allocations_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
