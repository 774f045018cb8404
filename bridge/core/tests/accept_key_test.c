/* accept_key_test.c: the RFC's sample and others; what is no base64, and why. */
#include "support.h"

#include "../accept_key.h"

static void test_accepts(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455 section 1.3 */
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="},
        {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char accept[ACCEPT_KEY_SIZE + 1];
        accept_key(pairs[i][0], accept);
        assert_string_equal(accept, pairs[i][1]);
    }
}

static const struct {
    const char *key, *fault;
    size_t count;
} keys[] = {
    {"", NULL, 0},
    {"abcd", NULL, 3},
    {"abcd==", NULL, 3},
    {"ab==", NULL, 1},
    {"abc=", NULL, 2},
    {"dGhlIHNhbXBsZSBub25jZQ==", NULL, 16},
    {"=", "Leading padding not allowed", 0},
    {"ab", "Incorrect padding", 0},
    {"abc", "Incorrect padding", 0},
    {"ab=", "Incorrect padding", 0},
    {"ab===", "Excess data after padding", 1},
    {"ab==c", "Excess data after padding", 1},
    {"ab=c", "Discontinuous padding not allowed", 0},
    {"a=b", "Discontinuous padding not allowed", 0},
    {"ab c", "Only base64 data is allowed", 0},
    {"a\xe9", "Only base64 data is allowed", 0},
    {"abcde", "Invalid base64-encoded string: number of data characters (%zu) cannot be 1 more than a multiple of 4", 5},
};

static void test_faults(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t count;
        const char *fault = base64_fault(keys[i].key, strlen(keys[i].key), &count);
        assert_true((fault == NULL) == (keys[i].fault == NULL));
        if (fault)
            assert_string_equal(fault, keys[i].fault);
        assert_int_equal(count, keys[i].count);
    }
    size_t count;
    assert_non_null(base64_fault("ab\0d", 4, &count));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepts), cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
