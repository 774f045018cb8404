/* websocket_test.c: messages from frames in every cut, what breaks the protocol, limits, compression both ways, each allocation failing. */
#include "support.h"

#include "../websocket.h"

enum { MAX = 1 << 20 };

static const struct compression_terms PLAIN = {0};
static const struct compression_terms DEFLATED = {.agreed = true, .client_bits = 12, .server_bits = 12};

/* --- a client's frames -------------------------------------------------------------------------------------------------------------- */

struct frames {
    struct buffer bytes;
    struct allocator allocator;
};

static void add(struct frames *frames, unsigned first, const void *payload, size_t size) {
    unsigned char head[14] = {(unsigned char)first};
    size_t at = 2;
    head[1] = (unsigned char)(0x80 | (size < 126 ? size : size < 65536 ? 126 : 127));
    for (size_t i = size < 126 ? 0 : size < 65536 ? 2 : 8; i-- > 0;)
        head[at++] = (unsigned char)(size >> (8 * i));
    memcpy(head + at, "\x37\xfa\x21\x3d", 4);
    assert_int_equal(buffer_append(&frames->bytes, &frames->allocator, head, at + 4), 0);
    for (size_t i = 0; i < size; i++) {
        char octet = (char)(((const unsigned char *)payload)[i] ^ head[at + i % 4]);
        assert_int_equal(buffer_append(&frames->bytes, &frames->allocator, &octet, 1), 0);
    }
}

static struct frames frames_new(void) { return (struct frames){.allocator = allocator_default()}; }
static void frames_free(struct frames *frames) { buffer_free(&frames->bytes, &frames->allocator); }

/* --- what is found ------------------------------------------------------------------------------------------------------------------- */

/* Read as it comes; what was found, in words. NO_MEMORY ends it. */
static enum websocket_event read_piece(struct websocket *websocket, struct told *told, const char *data, size_t size) {
    while (size > 0) {
        size_t taken;
        enum websocket_event event = websocket_read(websocket, data, size, &taken);
        assert_true(taken <= size && (taken > 0 || event != WEBSOCKET_NOTHING));
        data += taken;
        size -= taken;
        switch (event) {
        case WEBSOCKET_NOTHING:
            assert_int_equal(size, 0);
            continue;
        case WEBSOCKET_MESSAGE:
            tell(told, "%s%s ", websocket->text ? "text" : "binary", websocket->valid ? "" : " broken");
            break;
        case WEBSOCKET_PINGED:
            tell(told, "ping ");
            break;
        case WEBSOCKET_PONGED:
            tell(told, "pong ");
            break;
        case WEBSOCKET_CLOSED:
        case WEBSOCKET_BROKEN:
            tell(told, "%s %u %.*s\n", event == WEBSOCKET_CLOSED ? "close" : "broken", websocket->code, (int)websocket->reason_size,
                 websocket->reason);
            continue;
        case WEBSOCKET_NO_MEMORY:
            return event;
        }
        if (websocket->payload_size > 60)
            tell(told, "%zu\n", websocket->payload_size);
        else {
            tell_bytes(told, websocket->payload, websocket->payload_size);
            tell(told, "\n");
        }
    }
    return WEBSOCKET_NOTHING;
}

/* Whole, in every cut, and octet by octet, each piece before a guard page: the same. */
static void expect(const struct frames *frames, const struct compression_terms *terms, uint64_t max, const char *expected) {
    struct allocator allocator = allocator_default();
    const char *bytes = buffer_bytes(&frames->bytes);
    size_t size = frames->bytes.size, step = size > 3000 ? 997 : 1;
    struct guarded guarded = guarded_new(size);
    for (size_t cut = 0; cut <= size; cut += step) {
        struct websocket websocket;
        struct told told = {0};
        websocket_init(&websocket, &allocator, terms, max);
        read_piece(&websocket, &told, guarded_put(&guarded, bytes, cut), cut);
        read_piece(&websocket, &told, guarded_put(&guarded, bytes + cut, size - cut), size - cut);
        assert_string_equal(told.text, expected);
        websocket_free(&websocket);
    }
    struct websocket websocket;
    struct told told = {0};
    websocket_init(&websocket, &allocator, terms, max);
    for (size_t at = 0; at < size; at++)
        read_piece(&websocket, &told, guarded_put(&guarded, bytes + at, 1), 1);
    assert_string_equal(told.text, expected);
    websocket_free(&websocket);
    guarded_free(&guarded);
}

