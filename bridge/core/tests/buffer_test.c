/* buffer_test.c: bytes come out as they went in, whatever the steps; room is used again; memory that runs out changes nothing. */
#include "support.h"

#include "../buffer.h"

/* One block at a time, which ends where a page begins that may not be touched. */
static void *guarded_resize(void *context, void *pointer, size_t size) {
    struct guarded *guarded = context, old = *guarded;
    size_t kept = pointer ? (size_t)(old.room + old.size - (char *)pointer) : 0;
    char *room = NULL;
    if (size != 0) {
        *guarded = guarded_new(size);
        room = guarded->room + guarded->size - size;
    }
    if (room && pointer)
        memcpy(room, pointer, kept < size ? kept : size);
    if (pointer)
        guarded_free(&old);
    return room;
}

/* Octet number INDEX of what goes through. */
static char octet(size_t index) { return (char)(index * 7 + index / 251); }

static void add(struct buffer *buffer, const struct allocator *allocator, size_t *added, size_t size) {
    char *room = buffer_room(buffer, allocator, size);
    assert_non_null(room);
    for (size_t i = 0; i < size; i++)
        room[i] = octet(*added + i);
    buffer_added(buffer, size);
    *added += size;
}

static void expect(const struct buffer *buffer, size_t taken, size_t added) {
    assert_int_equal(buffer->size, added - taken);
    for (size_t i = 0; i < buffer->size; i++)
        assert_int_equal(buffer_bytes(buffer)[i], octet(taken + i));
}

static void test_bytes_come_out_as_they_went_in(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    for (size_t portion = 1; portion < 1000; portion += 37) {
        struct buffer buffer = {0};
        size_t added = 0, taken = 0;
        for (size_t step = 0; step < 200; step++) {
            add(&buffer, &allocator, &added, step * step % portion);
            size_t take = step * portion / 3 % (buffer.size + 1);
            buffer_take(&buffer, take);
            taken += take;
            expect(&buffer, taken, added);
        }
        buffer_take(&buffer, buffer.size);
        expect(&buffer, added, added);
        assert_int_equal(buffer.start, 0);
        buffer_free(&buffer, &allocator);
    }
    assert_int_equal(failing.live, 0);
}

static void test_append_copies(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    struct buffer buffer = {0};
    assert_string_equal(buffer_bytes(&buffer), "");
    assert_int_equal(buffer_append(&buffer, &allocator, NULL, 0), 0);
    assert_null(buffer.memory);
    assert_int_equal(buffer_append(&buffer, &allocator, "one, ", 5), 0);
    assert_int_equal(buffer_append(&buffer, &allocator, "", 0), 0);
    assert_int_equal(buffer_append(&buffer, &allocator, "two", 4), 0);
    assert_string_equal(buffer_bytes(&buffer), "one, two");
    assert_int_equal(buffer.size, 9);
    buffer_free(&buffer, &allocator);
    buffer_free(&buffer, &allocator);
    assert_string_equal(buffer_bytes(&buffer), "");
}

static void test_no_room_at_all_is_room(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    struct buffer buffer = {0};
    assert_non_null(buffer_room(&buffer, &allocator, 0));
    assert_int_equal(buffer.size, 0);
    buffer_free(&buffer, &allocator);
}

static void test_room_is_all_there(void **state) {
    (void)state;
    struct guarded guarded;
    struct allocator allocator = {.resize = guarded_resize, .context = &guarded};
    struct buffer buffer = {0};
    size_t added = 0, taken = 0;
    for (size_t step = 0; step < 60; step++) {
        add(&buffer, &allocator, &added, step * 113 % 4096);
        buffer_take(&buffer, buffer.size / 2);
        taken = added - buffer.size;
        expect(&buffer, taken, added);
        memset(buffer.memory, octet(taken), buffer.start); /* what was taken is nobody's */
        memset(buffer.memory + buffer.start + buffer.size, 0, buffer.capacity - buffer.start - buffer.size);
        expect(&buffer, taken, added);
    }
    buffer_free(&buffer, &allocator);
}

