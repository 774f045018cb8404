/* bounds_test.c: each bound of docs/exchange.md is reached, and one more is an error in its place. */
#include "support.h"

/* A text that grows; owned by the test. */
struct long_text {
    char *text;
    size_t size, capacity;
};

static void add(struct long_text *text, const char *part, size_t times) {
    size_t size = strlen(part);
    size_t needed = text->size + size * times;
    if (needed > text->capacity) {
        text->capacity = needed * 2;
        text->text = realloc(text->text, text->capacity);
        assert_non_null(text->text);
    }
    for (size_t i = 0; i < times; i++, text->size += size)
        memcpy(text->text + text->size, part, size);
}

static void assert_fits(struct long_text *text) {
    exchange_file_free(parsed(text->text, text->size));
    free(text->text);
}

static void assert_fails(struct long_text *text, unsigned line, unsigned column, const char *message) {
    struct exchange_file *file;
    struct exchange_error error;
    int failed = exchange_parse(text->text, text->size, NULL, &file, &error);
    free(text->text);
    assert_int_equal(failed, -1);
    assert_string_equal(error.message, message);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
}

static struct long_text started(void) {
    struct long_text text = {0};
    add(&text, HEAD "exchange x\n", 1);
    return text;
}

static struct long_text of_steps(size_t steps) {
    struct long_text text = started();
    add(&text, "pause 1ms\n", steps);
    add(&text, "end next\n", 1);
    return text;
}

static void steps_test(void **state) {
    (void)state;
    struct long_text fits = of_steps(EXCHANGE_STEPS_MAX), beyond = of_steps(EXCHANGE_STEPS_MAX + 1);
    assert_fits(&fits);
    assert_fails(&beyond, EXCHANGE_STEPS_MAX + 3, 1, "an exchange has at most 4096 steps");
}

/* With a first step that opens "main" where IMPLICIT. */
static struct long_text of_connections(unsigned connections, bool implicit) {
    struct long_text text = started();
    add(&text, "wait call\n", implicit);
    for (unsigned i = 0; i < connections; i++) {
        char line[32];
        snprintf(line, sizeof line, "connect c%u\n", i);
        add(&text, line, 1);
    }
    add(&text, "end next\n", 1);
    return text;
}

static void connections_test(void **state) {
    (void)state;
    struct long_text fits = of_connections(16, false), with_main = of_connections(15, true);
    struct long_text beyond = of_connections(17, false), beyond_with_main = of_connections(16, true);
    assert_fits(&fits);
    assert_fits(&with_main);
    assert_fails(&beyond, 19, 9, "an exchange has at most 16 connections");
    assert_fails(&beyond_with_main, 19, 9, "an exchange has at most 16 connections");
}

static struct long_text of_line(size_t size) {
    struct long_text text = started();
    add(&text, "# ", 1);
    add(&text, "x", size - 2);
    add(&text, "\nend next\n", 1);
    return text;
}

static void line_test(void **state) {
    (void)state;
    struct long_text fits = of_line(EXCHANGE_LINE_MAX), beyond = of_line(EXCHANGE_LINE_MAX + 1);
    assert_fits(&fits);
    assert_fails(&beyond, 3, EXCHANGE_LINE_MAX + 1, "a line holds at most 1048576 bytes");
}

static void last_line_test(void **state) {
    (void)state;
    struct long_text fits = started(), beyond = started();
    add(&fits, "end next\n#", 1);
    add(&fits, "x", EXCHANGE_LINE_MAX - 1);
    add(&beyond, "end next\n#", 1);
    add(&beyond, "x", EXCHANGE_LINE_MAX);
    assert_fits(&fits);
    assert_fails(&beyond, 4, EXCHANGE_LINE_MAX + 1, "a line holds at most 1048576 bytes");
}

static struct long_text of_file(size_t size) {
    struct long_text text = started();
    add(&text, "end next\n", 1);
    size_t left = size - text.size;
    add(&text, "# of sixteen oct\n", left / 17);
    add(&text, "\n", left % 17);
    return text;
}

static void file_test(void **state) {
    (void)state;
    struct long_text fits = of_file(EXCHANGE_FILE_MAX), beyond = of_file(EXCHANGE_FILE_MAX + 1);
    assert_fits(&fits);
    assert_fails(&beyond, 1, 1, "an exchange file holds at most 67108864 bytes");
}

static void sent_test(void **state) {
    (void)state;
    struct long_text fits = started(), each_its_own = started();
    add(&fits, "send\n* 536870911 ab\n>\nend next\n", 1);
    assert_fits(&fits);
    add(&each_its_own, "send\n* 1073741824 a\nend next\nexchange y\nsend\n* 1073741824 a\nend next\n", 1);
    assert_fits(&each_its_own);
}

static struct long_text of_repeated(size_t size) {
    struct long_text text = started();
    add(&text, "send\n* 2 ", 1);
    add(&text, "x", size);
    add(&text, "\nend next\n", 1);
    return text;
}

static void repeated_test(void **state) {
    (void)state;
    struct long_text fits = of_repeated(EXCHANGE_REPEATED_MAX), beyond = of_repeated(EXCHANGE_REPEATED_MAX + 1);
    assert_fits(&fits);
    assert_fails(&beyond, 4, 3, "a * piece repeats at most 65536 bytes");
}

/* The table of names has grown many times by then, and still has each of them. */
static void many_names_test(void **state) {
    (void)state;
    struct long_text text = {0};
    add(&text, HEAD, 1);
    for (unsigned i = 0; i < 20000; i++) {
        char lines[48];
        snprintf(lines, sizeof lines, "exchange number-%u\nend next\n", i);
        add(&text, lines, 1);
    }
    struct exchange_file *file = parsed(text.text, text.size);
    assert_int_equal(file->exchange_count, 20000);
    exchange_file_free(file);
    add(&text, "exchange number-12345\nend next\n", 1);
    assert_fails(&text, 40002, 10, "exchange \"number-12345\" stands twice, first on line 24692");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_test),     cmocka_unit_test(connections_test), cmocka_unit_test(line_test),
        cmocka_unit_test(last_line_test), cmocka_unit_test(file_test),        cmocka_unit_test(sent_test),
        cmocka_unit_test(repeated_test),  cmocka_unit_test(many_names_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