static void test_messages(void **state) {
    (void)state;
    struct frames frames = frames_new();
    add(&frames, 0x81, BYTES("hello"));
    add(&frames, 0x82, BYTES("\x00\xff"));
    add(&frames, 0x81, BYTES(""));
    add(&frames, 0x01, BYTES("he"));
    add(&frames, 0x89, BYTES("ping"));
    add(&frames, 0x00, BYTES("\xe2"));
    add(&frames, 0x8a, BYTES(""));
    add(&frames, 0x80, BYTES("\x82\xac"));
    add(&frames, 0x81, BYTES("\xff"));
    add(&frames, 0x88,
        BYTES("\x03\xe8"
              "bye"));
    add(&frames, 0x81, BYTES("late"));
    expect(&frames, &PLAIN, MAX,
           "text hello\nbinary \\x00\\xff\ntext \nping ping\npong \ntext he\\xe2\\x82\\xac\ntext broken \\xff\nclose 1000 bye\n");
    frames_free(&frames);
}

static void test_lengths(void **state) {
    (void)state;
    static char data[70000];
    static const size_t sizes[] = {125, 126, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct frames frames = frames_new();
        char expected[40];
        add(&frames, 0x82, data, sizes[i]);
        snprintf(expected, sizeof expected, "binary %zu\n", sizes[i]);
        expect(&frames, &PLAIN, MAX, expected);
        frames_free(&frames);
    }
}