/* A full buffer of 1024 bytes of which TAKEN were taken. */
static struct buffer full(const struct allocator *allocator, size_t *added, size_t taken) {
    struct buffer buffer = {0};
    *added = 0;
    add(&buffer, allocator, added, 1024);
    assert_int_equal(buffer.capacity, 1024);
    buffer_take(&buffer, taken);
    return buffer;
}

static void test_taken_room_is_used_again(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    size_t added;
    struct buffer buffer = full(&allocator, &added, 512);
    add(&buffer, &allocator, &added, 512);
    assert_int_equal(failing.asked, 1);
    expect(&buffer, 512, added);
    buffer_take(&buffer, 1024);
    add(&buffer, &allocator, &added, 1024);
    assert_int_equal(failing.asked, 1);
    expect(&buffer, 1536, added);
    buffer_free(&buffer, &allocator);
}

static void test_little_room_is_not_won_by_moving_much(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    size_t added;
    struct buffer buffer = full(&allocator, &added, 511);
    add(&buffer, &allocator, &added, 1);
    assert_int_equal(buffer.capacity, 2048);
    assert_int_equal(failing.asked, 2);
    expect(&buffer, 511, added);
    buffer_free(&buffer, &allocator);
}

static void test_it_at_least_doubles(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    struct buffer buffer = {0};
    size_t added = 0;
    while (added < 1 << 16)
        add(&buffer, &allocator, &added, 1);
    assert_int_equal(buffer.capacity, 1 << 16);
    assert_int_equal(failing.asked, 9); /* 256, 512 … */
    add(&buffer, &allocator, &added, 1 << 20);
    assert_int_equal(buffer.capacity, (1 << 16) + (1 << 20));
    expect(&buffer, 0, added);
    buffer_free(&buffer, &allocator);
    assert_int_equal(failing.live, 0);
}

static void test_out_of_memory_changes_no_byte(void **state) {
    (void)state;
    struct failing failing = {.failing = 1};
    struct allocator allocator = failing_allocator(&failing);
    struct buffer buffer = {0};
    assert_null(buffer_room(&buffer, &allocator, 1));
    assert_int_equal(buffer_append(&buffer, &allocator, "x", 1), -1);
    assert_null(buffer.memory);
    buffer_free(&buffer, &allocator);

    failing = (struct failing){.failing = 2};
    size_t added;
    buffer = full(&allocator, &added, 100);
    assert_null(buffer_room(&buffer, &allocator, 2000));
    expect(&buffer, 100, added);
    static const char large[2000];
    assert_int_equal(buffer_append(&buffer, &allocator, large, sizeof large), -1);
    expect(&buffer, 100, added);
    add(&buffer, &allocator, &added, 100); /* what was taken is there at least */
    expect(&buffer, 100, added);
    buffer_free(&buffer, &allocator);
    assert_int_equal(failing.live, 0);
}

static void test_more_than_there_can_be_is_not_asked_for(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    size_t added;
    struct buffer buffer = full(&allocator, &added, 1);
    assert_null(buffer_room(&buffer, &allocator, SIZE_MAX));
    assert_null(buffer_room(&buffer, &allocator, SIZE_MAX - 1022));
    assert_int_equal(failing.asked, 1);
    expect(&buffer, 1, added);
    buffer_free(&buffer, &allocator);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_out_as_they_went_in),
        cmocka_unit_test(test_append_copies),
        cmocka_unit_test(test_no_room_at_all_is_room),
        cmocka_unit_test(test_room_is_all_there),
        cmocka_unit_test(test_taken_room_is_used_again),
        cmocka_unit_test(test_little_room_is_not_won_by_moving_much),
        cmocka_unit_test(test_it_at_least_doubles),
        cmocka_unit_test(test_out_of_memory_changes_no_byte),
        cmocka_unit_test(test_more_than_there_can_be_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
