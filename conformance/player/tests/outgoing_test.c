/* outgoing_test.c: what a send hands out is the same in portions of every size. */
#include "../../exchange/tests/support.h"

#include "../outgoing.h"

static struct exchange_piece literal(const char *text, uint64_t count) {
    return (struct exchange_piece){.kind = EXCHANGE_PIECE_BYTES, .bytes = {.data = (char *)text, .size = strlen(text)}, .count = count};
}

static struct exchange_piece value(const char *name) {
    return (struct exchange_piece){.kind = EXCHANGE_PIECE_VALUE, .bytes = {.data = (char *)name, .size = strlen(name)}, .count = 1};
}

static struct exchange_piece length(const char *text) {
    return (struct exchange_piece){.kind = EXCHANGE_PIECE_LENGTH, .bytes = {.data = (char *)text, .size = strlen(text)}, .count = 1};
}

/* All that one piece hands out. */
static const char *sent(const struct exchange_piece *piece, const struct saved *saved, char room[64]) {
    struct outgoing outgoing;
    outgoing_start(&outgoing, piece, 1, saved);
    room[outgoing_take(&outgoing, room, 63)] = '\0';
    return room;
}

static void test_a_length_is_that_of_the_values_as_they_are_then(void **state) {
    (void)state;
    struct saved saved = {0};
    char room[64];
    const struct exchange_bytes id = {"id", 2};
    const struct exchange_piece decimal = length("7+id+id+missing"), hexadecimal = length("0xd+id");
    assert_int_equal(saved_put(&saved, &id, "9", 1), 0);
    assert_string_equal(sent(&decimal, &saved, room), "9");
    assert_string_equal(sent(&hexadecimal, &saved, room), "e");
    assert_int_equal(saved_put(&saved, &id, "100", 3), 0);
    assert_string_equal(sent(&decimal, &saved, room), "13");
    assert_string_equal(sent(&hexadecimal, &saved, room), "10");
    assert_string_equal(sent(&decimal, NULL, room), "7");
    saved_clear(&saved);
}

static void test_every_portion_size_makes_the_same_bytes(void **state) {
    (void)state;
    static const char expected[] = "GET xxxxxxx token-abcabcabc.15";
    struct saved saved = {0};
    assert_int_equal(saved_put(&saved, &(struct exchange_bytes){"name", 4}, "token", 5), 0);
    struct exchange_piece pieces[] = {literal("GET ", 1), literal("x", 7), literal("", 5),    literal(" ", 1), value("name"),
                                      value("missing"),   literal("-", 1), literal("abc", 3), literal(".", 1), length("10+name")};
    struct guarded guarded = guarded_new(64);
    for (size_t portion = 1; portion <= sizeof expected; portion++) {
        struct outgoing outgoing;
        char whole[64];
        size_t size = 0, taken;
        outgoing_start(&outgoing, pieces, sizeof pieces / sizeof *pieces, &saved);
        char *room = guarded.room + guarded.size - portion;
        while ((taken = outgoing_take(&outgoing, room, portion))) {
            assert_true(taken <= portion && size + taken < sizeof whole);
            memcpy(whole + size, room, taken);
            size += taken;
        }
        assert_int_equal(size, sizeof expected - 1);
        assert_memory_equal(whole, expected, size);
        assert_int_equal(outgoing_take(&outgoing, room, portion), 0);
    }
    guarded_free(&guarded);
    saved_clear(&saved);
}

static void test_a_gibibyte_needs_no_room(void **state) {
    (void)state;
    struct exchange_piece pieces[] = {literal("ab", 1u << 29)};
    struct outgoing outgoing;
    char room[65537];
    uint64_t total = 0;
    size_t taken;
    outgoing_start(&outgoing, pieces, 1, NULL);
    while ((taken = outgoing_take(&outgoing, room, sizeof room))) {
        assert_int_equal(room[0], total % 2 ? 'b' : 'a');
        assert_int_equal(room[taken - 1], (total + taken) % 2 ? 'a' : 'b');
        total += taken;
    }
    assert_int_equal(total, 1u << 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_portion_size_makes_the_same_bytes),
        cmocka_unit_test(test_a_length_is_that_of_the_values_as_they_are_then),
        cmocka_unit_test(test_a_gibibyte_needs_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
