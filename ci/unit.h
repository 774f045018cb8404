/* unit.h: what the C unit tests of all rooms share: bytes against a guard page, memory that runs out when told, a text to compare by.
 *
 * Knows nothing of any room. To be included before all other headers.
 */
#ifndef CI_UNIT_H
#define CI_UNIT_H

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, mkdtemp */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Room whose end is followed by a page that may not be touched. */
struct guarded {
    char *room;
    size_t size;
    size_t whole;
};

static inline struct guarded guarded_new(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (size / page + 2) * page;
    char *room = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(room != MAP_FAILED);
    assert_int_equal(mprotect(room + whole - page, page, PROT_NONE), 0);
    return (struct guarded){.room = room, .size = whole - page, .whole = whole};
}

/* A copy of the bytes that ends where the guard begins. */
static inline char *guarded_put(const struct guarded *guarded, const char *data, size_t size) {
    assert_true(size <= guarded->size);
    return memcpy(guarded->room + guarded->size - size, data, size);
}

static inline void guarded_free(struct guarded *guarded) { munmap(guarded->room, guarded->whole); }

/* Fails its allocation number `failing`, counted from 1 (0: none), and all after it, or that one `once`. */
struct failing {
    size_t failing, asked;
    size_t live; /* blocks not given back */
    bool once;
};

static inline void *failing_resize(void *context, void *pointer, size_t size) {
    struct failing *failing = context;
    if (size == 0) {
        failing->live--;
        free(pointer);
        return NULL;
    }
    failing->asked++;
    if (failing->failing != 0 && (failing->once ? failing->asked == failing->failing : failing->asked >= failing->failing))
        return NULL;
    if (!pointer)
        failing->live++;
    return realloc(pointer, size);
}

/* A text to compare by. */
struct told {
    char text[1 << 15];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static inline void tell(struct told *told, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(told->text + told->size, sizeof told->text - told->size, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < sizeof told->text - told->size);
    told->size += (size_t)size;
}

/* The bytes, with what cannot be read as \xHH. */
static inline void tell_bytes(struct told *told, const char *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte == '\r')
            tell(told, "\\r");
        else if (byte == '\n')
            tell(told, "\\n");
        else if (byte < ' ' || byte > '~')
            tell(told, "\\x%02x", byte);
        else
            tell(told, "%c", byte);
    }
}

#endif
