/* support.h: what the unit tests of conformance/ share beside ci/unit.h: memory that runs out when told, a parse that must succeed. */
#ifndef BRIDGECHECK_EXCHANGE_TEST_SUPPORT_H
#define BRIDGECHECK_EXCHANGE_TEST_SUPPORT_H

#include "../../../ci/unit.h"

#include "../exchange.h"

#define HEAD "bridgecheck-exchange 1\n"

static inline struct exchange_allocator failing_allocator(struct failing *failing) {
    return (struct exchange_allocator){.resize = failing_resize, .context = failing};
}

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
