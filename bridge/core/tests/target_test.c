/* target_test.c: places in the caller's bytes, and that no byte behind them is read. What is accepted is tested against http-parser itself,
 * in bridge/tests/test_target.py. */
#include "support.h"

#include "../target.h"

static const struct {
    const char *target, *path, *query; /* path NULL: refused; query NULL: none */
} CASES[] = {
    {"/", "/", NULL},
    {"*", "*", NULL},
    {"/a/b?c=d&e", "/a/b", "c=d&e"},
    {"/?", "/", NULL},
    {"/?#a", "/", NULL},
    {"/??", "/", "?"},
    {"/a#b?c", "/a", NULL},
    {"/a?b#c?d#", "/a", "b"},
    {"//a", "//a", NULL},
    {"http://h", "/", NULL},
    {"http://h?a", "/", "a"},
    {"http://h/", "/", NULL},
    {"http://h/a?b", "/a", "b"},
    {"x://u:p@[::1%25a]:65535/a?b#c", "/a", "b"},
    {"h:", NULL, NULL},
    {"h:/", NULL, NULL},
    {"h://", NULL, NULL},
    {"h://@", NULL, NULL},
    {"h://u@", NULL, NULL},
    {"h://a:", NULL, NULL},
    {"h://a:65536", NULL, NULL},
    {"h://[", NULL, NULL},
    {"h://[1", NULL, NULL},
    {"h://[1%", NULL, NULL},
    {"h://[1%a", NULL, NULL},
    {"h", NULL, NULL},
    {"a:80", NULL, NULL},
    {"a b", NULL, NULL},
    {"?", NULL, NULL},
    {"/\x7f", NULL, NULL},
    {"/a?\xc3\xa9", NULL, NULL},
    {"/#\t", NULL, NULL},
};

static void test_places(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(64);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t size = strlen(CASES[i].target);
        const char *bytes = guarded_put(&guarded, CASES[i].target, size);
        struct target found;
        bool accepted = target_parse(bytes, size, &found);
        if (accepted != (CASES[i].path != NULL))
            fail_msg("%s: %d", CASES[i].target, accepted);
        if (!accepted)
            continue;
        assert_int_equal(found.path_size, strlen(CASES[i].path));
        assert_memory_equal(found.path, CASES[i].path, found.path_size);
        assert_int_equal(found.query_size, CASES[i].query ? strlen(CASES[i].query) : 0);
        assert_true(!found.query == !CASES[i].query);
        if (found.query) {
            assert_memory_equal(found.query, CASES[i].query, found.query_size);
            assert_true(found.query >= bytes && found.query + found.query_size <= bytes + size);
        }
    }
    guarded_free(&guarded);
}

/* What is cut off of a target is never read: each beginning of each case. */
static void test_beginnings(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(64);
    struct target found;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t size = 0; size < strlen(CASES[i].target); size++)
            if (target_parse(guarded_put(&guarded, CASES[i].target, size), size, &found))
                assert_true(size > 0 && found.path_size > 0);
    guarded_free(&guarded);
}

static void test_longest(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(TARGET_SIZE_MAX + 1);
    struct target found;
    for (size_t size = TARGET_SIZE_MAX; size <= TARGET_SIZE_MAX + 1; size++) {
        char *bytes = guarded.room + guarded.size - size;
        memset(bytes, '/', size);
        assert_int_equal(target_parse(bytes, size, &found), size == TARGET_SIZE_MAX);
    }
    assert_int_equal(found.path_size, TARGET_SIZE_MAX);
    guarded_free(&guarded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
