/* utf8_test.c: every octet and every pair, all that can be made of telling octets, in each cut; faults at their places. */
#include "support.h"

#include "../utf8.h"

/* One octet of each kind, and the neighbours of each border. */
static const unsigned char TELLING[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                        0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};

/* How many octets the character at the front takes, by its value; 0: it is none, or not whole. */
static size_t character(const unsigned char *octets, size_t size) {
    size_t more = octets[0] < 0x80 ? 0 : octets[0] >= 0xf0 ? 3 : octets[0] >= 0xe0 ? 2 : 1;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if ((octets[0] >= 0x80 && octets[0] < 0xc0) || octets[0] > 0xf7 || size < more + 1)
        return 0;
    uint32_t value = more == 0 ? octets[0] : octets[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((octets[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (octets[i] & 0x3f);
    }
    return value < least[more] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff) ? 0 : more + 1;
}

/* The place of the first character that is none; SIZE: all are. */
static size_t broken_at(const unsigned char *octets, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t taken = character(octets + at, size - at);
        if (taken == 0)
            return at;
        at += taken;
    }
    return at;
}

static void check(const unsigned char *octets, size_t size) {
    size_t broken = broken_at(octets, size);
    for (size_t cut = 0; cut <= size; cut++) {
        struct utf8 utf8 = {0};
        utf8_feed(&utf8, (const char *)octets, cut);
        utf8_feed(&utf8, (const char *)octets + cut, size - cut);
        assert_int_equal(utf8_end(&utf8), broken == size);
        if (broken != size)
            assert_int_equal(utf8.start, broken);
    }
}

static void test_all_of_telling_octets(void **state) {
    (void)state;
    unsigned char octets[4];
    size_t count = sizeof TELLING;
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < count; b++)
            for (size_t c = 0; c < count; c++)
                for (size_t d = 0; d < count; d++) {
                    octets[0] = TELLING[a], octets[1] = TELLING[b], octets[2] = TELLING[c], octets[3] = TELLING[d];
                    check(octets, 4);
                }
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        octets[0] = (unsigned char)(pair >> 8), octets[1] = (unsigned char)pair;
        check(octets, 1);
        check(octets, 2);
    }
}

static const struct {
    const char *text;
    size_t size, start;
    enum utf8_fault fault;
} faults[] = {
    {BYTES("0123456789abcdef\xff"), 16, UTF8_START_INVALID},
    {BYTES("a\xc3("), 1, UTF8_CONTINUATION_INVALID},
    {BYTES("ab\xed\xa0\x80"), 2, UTF8_CONTINUATION_INVALID},
    {BYTES("\xe0\x80\x80"), 0, UTF8_CONTINUATION_INVALID},
    {BYTES("\xc0\xaf"), 0, UTF8_START_INVALID},
    {BYTES("\xf4\x90\x80\x80"), 0, UTF8_CONTINUATION_INVALID},
    {BYTES("\xf5\x80\x80\x80"), 0, UTF8_START_INVALID},
    {BYTES("0123456789\xe2\x82"), 10, UTF8_INCOMPLETE},
};

static void test_faults_are_told_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct utf8 utf8;
        assert_false(utf8_valid(&utf8, faults[i].text, faults[i].size));
        assert_int_equal(utf8.fault, faults[i].fault);
        assert_int_equal(utf8.start, faults[i].start);
        assert_true(strlen(utf8_fault_text(utf8.fault)) > 10);
    }
    assert_string_equal(utf8_fault_text(UTF8_OK), "");
}

static void test_nothing_behind_the_end_is_read(void **state) {
    (void)state;
    struct guarded guarded = guarded_new(64);
    static const char TEXT[] = "0123456789abcdef\xe2\x82\xac";
    for (size_t size = 0; size <= sizeof TEXT - 1; size++) {
        struct utf8 utf8 = {0};
        utf8_feed(&utf8, guarded_put(&guarded, TEXT, size), size);
        assert_int_equal(utf8_end(&utf8), size < 17 || size == 19);
    }
    guarded_free(&guarded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_telling_octets),
        cmocka_unit_test(test_faults_are_told_apart),
        cmocka_unit_test(test_nothing_behind_the_end_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
