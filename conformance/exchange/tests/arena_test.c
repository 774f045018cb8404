/* arena_test.c: what an arena hands out is aligned, apart from all else, and stays as it is; the end of a block is the edge. */
#include "support.h"

#include <stdalign.h>

#include "../arena.h"

enum { BLOCK = 16 << 10 };

/* With 0 to 64 bytes left in the first block. */
static void end_of_block_test(void **state) {
    (void)state;
    static char first[BLOCK];
    memset(first, 'a', sizeof first);
    for (size_t left = 0; left <= 64; left++) {
        struct arena arena;
        arena_init(&arena, NULL);
        char *text = arena_text(&arena, first, BLOCK - left - 1);
        char *taken = arena_take(&arena, 24);
        assert_non_null(text);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % alignof(max_align_t), 0);
        memset(taken, 'b', 24);
        assert_memory_equal(text, first, BLOCK - left - 1);
        assert_int_equal(text[BLOCK - left - 1], 0);
        arena_free(&arena);
    }
}

static void large_test(void **state) {
    (void)state;
    struct arena arena;
    char *large[3];
    arena_init(&arena, NULL);
    for (int i = 0; i < 3; i++) {
        large[i] = arena_take(&arena, 3 * BLOCK);
        assert_non_null(large[i]);
        memset(large[i], 'a' + i, 3 * BLOCK);
        assert_non_null(arena_text(&arena, "x", 1));
    }
    for (int i = 0; i < 3; i++)
        for (size_t at = 0; at < 3 * BLOCK; at++)
            assert_int_equal(large[i][at], 'a' + i);
    assert_null(arena_take(&arena, SIZE_MAX));
    arena_free(&arena);
}

static void growing_test(void **state) {
    (void)state;
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct growing growing = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t *added = growing_add(&growing, &allocator, 1, sizeof *added);
        assert_non_null(added);
        *added = i;
    }
    assert_null(growing_add(&growing, &allocator, SIZE_MAX / 8, sizeof(uint32_t)));
    assert_int_equal(growing.count, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(((uint32_t *)growing.items)[i], i);
    growing_free(&growing, &allocator);
    assert_int_equal(growing.count, 0);
    assert_int_equal(failing.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_of_block_test),
        cmocka_unit_test(large_test),
        cmocka_unit_test(growing_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
