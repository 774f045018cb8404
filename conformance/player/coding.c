/* coding.c: see coding.h. A decoder reads one escape at a time, and gives how long it is and what stands for it. */
#include "coding.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CODE_MAX 0x10ffffu
#define HTML_DIGITS_MAX 7 /* of a number in HTML: no code has more */

static int digit_of(char octet) {
    if (octet >= '0' && octet <= '9')
        return octet - '0';
    octet |= 0x20;
    return octet >= 'a' && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* COUNT hexadecimal digits, or -1. */
static int32_t hexadecimal(const char *data, const char *end, int count) {
    int32_t value = 0;
    if (end - data < count)
        return -1;
    for (int i = 0; i < count; i++) {
        int digit = digit_of(data[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_surrogate(uint32_t code) { return code >= 0xd800 && code < 0xe000; }

/* As UTF-8; returns how many bytes. */
static size_t put_code(uint32_t code, char *room) {
    if (code < 0x80) {
        room[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--, code >>= 6)
        room[i] = (char)(0x80 | (code & 0x3f));
    room[0] = (char)(first[more] | code);
    return more + 1;
}

/* Each of these reads the escape at DATA: returns its size, 0 if it is none, and what it stands for in VALUE, SIZE bytes. */

static size_t percent(const char *data, const char *end, char value[4], size_t *size) {
    int32_t octet = *data == '%' ? hexadecimal(data + 1, end, 2) : -1;
    value[0] = (char)octet;
    *size = 1;
    return octet < 0 ? 0 : 3;
}

static size_t json(const char *data, const char *end, char value[4], size_t *size) {
    static const char plain[] = "\"\\/", letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    if (*data != '\\' || end - data < 2)
        return 0;
    const char *letter = memchr(letters, data[1], sizeof letters - 1);
    value[0] = letter ? meant[letter - letters] : data[1];
    *size = 1;
    if (letter || memchr(plain, data[1], sizeof plain - 1))
        return 2;
    int32_t code = data[1] == 'u' ? hexadecimal(data + 2, end, 4) : -1;
    if (code < 0)
        return 0;
    size_t whole = 6;
    if (code >= 0xd800 && code < 0xdc00 && end - data >= 12 && data[6] == '\\' && data[7] == 'u') {
        int32_t low = hexadecimal(data + 8, end, 4);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            whole = 12;
        }
    }
    if (is_surrogate((uint32_t)code))
        return 0;
    *size = put_code((uint32_t)code, value);
    return whole;
}

static const struct {
    const char *escape;
    char octet;
} HTML_NAMED[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}};

static size_t html(const char *data, const char *end, char value[4], size_t *size) {
    size_t left = (size_t)(end - data);
    if (*data != '&')
        return 0;
    *size = 1;
    for (size_t i = 0; i < sizeof HTML_NAMED / sizeof *HTML_NAMED; i++) {
        size_t length = strlen(HTML_NAMED[i].escape);
        if (length <= left && memcmp(data, HTML_NAMED[i].escape, length) == 0) {
            value[0] = HTML_NAMED[i].octet;
            return length;
        }
    }
    if (left < 4 || data[1] != '#')
        return 0;
    bool hex = (data[2] | 0x20) == 'x';
    const char *first = data + 2 + hex, *at = first;
    uint32_t code = 0;
    for (; at < end && at - first < HTML_DIGITS_MAX; at++) {
        int digit = digit_of(*at);
        if (digit < 0 || (!hex && digit > 9))
            break;
        code = code * (hex ? 16 : 10) + (uint32_t)digit;
    }
    if (at == first || at == end || *at != ';' || code > CODE_MAX || is_surrogate(code))
        return 0;
    *size = put_code(code, value);
    return (size_t)(at - data) + 1;
}

size_t coding_decode(enum exchange_coding coding, char *data, size_t size) {
    static size_t (*const readers[])(const char *, const char *, char[4], size_t *) = {
        [EXCHANGE_CODING_PERCENT] = percent, [EXCHANGE_CODING_JSON] = json, [EXCHANGE_CODING_HTML] = html};
    if (coding == EXCHANGE_CODING_NONE)
        return size;
    const char *at = data, *end = data + size;
    char *out = data;
    while (at < end) {
        char value[4];
        size_t length, escape = readers[coding](at, end, value, &length);
        if (escape == 0) {
            *out++ = *at++;
            continue;
        }
        memcpy(out, value, length); /* never more than the escape */
        out += length;
        at += escape;
    }
    return (size_t)(out - data);
}

/* One octet; returns how many it became, or 0: it stays as it is. */
static size_t escape(enum exchange_coding coding, char octet, char *room) {
    bool control = (unsigned char)octet < 0x20, letter = (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z');
    switch (coding) {
    case EXCHANGE_CODING_PERCENT:
        if (letter || (octet >= '0' && octet <= '9') || (octet && strchr("-._~", octet)))
            return 0;
        return (size_t)snprintf(room, CODING_GROWTH + 1, "%%%02X", (unsigned char)octet);
    case EXCHANGE_CODING_JSON:
        if (control)
            return (size_t)snprintf(room, CODING_GROWTH + 1, "\\u%04x", (unsigned char)octet);
        return octet == '"' || octet == '\\' ? (size_t)snprintf(room, CODING_GROWTH + 1, "\\%c", octet) : 0;
    case EXCHANGE_CODING_HTML:
        for (size_t i = sizeof HTML_NAMED / sizeof *HTML_NAMED; i-- > 0;)
            if (HTML_NAMED[i].octet == octet)
                return (size_t)snprintf(room, CODING_GROWTH + 1, "%s", HTML_NAMED[i].escape);
        return 0;
    default:
        return 0;
    }
}

size_t coding_encode(enum exchange_coding coding, const char *data, size_t size, char *room) {
    char *out = room;
    for (size_t i = 0; i < size; i++) {
        char escaped[CODING_GROWTH + 1];
        size_t length = escape(coding, data[i], escaped);
        memcpy(out, length ? escaped : data + i, length ? length : 1);
        out += length ? length : 1;
    }
    return (size_t)(out - room);
}
