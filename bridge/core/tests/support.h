/* support.h: what the core's unit tests share beside ci/unit.h. */
#ifndef BRIDGE_TEST_SUPPORT_H
#define BRIDGE_TEST_SUPPORT_H

#include "../../../ci/unit.h"

#include "../allocator.h"

/* Bytes and how many, of a string literal that may hold NULs. */
#define BYTES(literal) (literal), (sizeof(literal) - 1)

static inline struct allocator failing_allocator(struct failing *failing) {
    return (struct allocator){.resize = failing_resize, .context = failing};
}

#endif
