/* date_test.c: the date's text against strftime(), for every day that it can say. */
#include "support.h"

#include <time.h>

#include "../date.h"

#define LAST 253402300799 /* 9999-12-31 23:59:59 */

static void expect(struct date *date, time_t now, time_t told) {
    struct tm tm;
    char expected[64];
    assert_non_null(gmtime_r(&told, &tm));
    assert_int_equal(strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm), 29);
    assert_string_equal(date_text(date, now), expected);
    assert_int_equal(date->size, 29);
}

static void test_every_day(void **state) {
    (void)state;
    struct date date = {0};
    for (time_t now = 0; now <= LAST; now += 86399) /* another time of day on each */
        expect(&date, now, now);
}

static void test_the_edges_of_days_and_years(void **state) {
    (void)state;
    struct date date = {0};
    for (int year = 1970; year <= 9999; year++) {
        struct tm january = {.tm_year = year - 1900, .tm_mday = 1}, march = {.tm_year = year - 1900, .tm_mon = 2, .tm_mday = 1};
        time_t edges[] = {timegm(&january), timegm(&march)};
        for (int i = 0; i < 2; i++) {
            expect(&date, edges[i] > 0 ? edges[i] - 1 : 0, edges[i] > 0 ? edges[i] - 1 : 0);
            expect(&date, edges[i], edges[i]);
        }
    }
    expect(&date, LAST, LAST);
}

static void test_a_time_beyond_is_the_nearest(void **state) {
    (void)state;
    struct date date = {0};
    expect(&date, -1, 0);
    expect(&date, INT64_MIN, 0);
    expect(&date, LAST + 1, LAST);
    expect(&date, INT64_MAX, LAST);
}

static void test_it_is_made_once_a_second(void **state) {
    (void)state;
    struct date date = {0};
    const char *text = date_text(&date, 0); /* the second of a date that was never made */
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    date.text[0] = '!';
    assert_ptr_equal(date_text(&date, 0), text);
    assert_int_equal(text[0], '!');
    assert_string_equal(date_text(&date, 1), "Thu, 01 Jan 1970 00:00:01 GMT");
    assert_string_equal(date_text(&date, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_the_edges_of_days_and_years),
        cmocka_unit_test(test_a_time_beyond_is_the_nearest),
        cmocka_unit_test(test_it_is_made_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
