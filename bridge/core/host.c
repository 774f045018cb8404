/* host.c: see host.h. */
#include "host.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum {
    DIGIT = 1,
    HEX = 2,
    NAME = 4 /* unreserved and sub-delims, so all of reg-name but its percent-encoded octets */
};

#define D (DIGIT | HEX | NAME)
#define H (HEX | NAME)
#define N NAME

static const uint8_t CLASSES[256] = {
    [0x21] = N, 0, 0, N, 0, N, N, N, N, N, N, N, N, N, 0,    /* ! to / */
    [0x30] = D, D, D, D, D, D, D, D, D, D, 0, N, 0, N, 0, 0, /* 0 to ? */
    [0x40] = 0, H, H, H, H, H, H, N, N, N, N, N, N, N, N, N, /* @ to O */
    [0x50] = N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, N, /* P to _ */
    [0x60] = 0, H, H, H, H, H, H, N, N, N, N, N, N, N, N, N, /* ` to o */
    [0x70] = N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, N,    /* p to ~ */
};

static bool is(char octet, unsigned kinds) { return (CLASSES[(unsigned char)octet] & kinds) != 0; }

static const char *skip_name(const char *at, const char *end) {
    while (at < end) {
        if (is(*at, NAME))
            at++;
        else if (*at == '%' && end - at > 2 && is(at[1], HEX) && is(at[2], HEX))
            at += 3;
        else
            break;
    }
    return at;
}

static bool is_ipv6(const char *at, const char *end) {
    char text[INET6_ADDRSTRLEN];
    size_t size = (size_t)(end - at);
    struct in6_addr address;
    if (size >= sizeof text || memchr(at, '\0', size))
        return false;
    memcpy(text, at, size);
    text[size] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_future(const char *at, const char *end) {
    if (at == end || (*at != 'v' && *at != 'V'))
        return false;
    const char *version = ++at;
    while (at < end && is(*at, HEX))
        at++;
    if (at == version || end - at < 2 || *at != '.')
        return false;
    for (at++; at < end && (is(*at, NAME) || *at == ':');)
        at++;
    return at == end;
}

bool host_valid(const char *bytes, size_t size) {
    const char *at = bytes, *end = bytes + size;
    if (size != 0 && *at == '[') {
        const char *close = memchr(at, ']', size);
        if (!close || !(is_ipv6(at + 1, close) || is_future(at + 1, close)))
            return false;
        at = close + 1;
    } else {
        at = skip_name(at, end);
    }
    if (at < end && *at == ':')
        for (at++; at < end && is(*at, DIGIT);)
            at++;
    return at == end;
}