static const struct {
    const char *bytes;
    size_t size;
    const char *expected;
} broken[] = {
    {BYTES("\x81\x01"), "broken 1002 incorrect masking\n"},
    {BYTES("\x83\x80"), "broken 1002 invalid opcode\n"},
    {BYTES("\x8f\x00"), "broken 1002 invalid opcode\n"},
    {BYTES("\xc1\x80"), "broken 1002 reserved bits must be 0\n"},
    {BYTES("\x99\x80"), "broken 1002 reserved bits must be 0\n"},
    {BYTES("\x09\x80"), "broken 1002 fragmented control frame\n"},
    {BYTES("\x89\xfe\x00\x7e"), "broken 1002 control frame too long\n"},
    {BYTES("\x80\x80"), "broken 1002 unexpected continuation frame\n"},
    {BYTES("\x01\x80\0\0\0\0\x81\x80"), "broken 1002 expected a continuation frame\n"},
    {BYTES("\x82\xff\0\0\0\0\0\x10\x00\x01"), "broken 1009 frame with 1048577 bytes exceeds limit of 1048576 bytes\n"},
    {BYTES("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     "broken 1009 frame with 18446744073709551615 bytes exceeds limit of 1048576 bytes\n"},
    {BYTES("\x02\x81\0\0\0\0a\x80\xff\0\0\0\0\0\x10\0\0"),
     "broken 1009 frame with 1048576 bytes after reading 1 bytes exceeds limit of 1048576 bytes\n"},
    {BYTES("\x88\x81\0\0\0\0\x03"), "broken 1002 close frame too short\n"},
    {BYTES("\x88\x82\0\0\0\0\x03\xed"), "broken 1002 invalid status code\n"},
    {BYTES("\x88\x84\0\0\0\0\x03\xe8"
           "a\xff"),
     "broken 1007 invalid start byte at position 1\n"},
    {BYTES("\x88\x84\0\0\0\0\x00\x00"
           "\xc3("),
     "broken 1007 invalid continuation byte at position 0\n"},
    {BYTES("\x01\x80\0\0\0\0\x88\x80\0\0\0\0"), "broken 1002 incomplete fragmented message\n"},
    {BYTES("\x88\x80\0\0\0\0"), "close 1005 \n"},
    {BYTES("\x88\x82\0\0\0\0\x0f\xa0"), "close 4000 \n"},
};

static void test_broken(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct frames frames = frames_new();
        assert_int_equal(buffer_append(&frames.bytes, &frames.allocator, broken[i].bytes, broken[i].size), 0);
        expect(&frames, &PLAIN, MAX, broken[i].expected);
        add(&frames, 0x81, BYTES("dropped"));
        expect(&frames, &PLAIN, MAX, broken[i].expected);
        frames_free(&frames);
    }
}

static void test_close_codes(void **state) {
    (void)state;
    static const unsigned valid[] = {1000, 1003, 1007, 1014, 3000, 4999}, invalid[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70000};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        assert_true(close_code_valid(valid[i]));
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        assert_false(close_code_valid(invalid[i]));
}

/* --- compression --------------------------------------------------------------------------------------------------------------------- */

/* What a message is compressed to. */
static struct buffer deflated(struct compression *compression, const char *data, size_t size) {
    struct buffer out = {0};
    assert_int_equal(compression_deflate(compression, data, size, &out), COMPRESSION_OK);
    return out;
}

static void test_compressed_messages(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    static char large[200000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * i >> 7);
    for (int restarts = 0; restarts < 2; restarts++) {
        struct compression_terms terms = {
            .agreed = true, .client_bits = 12, .server_bits = 12, .client_restarts = restarts, .server_restarts = restarts};
        struct frames frames = frames_new();
        struct compression client;
        compression_init(&client, &allocator, &terms);
        struct buffer one = deflated(&client, BYTES("hello hello hello \xe2\x82\xac"));
        add(&frames, 0xc1, buffer_bytes(&one), one.size);
        struct buffer two = deflated(&client, BYTES("hello hello hello \xe2\x82\xac"));
        assert_int_equal(two.size < one.size, !restarts);
        add(&frames, 0x41, buffer_bytes(&two), 3);
        add(&frames, 0x89, BYTES("p"));
        add(&frames, 0x00, BYTES(""));
        add(&frames, 0x80, buffer_bytes(&two) + 3, two.size - 3);
        struct buffer empty = deflated(&client, "", 0);
        assert_int_equal(empty.size, 1);
        add(&frames, 0xc2, buffer_bytes(&empty), empty.size);
        add(&frames, 0x81, BYTES("plain"));
        struct buffer much = deflated(&client, large, sizeof large);
        add(&frames, 0xc2, buffer_bytes(&much), much.size);
        add(&frames, 0xc1, BYTES("\xff\xff"));
        expect(&frames, &terms, MAX,
               "text hello hello hello \\xe2\\x82\\xac\nping p\ntext hello hello hello \\xe2\\x82\\xac\nbinary \ntext plain\n"
               "binary 200000\nbroken 1002 decompression failed\n");
        struct allocator freeing = allocator_default();
        buffer_free(&one, &freeing);
        buffer_free(&two, &freeing);
        buffer_free(&empty, &freeing);
        buffer_free(&much, &freeing);
        compression_free(&client);
        frames_free(&frames);
    }
}

static void test_a_message_is_bounded_by_what_it_inflates_to(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    static char zeros[5000];
    for (size_t more = 0; more < 2; more++) {
        struct compression client;
        struct frames frames = frames_new();
        compression_init(&client, &allocator, &DEFLATED);
        struct buffer bomb = deflated(&client, zeros, 4000 + more);
        add(&frames, 0xc2, buffer_bytes(&bomb), bomb.size);
        expect(&frames, &DEFLATED, 4000, more ? "broken 1009 frame exceeds limit of 4000 bytes\n" : "binary 4000\n");
        buffer_free(&bomb, &allocator);
        buffer_free(&frames.bytes, &allocator);
        bomb = deflated(&client, zeros, 3000);
        add(&frames, 0x02, zeros, 1000 + more);
        add(&frames, 0x80, zeros, 3000);
        expect(&frames, &DEFLATED, 4000,
               more ? "broken 1009 frame with 3000 bytes after reading 1001 bytes exceeds limit of 4000 bytes\n" : "binary 4000\n");
        buffer_free(&bomb, &allocator);
        compression_free(&client);
        frames_free(&frames);
    }
}

static void test_rsv1_where_it_means_nothing(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *expected;
    } wrong[] = {
        {BYTES("\x41\x80\0\0\0\0\xc0\x80"), "broken 1002 RSV1 bit set in continuation frame\n"},
        {BYTES("\x01\x80\0\0\0\0\xc0\x80"), "broken 1002 reserved bits must be 0\n"},
        {BYTES("\xc9\x80"), "broken 1002 reserved bits must be 0\n"},
        {BYTES("\xe1\x80"), "broken 1002 reserved bits must be 0\n"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct frames frames = frames_new();
        assert_int_equal(buffer_append(&frames.bytes, &frames.allocator, wrong[i].bytes, wrong[i].size), 0);
        expect(&frames, &DEFLATED, MAX, wrong[i].expected);
        frames_free(&frames);
    }
}

static void test_a_last_block_is_not_the_last(void **state) {
    (void)state;
    struct frames frames = frames_new();
    static const char HELLO[] = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"; /* RFC 7692 section 7.2.3.4 */
    add(&frames, 0xc1, HELLO, 8);
    add(&frames, 0xc1, HELLO, 8);
    add(&frames, 0xc1, BYTES("\xf2\x00\x11\x00\x00")); /* section 7.2.3.2: it looks back on the one before */
    expect(&frames, &DEFLATED, MAX, "text Hello\ntext Hello\ntext Hello\n");
    frames_free(&frames);
}

/* --- frames out ---------------------------------------------------------------------------------------------------------------------- */

static void test_frames_out(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    static char data[70000];
    static const struct {
        size_t size;
        const char *head;
        size_t head_size;
    } heads[] = {
        {0, BYTES("\x82\x00")},
        {125, BYTES("\x82\x7d")},
        {126, BYTES("\x82\x7e\x00\x7e")},
        {65535, BYTES("\x82\x7e\xff\xff")},
        {65536, BYTES("\x82\x7f\0\0\0\0\0\x01\0\0")},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct websocket websocket;
        struct buffer out = {0};
        websocket_init(&websocket, &allocator, &PLAIN, MAX);
        assert_int_equal(websocket_send(&websocket, &out, false, data, heads[i].size), 0);
        assert_int_equal(out.size, heads[i].head_size + heads[i].size);
        assert_memory_equal(buffer_bytes(&out), heads[i].head, heads[i].head_size);
        buffer_free(&out, &allocator);
        websocket_free(&websocket);
    }
    struct buffer out = {0};
    char payload[CONTROL_SIZE_MAX];
    assert_int_equal(websocket_send_control(&out, &allocator, WEBSOCKET_CLOSE, payload, close_payload(payload, 1001, "ab", 2)), 0);
    assert_int_equal(out.size, 6);
    assert_memory_equal(buffer_bytes(&out),
                        "\x88\x04\x03\xe9"
                        "ab",
                        6);
    buffer_free(&out, &allocator);
}

/* What is sent comes back as it was: whatever its size is, the flush at its end comes once. */
static void test_what_is_deflated_inflates(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    static char data[300000];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)((random = random * 1103515245u + 12345u) >> 24 & (i / 50000 % 2 ? 3 : 255));
    struct compression both;
    compression_init(&both, &allocator, &DEFLATED);
    for (size_t size = 0; size < sizeof data; size += 1 + size / 3) {
        struct buffer there = deflated(&both, data, size), back = {0};
        assert_int_equal(compression_inflate(&both, buffer_bytes(&there), there.size, true, true, sizeof data, &back), COMPRESSION_OK);
        assert_int_equal(back.size, size);
        assert_memory_equal(buffer_bytes(&back), data, size);
        assert_false(there.size >= 5 && memcmp(buffer_bytes(&there) + there.size - 5, "\0\0\0\xff\xff", 5) == 0);
        buffer_free(&there, &allocator);
        buffer_free(&back, &allocator);
    }
    compression_free(&both);
}

