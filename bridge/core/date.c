/* date.c: see date.h. */
#include "date.h"

#include <stdint.h>
#include <string.h>

#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31 23:59:59 */
#define DAY 86400

static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";

static void put_digits(char *at, unsigned digits, unsigned number) {
    while (digits-- > 0) {
        at[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

const char *date_text(struct date *date, time_t now) {
    if (date->size != 0 && date->second == now)
        return date->text;
    date->second = now;
    uint64_t seconds = now < 0 ? 0 : now > SECONDS_MAX ? SECONDS_MAX : (uint64_t)now;
    unsigned days = (unsigned)(seconds / DAY), second = (unsigned)(seconds % DAY);
    /* Counted from March, a year has its leap day at its end, and any five months in a row from March or August have 153 days. An era is
     * 400 years, after which all days are the same again. */
    unsigned since = days + 719468; /* days since 0000-03-01 */
    unsigned era = since / 146097, of_era = since % 146097;
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * of_year + 2) / 153; /* 0 is March */
    unsigned day = of_year - (153 * month + 2) / 5 + 1;
    unsigned year = era * 400 + year_of_era + (month >= 10);

    static const char pattern[] = "Thu, 00 Jan 0000 00:00:00 GMT";
    memcpy(date->text, pattern, sizeof pattern);
    memcpy(date->text, weekdays + 3 * (days % 7), 3);
    put_digits(date->text + 5, 2, day);
    memcpy(date->text + 8, months + 3 * month, 3);
    put_digits(date->text + 12, 4, year);
    put_digits(date->text + 17, 2, second / 3600);
    put_digits(date->text + 20, 2, second / 60 % 60);
    put_digits(date->text + 23, 2, second % 60);
    date->size = sizeof pattern - 1;
    return date->text;
}
