/* date.h: the value of the date field, made anew only when the second has changed.
 *
 * Owns the text. Knows no clock: its user says what time it is.
 */
#ifndef BRIDGE_DATE_H
#define BRIDGE_DATE_H

#include <stddef.h>
#include <time.h>

/* All zero before the first call. */
struct date {
    time_t second;
    char text[32];
    size_t size;
};

/* NOW as an IMF-fixdate (RFC 9110 section 5.6.7), "Wed, 25 Nov 2026 10:00:00 GMT": date->text, NUL-terminated, of date->size bytes. A time
 * before 1970 or after 9999 is told as the nearest in between. */
const char *date_text(struct date *date, time_t now);

#endif
