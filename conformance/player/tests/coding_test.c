/* coding_test.c: what each coding makes of texts, and that one which is encoded and decoded is the same. */
#include "../../exchange/tests/support.h"

#include "../coding.h"

static void expect_decoded(enum exchange_coding coding, const char *text, const char *expected, size_t expected_size) {
    struct guarded guarded = guarded_new(strlen(text) + 1);
    char *data = guarded_put(&guarded, text, strlen(text));
    size_t size = coding_decode(coding, data, strlen(text));
    assert_int_equal(size, expected_size);
    assert_memory_equal(data, expected, size);
    guarded_free(&guarded);
}

static void test_decoded(void **state) {
    (void)state;
    static const struct {
        enum exchange_coding coding;
        const char *text, *value;
    } cases[] = {
        {EXCHANGE_CODING_NONE, "%41\\u0041&amp;", "%41\\u0041&amp;"},
        {EXCHANGE_CODING_PERCENT, "a%2Bb%2fc+%3D%c3%a4", "a+b/c+=\xc3\xa4"},
        {EXCHANGE_CODING_PERCENT, "%%41%4g%4%", "%A%4g%4%"},
        {EXCHANGE_CODING_JSON, "\\u002B\\/\\\"\\\\\\b\\f\\n\\r\\t", "+/\"\\\b\f\n\r\t"},
        {EXCHANGE_CODING_JSON, "\\u00e4\\u20ac\\ud83d\\ude00", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {EXCHANGE_CODING_JSON, "\\q\\u12\\u12g4\\", "\\q\\u12\\u12g4\\"},
        {EXCHANGE_CODING_JSON, "\\ud83d\\ude0", "\\ud83d\\ude0"},
        {EXCHANGE_CODING_JSON, "\\ud83d\\u0041\\ude00", "\\ud83dA\\ude00"},
        {EXCHANGE_CODING_JSON, "\\u0041\\ud83d", "A\\ud83d"},
        {EXCHANGE_CODING_HTML, "&amp;&lt;&gt;&quot;&apos;&#39;&#x27;&#X2b;&#0043;&amp;lt;", "&<>\"'''++&lt;"},
        {EXCHANGE_CODING_HTML, "&#228;&#x20AC;&#x1f600;&#1114111;", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"},
        {EXCHANGE_CODING_HTML, "&;&#;&#x;&#43&#x110000;&#xd800;", "&;&#;&#x;&#43&#x110000;&#xd800;"},
        {EXCHANGE_CODING_HTML, "&#4a;&#00000043;&plus;&am", "&#4a;&#00000043;&plus;&am"},
        {EXCHANGE_CODING_HTML, "&#4", "&#4"},
        {EXCHANGE_CODING_HTML, "&#43", "&#43"},
        {EXCHANGE_CODING_HTML, "&#x", "&#x"},
        {EXCHANGE_CODING_HTML, "&#x2b", "&#x2b"},
        {EXCHANGE_CODING_HTML, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_decoded(cases[i].coding, cases[i].text, cases[i].value, strlen(cases[i].value));
    expect_decoded(EXCHANGE_CODING_JSON, "\\u0000", "", 1);
    expect_decoded(EXCHANGE_CODING_PERCENT, "%00", "", 1);
}

static void test_encoded(void **state) {
    (void)state;
    static const struct {
        enum exchange_coding coding;
        const char *value, *text;
    } cases[] = {
        {EXCHANGE_CODING_NONE, "a+\"<", "a+\"<"},
        {EXCHANGE_CODING_PERCENT, "aZ09-._~+/= \xc3\xa4", "aZ09-._~%2B%2F%3D%20%C3%A4"},
        {EXCHANGE_CODING_JSON, "a/\"\\\n\x1f\xc3\xa4", "a/\\\"\\\\\\u000a\\u001f\xc3\xa4"},
        {EXCHANGE_CODING_HTML, "a+<>&\"'", "a+&lt;&gt;&amp;&quot;&#39;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[CODING_GROWTH * 32];
        size_t size = coding_encode(cases[i].coding, cases[i].value, strlen(cases[i].value), room);
        assert_int_equal(size, strlen(cases[i].text));
        assert_memory_equal(room, cases[i].text, size);
    }
}

/* Each octet by itself fits its room, and comes back. */
static void test_there_and_back(void **state) {
    (void)state;
    for (enum exchange_coding coding = EXCHANGE_CODING_NONE; coding <= EXCHANGE_CODING_HTML; coding++)
        for (int octet = 0; octet < 256; octet++) {
            struct guarded guarded = guarded_new(CODING_GROWTH);
            char given = (char)octet, *room = guarded.room + guarded.size - CODING_GROWTH;
            size_t size = coding_encode(coding, &given, 1, room);
            assert_in_range(size, 1, CODING_GROWTH);
            assert_int_equal(coding_decode(coding, room, size), 1);
            assert_int_equal(*room, given);
            guarded_free(&guarded);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoded),
        cmocka_unit_test(test_encoded),
        cmocka_unit_test(test_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
