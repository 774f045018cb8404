/* target.c: see target.h. */
#include "target.h"

#include <stdint.h>
#include <string.h>

#define PORT_MAX 65535u

/* Which octets may stand where, as http-parser has it (stricter than RFC 3986 in a host, laxer in a path). */
enum {
    ALPHA = 1,
    DIGIT = 2,
    URL = 4,      /* path, query, fragment; "?" and "#" apart */
    USER = 8,     /* user information */
    HOST = 16,    /* a host that is no IP literal */
    LITERAL = 32, /* an IP literal up to its zone */
    ZONE = 64
};

#define D (DIGIT | URL | USER | HOST | LITERAL | ZONE)
#define H (ALPHA | URL | USER | HOST | LITERAL | ZONE)
#define A (ALPHA | URL | USER | HOST | ZONE)
#define M (URL | USER)
#define C (M | LITERAL)               /* : */
#define Z (M | ZONE)                  /* % _ ~ */
#define Y (M | HOST | ZONE)           /* - */
#define P (M | HOST | LITERAL | ZONE) /* . */
#define U URL

static const uint8_t CLASSES[256] = {
    [0x21] = M, U, 0, M, Z, M, M, M, M, M, M, M, Y, P, U,    /* ! to / */
    [0x30] = D, D, D, D, D, D, D, D, D, D, C, M, U, M, U, 0, /* 0 to ? */
    [0x40] = U, H, H, H, H, H, H, A, A, A, A, A, A, A, A, A, /* @ to O */
    [0x50] = A, A, A, A, A, A, A, A, A, A, A, U, U, U, U, Z, /* P to _ */
    [0x60] = U, H, H, H, H, H, H, A, A, A, A, A, A, A, A, A, /* ` to o */
    [0x70] = A, A, A, A, A, A, A, A, A, A, A, U, U, U, Z,    /* p to ~ */
};

/* The first octet from AT on that is of none of the kinds, or END. */
static const char *skip(const char *at, const char *end, unsigned kinds) {
    while (at < end && (CLASSES[(unsigned char)*at] & kinds) != 0)
        at++;
    return at;
}

/* The end of an IP literal that begins with the bracket at AT; NULL: it is none. */
static const char *skip_literal(const char *at, const char *end) {
    const char *next = skip(at + 1, end, LITERAL);
    if (next == at + 1 || next == end)
        return NULL;
    if (*next == '%') {
        const char *zone = next + 1;
        next = skip(zone, end, ZONE);
        if (next == zone || next == end)
            return NULL;
    }
    return *next == ']' ? next + 1 : NULL;
}

static bool is_port(const char *at, const char *end) {
    unsigned port = 0;
    if (at == end || skip(at, end, DIGIT) != end)
        return false;
    for (; at < end && port <= PORT_MAX; at++)
        port = port * 10 + (unsigned)(*at - '0');
    return port <= PORT_MAX;
}

static bool is_authority(const char *at, const char *end) {
    const char *sign = memchr(at, '@', (size_t)(end - at));
    if (sign && skip(at, sign, USER) != sign)
        return false;
    const char *host = sign ? sign + 1 : at;
    if (host == end)
        return false;
    const char *next = *host == '[' ? skip_literal(host, end) : skip(host, end, HOST);
    if (!next || next == host)
        return false;
    return next == end || (*next == ':' && is_port(next + 1, end));
}

/* The end of scheme and authority of an absolute target; NULL: it is none. */
static const char *skip_authority(const char *at, const char *end) {
    const char *next = skip(at, end, ALPHA);
    if (next == at || end - next < 3 || memcmp(next, "://", 3) != 0)
        return NULL;
    const char *authority = next + 3;
    for (next = authority; next < end && *next != '/' && *next != '?';)
        next++;
    return is_authority(authority, next) ? next : NULL;
}

bool target_parse(const char *bytes, size_t size, struct target *found) {
    if (size == 0 || size > TARGET_SIZE_MAX)
        return false;
    const char *end = bytes + size, *path = bytes;
    if (*path != '/' && *path != '*') {
        path = skip_authority(bytes, end);
        if (!path)
            return false;
    }
    const char *next = skip(path, end, URL);
    *found = (struct target){.path = path, .path_size = (size_t)(next - path)};
    if (next == path)
        *found = (struct target){.path = "/", .path_size = 1};
    if (next < end && *next == '?') {
        const char *query = ++next;
        while (next < end && (*next == '?' || CLASSES[(unsigned char)*next] & URL))
            next++;
        found->query_size = (size_t)(next - query);
        found->query = next != query ? query : NULL;
    }
    /* What stands behind is a fragment or no target. An authority ends at "/" or "?", so a fragment has one of them before it. */
    if (next < end && *next == '#')
        while (next < end && (*next == '?' || *next == '#' || CLASSES[(unsigned char)*next] & URL))
            next++;
    return next == end;
}
