/* names_test.c: the table of names tells what is nearly the same, however full it is. */
#include "support.h"

#include "../names.h"

enum { GROUPS = 50 };

/* Every beginning of one long name, in many groups; the line says which. */
static unsigned line_of(size_t size, uint64_t group) { return (unsigned)(size * GROUPS + group); }

static void near_names_test(void **state) {
    (void)state;
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct names names = {0};
    char letters[EXCHANGE_NAME_MAX];
    memset(letters, 'n', sizeof letters);
    for (size_t size = sizeof letters; size >= 1; size--)
        for (uint64_t group = 0; group < GROUPS; group++) {
            const struct reader_word name = {letters, size};
            unsigned first = 1;
            assert_int_equal(names_find(&names, group, &name), 0);
            assert_int_equal(names_enter(&names, &allocator, group, &name, line_of(size, group), &first), 0);
            assert_int_equal(first, 0);
        }
    for (size_t size = 1; size <= sizeof letters; size++)
        for (uint64_t group = 0; group < GROUPS; group++) {
            const struct reader_word name = {letters, size};
            unsigned first = 0;
            assert_int_equal(names_find(&names, group, &name), line_of(size, group));
            assert_int_equal(names_enter(&names, &allocator, group, &name, 1, &first), 0);
            assert_int_equal(first, line_of(size, group));
        }
    names_free(&names, &allocator);
    assert_int_equal(failing.live, 0);
}

/* Out of memory while it grows, it still has what it had. */
static void allocation_test(void **state) {
    (void)state;
    struct failing failing = {.failing = 2, .once = true};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct names names = {0};
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    unsigned first, entered = 0;
    while (names_enter(&names, &allocator, 0, &(struct reader_word){letters + entered, 1}, entered + 1, &first) == 0)
        entered++;
    assert_in_range(entered, 8, 50);
    assert_int_equal(names_find(&names, 0, &(struct reader_word){letters + entered, 1}), 0);
    for (unsigned i = 0; i < entered; i++)
        assert_int_equal(names_find(&names, 0, &(struct reader_word){letters + i, 1}), i + 1);
    names_free(&names, &allocator);
    assert_int_equal(failing.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(near_names_test), cmocka_unit_test(allocation_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
