/* support.h: what the tests of the exchange file share: an allocator that fails when told, bytes against a guard page, a parse that must
 * succeed. */
#ifndef BRIDGECHECK_EXCHANGE_TEST_SUPPORT_H
#define BRIDGECHECK_EXCHANGE_TEST_SUPPORT_H

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS; so this comes before all other headers */

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

#include "../exchange.h"

#define HEAD "bridgecheck-exchange 1\n"

/* Fails its allocation number `failing`, counted from 1 (0: none), and counts what is not given back. */
struct failing {
    size_t failing, asked, live;
};

static inline void *failing_resize(void *context, void *pointer, size_t size) {
    struct failing *failing = context;
    if (size == 0) {
        failing->live--;
        free(pointer);
        return NULL;
    }
    if (++failing->asked == failing->failing)
        return NULL;
    failing->live += pointer == NULL;
    return realloc(pointer, size);
}

static inline struct exchange_allocator failing_allocator(struct failing *failing) {
    return (struct exchange_allocator){.resize = failing_resize, .context = failing};
}

/* Room whose end is followed by a page that may not be touched. */
struct guarded {
    char *room;
    size_t size, whole;
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

static inline void guarded_free(const struct guarded *guarded) { munmap(guarded->room, guarded->whole); }

static inline struct exchange_file *parsed(const char *data, size_t size) {
    struct exchange_file *file;
    struct exchange_error error;
    if (exchange_parse(data, size, NULL, &file, &error) != 0)
        fail_msg("%u:%u: %s", error.line, error.column, error.message);
    return file;
}

static inline void assert_bytes(const struct exchange_bytes *bytes, const char *data, size_t size) {
    assert_int_equal(bytes->size, size);
    assert_memory_equal(bytes->data, data, size);
    assert_int_equal(bytes->data[size], 0);
}

#endif
