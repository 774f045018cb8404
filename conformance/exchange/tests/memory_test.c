/* memory_test.c: each allocation failing in turn, the file against a guard page, and the file cut at every byte. */
#include "support.h"

#include "full.h"

static void allocations_test(void **state) {
    (void)state;
    size_t failures = 0;
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct exchange_file *file;
        struct exchange_error error;
        if (exchange_parse(full, sizeof full - 1, &allocator, &file, &error) == 0) {
            assert_true(failing.asked < failing_at);
            assert_true(failing.live > 0);
            exchange_file_free(file);
            assert_int_equal(failing.live, 0);
            break;
        }
        failures++;
        assert_null(file);
        assert_string_equal(error.message, "out of memory");
        assert_in_range(error.line, 1, 69);
        assert_int_equal(error.column, 1);
        assert_int_equal(failing.asked, failing_at);
        assert_int_equal(failing.live, 0);
    }
    assert_in_range(failures, 8, 1000); /* the arena, the names and six growing arrays */
}

static void wrong_file_is_given_back_test(void **state) {
    (void)state;
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct exchange_file *file;
    struct exchange_error error;
    assert_int_equal(exchange_parse(full, sizeof full - 2, &allocator, &file, &error), -1);
    assert_true(failing.asked > 0);
    assert_int_equal(failing.live, 0);
}

/* Cut anywhere, it is a file or an error within it; and no byte behind the cut is touched. */
static void cut_test(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(sizeof full);
    for (size_t size = 0; size < sizeof full; size++) {
        const char *data = guarded_put(&guarded, full, size);
        unsigned lines = 1;
        size_t line_start = 0, longest = 0;
        for (size_t i = 0; i <= size; i++)
            if (i == size || data[i] == '\n') {
                longest = i - line_start > longest ? i - line_start : longest;
                line_start = i + 1;
                lines += i != size;
            }
        struct exchange_file *file;
        struct exchange_error error;
        if (exchange_parse(data, size, NULL, &file, &error) == 0) {
            assert_non_null(file);
            exchange_file_free(file);
            continue;
        }
        assert_null(file);
        assert_in_range(error.line, 1, lines);
        assert_in_range(error.column, 1, longest + 1);
        assert_int_not_equal(error.message[0], 0);
    }
    guarded_free(&guarded);
}

/* What was parsed does not lie in the file: the file may go first. */
static void file_may_go_first_test(void **state) {
    (void)state;
    char *copy = malloc(sizeof full);
    assert_non_null(copy);
    memcpy(copy, full, sizeof full);
    struct exchange_file *file = parsed(copy, sizeof full - 1);
    memset(copy, 'x', sizeof full);
    free(copy);
    const struct exchange *exchange = &file->exchanges[2];
    assert_bytes(&exchange->name, "pieces", 6);
    assert_bytes(&exchange->session, "shop", 4);
    assert_bytes(&exchange->steps[0].name, "a", 1);
    assert_bytes(&exchange->steps[12].pieces[1].bytes, "cart", 4);
    exchange_file_free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_test),
        cmocka_unit_test(wrong_file_is_given_back_test),
        cmocka_unit_test(cut_test),
        cmocka_unit_test(file_may_go_first_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