/* --- no memory ----------------------------------------------------------------------------------------------------------------------- */

static void test_each_allocation_fails(void **state) {
    (void)state;
    struct allocator plain = allocator_default();
    struct frames frames = frames_new();
    struct compression client;
    static char data[20000];
    compression_init(&client, &plain, &DEFLATED);
    struct buffer payload = deflated(&client, data, sizeof data);
    add(&frames, 0xc2, buffer_bytes(&payload), payload.size);
    add(&frames, 0x81, BYTES("plain"));
    bool failed = true;
    size_t number = 0;
    while (failed) {
        struct failing failing = {.failing = ++number};
        struct allocator allocator = failing_allocator(&failing);
        struct websocket websocket;
        struct told told = {0};
        struct buffer out = {0};
        websocket_init(&websocket, &allocator, &DEFLATED, MAX);
        failed = read_piece(&websocket, &told, buffer_bytes(&frames.bytes), frames.bytes.size) == WEBSOCKET_NO_MEMORY;
        if (!failed) {
            failed = websocket_send(&websocket, &out, true, data, sizeof data) != 0;
            if (failed)
                assert_int_equal(out.size, 0);
        }
        if (!failed)
            failed = websocket_send_control(&out, &allocator, WEBSOCKET_PING, "ping", 4) != 0;
        websocket_free(&websocket);
        buffer_free(&out, &allocator);
        assert_int_equal(failing.live, 0);
    }
    assert_true(number > 8);
    buffer_free(&payload, &plain);
    compression_free(&client);
    frames_free(&frames);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_compressed_messages),
        cmocka_unit_test(test_a_message_is_bounded_by_what_it_inflates_to),
        cmocka_unit_test(test_rsv1_where_it_means_nothing),
        cmocka_unit_test(test_a_last_block_is_not_the_last),
        cmocka_unit_test(test_frames_out),
        cmocka_unit_test(test_what_is_deflated_inflates),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
