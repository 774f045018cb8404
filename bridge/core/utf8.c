/* utf8.c: see utf8.h. */
#include "utf8.h"

#include <string.h>

/* What may follow a first octet: how many octets, and between which bounds the first of them lies. */
static bool begin(struct utf8 *utf8, unsigned char first) {
    utf8->least = 0x80;
    utf8->most = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) {
        utf8->left = 1;
    } else if (first >= 0xe0 && first <= 0xef) {
        utf8->left = 2;
        if (first == 0xe0)
            utf8->least = 0xa0;
        else if (first == 0xed)
            utf8->most = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        utf8->left = 3;
        if (first == 0xf0)
            utf8->least = 0x90;
        else if (first == 0xf4)
            utf8->most = 0x8f;
    } else {
        return false;
    }
    return true;
}

bool utf8_feed(struct utf8 *utf8, const char *bytes, size_t size) {
    const unsigned char *octets = (const unsigned char *)bytes;
    for (size_t i = 0; i < size && utf8->fault == UTF8_OK;) {
        if (utf8->left > 0) {
            if (octets[i] < utf8->least || octets[i] > utf8->most) {
                utf8->fault = UTF8_CONTINUATION_INVALID;
                break;
            }
            utf8->left--;
            utf8->least = 0x80;
            utf8->most = 0xbf;
            i++;
            continue;
        }
        uint64_t eight;
        while (size - i >= sizeof eight) { /* most text is ASCII */
            memcpy(&eight, octets + i, sizeof eight);
            if (eight & 0x8080808080808080u)
                break;
            i += sizeof eight;
        }
        while (i < size && octets[i] < 0x80)
            i++;
        if (i == size)
            break;
        utf8->start = utf8->size + i;
        if (!begin(utf8, octets[i]))
            utf8->fault = UTF8_START_INVALID;
        i++;
    }
    utf8->size += size;
    return utf8->fault == UTF8_OK;
}

bool utf8_end(struct utf8 *utf8) {
    if (utf8->fault == UTF8_OK && utf8->left > 0)
        utf8->fault = UTF8_INCOMPLETE;
    return utf8->fault == UTF8_OK;
}

const char *utf8_fault_text(enum utf8_fault fault) {
    switch (fault) {
    case UTF8_START_INVALID:
        return "invalid start byte";
    case UTF8_CONTINUATION_INVALID:
        return "invalid continuation byte";
    case UTF8_INCOMPLETE:
        return "unexpected end of data";
    case UTF8_OK:
        break;
    }
    return "";
}
