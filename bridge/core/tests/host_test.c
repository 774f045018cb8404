/* host_test.c: the grammar of a Host field's value, case by case and against a guard page. */
#include "support.h"

#include "../host.h"

static const char *const VALID[] = {
    "",
    "a",
    "example.com",
    "example.com:8000",
    "example.com:",
    ":80",
    ":",
    "127.0.0.1:80",
    "256.1.1.1", /* no address, but a name */
    "my_service.local:1",
    "a-b.~c!$&'()*+,;=",
    "%41%2fb%aF",
    "[::]",
    "[::1]:80",
    "[::1]:",
    "[2001:DB8::aF]",
    "[1:2:3:4:5:6:7:8]",
    "[1:2:3:4:5:6:7::]",
    "[::ffff:127.0.0.1]",
    "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]",
    "[v1.a]",
    "[VF0.a:b-$]:1",
    "a:99999999999999999999",
};

static const char *const REFUSED[] = {
    "a b",
    " a",
    "a ",
    "a/b",
    "a?b",
    "a#b",
    "u@h",
    "a,b c",
    "a:b",
    "a:80:80",
    "a:-1",
    "a\tb",
    "a\x7f",
    "caf\xc3\xa9",
    "\"a\"",
    "<a>",
    "a\\b",
    "a^b",
    "{a}",
    "%",
    "%4",
    "%4g",
    "%g4",
    "a%zz",
    "[",
    "[]",
    "[]:80",
    "[::1",
    "::1",
    "[::1]a",
    "[::1]]",
    "[[::1]]",
    "[::1%eth0]",
    "[::1%25eth0]",
    "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1::2::3]",
    "[12345::]",
    "[::g]",
    "[127.0.0.1]",
    "[::ffff:256.0.0.1]",
    "[::ffff:1.2.3]",
    "[v.a]",
    "[v1.]",
    "[v1a]",
    "[vg.a]",
    "[v1.a/b]",
    "[v1.a[]",
    "[v1",
    "[v",
    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]",
    "a]",
};

static void test_values(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(64);
    for (size_t i = 0; i < sizeof VALID / sizeof *VALID; i++)
        if (!host_valid(guarded_put(&guarded, VALID[i], strlen(VALID[i])), strlen(VALID[i])))
            fail_msg("refused: %s", VALID[i]);
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (host_valid(guarded_put(&guarded, REFUSED[i], strlen(REFUSED[i])), strlen(REFUSED[i])))
            fail_msg("valid: %s", REFUSED[i]);
    assert_false(host_valid(guarded_put(&guarded, BYTES("[::1\0]")), 6));
    assert_false(host_valid(guarded_put(&guarded, BYTES("a\0")), 2));
    guarded_free(&guarded);
}

/* Each octet alone: those of a name's own, and the colon. */
static void test_octets(void **state) {
    (void)state;
    for (unsigned octet = 1; octet < 256; octet++) {
        const char byte = (char)octet;
        bool expected = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:", byte) != NULL;
        if (host_valid(&byte, 1) != expected)
            fail_msg("octet %02x: %d", octet, !expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_octets),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
