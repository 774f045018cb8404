/* websocket_test.c: frames of a server, read whole, byte by byte, in every split and with each allocation failing; then the bounds. */
#include "../../exchange/tests/support.h"

#include "../../../spec/observer/recorder/trace.h"
#include "../websocket.h"

#define BYTES(text) text, sizeof(text) - 1

static void tell_websocket(struct told *told, const struct websocket_reader *reader) {
    for (size_t i = 0; i < reader->count; i++) {
        const struct websocket_message *message = &reader->messages[i];
        tell(told, "%u ", message->opcode);
        tell_bytes(told, message->content, message->content_kept);
        tell(told, "%s%s", message->compressed ? " deflated" : "", message->complete ? "" : " incomplete");
        if (message->frames != 1)
            tell(told, " in %d", (int)message->frames);
        tell(told, "\n");
        assert_int_equal(message->content_kept, message->content_size);
        assert_true(message->content_hash ==
                    trace_hash(trace_hash_start(), (const unsigned char *)message->content, message->content_size));
    }
    for (unsigned fault = 0; fault < WEBSOCKET_FAULTS; fault++)
        if (reader->faults[fault] > 0)
            tell(told, "! %s %d\n", websocket_fault_name(fault), (int)reader->faults[fault]);
    tell(told, "%d frames, %d messages%s%s%s%s\n", (int)reader->frames, (int)reader->complete, reader->closing ? ", closing" : "",
         reader->marked ? ", marked" : "", reader->error[0] ? ", " : "", reader->error);
}

enum agreed { PLAIN, DEFLATE, NO_TAKEOVER };

static const struct transcript {
    const char *name;
    enum agreed agreed;
    const char *bytes;
    size_t size;
    const char *expected;
} TRANSCRIPTS[] = {
    {"nothing", PLAIN, BYTES(""), "0 frames, 0 messages\n"},
    {"hello", PLAIN, BYTES("\x81\x05Hello"), "1 Hello\n1 frames, 1 messages\n"},
    {"empty messages", PLAIN, BYTES("\x81\0\x82\0"), "1 \n2 \n2 frames, 2 messages\n"},
    {"fragments with a ping between", PLAIN, BYTES("\x01\x03Hel\x89\x01p\x00\x00\x80\x02lo"), "1 Hello in 3\n9 p\n4 frames, 1 messages\n"},
    {"pong and marked pong", PLAIN,
     BYTES("\x8a\x05t0ken\x8a\x06t0kens\x8a\x00\x01\x01"
           "a\x8a\x05t0ken\x80\x01"
           "b"),
     "10 t0kens\n10 \n1 ab in 2\n4 frames, 1 messages, marked\n"},
    {"close", PLAIN,
     BYTES("\x88\x05\x03\xe8"
           "bye"),
     "8 \\x03\\xe8bye\n1 frames, 0 messages, closing\n"},
    {"after close", PLAIN,
     BYTES("\x88\x00\x81\x01"
           "a\x88\x00"),
     "8 \n1 a\n8 \n! after-close 2\n3 frames, 1 messages, closing\n"},
    {"masked", PLAIN, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "1 Hello\n! masked 1\n1 frames, 1 messages\n"},
    {"reserved bits", PLAIN,
     BYTES("\xc1\x01"
           "a\xa1\x01"
           "b\x99\x00"),
     "1 a\n1 b\n9 \n! reserved-bits 3\n3 frames, 2 messages\n"},
    {"reserved opcodes", PLAIN,
     BYTES("\x83\x01"
           "a\x8b\x01"
           "b\x8f\x00"),
     "3 a\n11 b\n15 \n! reserved-opcode 3\n3 frames, 0 messages\n"},
    {"length in 16 bits", PLAIN, BYTES("\x81\x7e\x00\x02hi"), "1 hi\n! length 1\n1 frames, 1 messages\n"},
    {"length in 64 bits", PLAIN, BYTES("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi"), "1 hi\n! length 1\n1 frames, 1 messages\n"},
    {"length beyond 63 bits", PLAIN, BYTES("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x02hi"),
     "! length 1\n0 frames, 0 messages, LENGTH_TOO_LARGE\n"},
    {"control frames in pieces", PLAIN,
     BYTES("\x09\x01"
           "a\x80\x01"
           "b"),
     "9 a\n0 b\n! control-fragmented 1\n! continuation-alone 1\n2 frames, 0 messages\n"},
    {"interrupted", PLAIN,
     BYTES("\x01\x01"
           "a\x81\x01"
           "b\x80\x01"
           "c"),
     "1 a incomplete\n1 b\n0 c\n! continuation-alone 1\n! interrupted 1\n3 frames, 1 messages\n"},
    {"cut in a header", PLAIN, BYTES("\x81\x00\x81"), "1 \n! cut 1\n1 frames, 1 messages\n"},
    {"cut in an extended length", PLAIN, BYTES("\x81\x7e\x01"), "! cut 1\n0 frames, 0 messages\n"},
    {"cut in a payload", PLAIN, BYTES("\x81\x02h"), "1 h incomplete\n! cut 1\n0 frames, 0 messages\n"},
    /* RFC 7692 section 7.2.3 */
    {"deflated", DEFLATE, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), "1 Hello deflated\n1 frames, 1 messages\n"},
    {"deflated in fragments", DEFLATE, BYTES("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"),
     "1 Hello deflated in 2\n2 frames, 1 messages\n"},
    {"window taken over", DEFLATE, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"),
     "1 Hello deflated\n1 Hello deflated\n2 frames, 2 messages\n"},
    {"window not taken over", NO_TAKEOVER,
     BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
     "1 Hello deflated\n1  deflated\n1 Hello deflated\n! deflate 1\n3 frames, 3 messages\n"},
    {"a block that is the last", DEFLATE, BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
     "1 Hello deflated\n1 Hello deflated\n2 frames, 2 messages\n"},
    {"no compression", DEFLATE, BYTES("\xc1\x0b\x00\x05\x00\xfa\xffHello\x00\x81\x02hi"), "1 Hello deflated\n1 hi\n2 frames, 2 messages\n"},
    {"empty and deflated", DEFLATE, BYTES("\xc2\x01\x00\xc1\x00"), "2  deflated\n1  deflated\n2 frames, 2 messages\n"},
    {"no deflated data", DEFLATE,
     BYTES("\xc1\x04\xff\xff\xff\xff\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x01"
           "a"),
     "1  deflated\n1  deflated\n1 a\n! deflate 2\n3 frames, 3 messages\n"},
    {"the bit where it may not be", DEFLATE,
     BYTES("\x01\x01"
           "a\xc0\x01"
           "b\xc9\x00"),
     "1 ab in 2\n9 \n! reserved-bits 2\n3 frames, 1 messages\n"},
    {"masked and deflated", DEFLATE, BYTES("\xc1\x87\x00\x00\x00\x00\xf2\x48\xcd\xc9\xc9\x07\x00"),
     "1 Hello deflated\n! masked 1\n1 frames, 1 messages\n"},
};

static const struct websocket_deflate AGREED[] = {[PLAIN] = {0}, [DEFLATE] = {.agreed = true}, [NO_TAKEOVER] = {true, true}};

static int feed(struct websocket_reader *reader, const struct guarded *guarded, const char *bytes, size_t size, size_t first, size_t then) {
    for (size_t at = 0; at < size;) {
        size_t portion = at == 0 ? first : then;
        if (portion > size - at)
            portion = size - at;
        if (websocket_reader_feed(reader, guarded_put(guarded, bytes + at, portion), portion) != 0)
            return -1;
        at += portion;
    }
    return 0;
}

static void check(const struct transcript *transcript, const struct guarded *guarded, size_t first, size_t then) {
    static struct told told;
    struct websocket_reader reader;
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    websocket_reader_init(&reader, &AGREED[transcript->agreed], BYTES("t0ken"), &allocator);
    assert_int_equal(feed(&reader, guarded, transcript->bytes, transcript->size, first, then), 0);
    websocket_reader_eof(&reader);
    told.size = 0;
    tell_websocket(&told, &reader);
    websocket_reader_free(&reader);
    assert_int_equal(failing.live, 0);
    if (strcmp(told.text, transcript->expected) != 0)
        fail_msg("%s, %zu and then by %zu:\n%s", transcript->name, first, then, told.text);
}

static void test_transcripts_in_every_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof TRANSCRIPTS / sizeof *TRANSCRIPTS; i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        struct guarded guarded = guarded_new(transcript->size);
        check(transcript, &guarded, transcript->size, 1);
        for (size_t portion = 1; portion <= 7; portion++)
            check(transcript, &guarded, portion, portion);
        for (size_t split = 1; split < transcript->size; split++)
            check(transcript, &guarded, split, transcript->size);
        guarded_free(&guarded);
    }
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof TRANSCRIPTS / sizeof *TRANSCRIPTS; i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        struct guarded guarded = guarded_new(transcript->size);
        for (size_t failing_at = 1;; failing_at++) {
            struct failing failing = {.failing = failing_at};
            struct exchange_allocator allocator = failing_allocator(&failing);
            struct websocket_reader reader;
            websocket_reader_init(&reader, &AGREED[transcript->agreed], BYTES("t0ken"), &allocator);
            int failed = feed(&reader, &guarded, transcript->bytes, transcript->size, 3, 3);
            assert_int_equal(failed, failing.asked >= failing_at ? -1 : 0);
            if (failed)
                assert_string_equal(reader.error, "OUT_OF_MEMORY");
            for (size_t j = 0; j < reader.count; j++)
                assert_true(reader.messages[j].content_kept == 0 || reader.messages[j].content);
            websocket_reader_free(&reader);
            assert_int_equal(failing.live, 0);
            if (!failed)
                break;
        }
        guarded_free(&guarded);
    }
}

static void test_agreed(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool agreed, no_context_takeover;
    } values[] = {
        {"", false, false},
        {"permessage-deflate", true, false},
        {"permessage-deflate-x", false, false},
        {"x-webkit-deflate-frame", false, false},
        {"permessage-deflate; server_max_window_bits=12", true, false},
        {"permessage-deflate;server_no_context_takeover", true, true},
        {"permessage-deflate ; client_max_window_bits=12 ;\tserver_no_context_takeover ", true, true},
        {"foo; server_no_context_takeover, permessage-deflate", true, false},
        {"permessage-deflate, permessage-deflate; server_no_context_takeover", true, false},
        {"server_no_context_takeover", false, false},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t size = strlen(values[i].value);
        struct guarded guarded = guarded_new(size);
        struct websocket_deflate deflate = websocket_agreed(guarded_put(&guarded, values[i].value, size), size);
        if (deflate.agreed != values[i].agreed || deflate.no_context_takeover != values[i].no_context_takeover)
            fail_msg("%s", values[i].value);
        guarded_free(&guarded);
    }
}

static void put_length(char header[10], size_t length) {
    header[0] = (char)0x82;
    header[1] = 127;
    for (size_t i = 0; i < 8; i++)
        header[2 + i] = (char)(length >> 8 * (7 - i));
}

/* The shortest form of each length, and one longer: opcode, header behind it, length, faults of the form and of the length of a control
 * frame. */
static void test_the_bounds_of_lengths(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t header_size, length;
        unsigned forms, controls;
    } frames[] = {
        {BYTES("\x82\x7d"), 125, 0, 0},
        {BYTES("\x89\x7d"), 125, 0, 0},
        {BYTES("\x82\x7e\x00\x7d"), 125, 1, 0},
        {BYTES("\x82\x7e\x00\x7e"), 126, 0, 0},
        {BYTES("\x89\x7e\x00\x7e"), 126, 0, 1},
        {BYTES("\x82\x7e\xff\xff"), 65535, 0, 0},
        {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), 65535, 1, 0},
        {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), 65536, 0, 0},
    };
    char *payload = calloc(65536, 1);
    assert_non_null(payload);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct websocket_reader reader;
        websocket_reader_init(&reader, &AGREED[PLAIN], BYTES("t0ken"), NULL);
        assert_int_equal(websocket_reader_feed(&reader, frames[i].header, frames[i].header_size), 0);
        assert_int_equal(websocket_reader_feed(&reader, payload, frames[i].length), 0);
        assert_true(reader.count == 1 && reader.messages[0].complete);
        assert_int_equal(reader.messages[0].content_size, frames[i].length);
        assert_int_equal(reader.faults[WEBSOCKET_LENGTH], frames[i].forms);
        assert_int_equal(reader.faults[WEBSOCKET_CONTROL_LENGTH], frames[i].controls);
        websocket_reader_free(&reader);
    }
    free(payload);
}

static void test_what_is_not_kept_is_not_held(void **state) {
    (void)state;
    struct websocket_reader reader;
    websocket_reader_init(&reader, &AGREED[DEFLATE], BYTES("t0ken"), NULL);
    assert_int_equal(websocket_reader_feed(&reader, BYTES("\x81\x01"
                                                          "x\x8a\x05t0ken\xc1\x07\xf2\x48\xff\xff\xff\xff\xff")),
                     0);
    assert_int_equal(reader.faults[WEBSOCKET_DEFLATE], 1);
    assert_int_equal(reader.held, 1);
    websocket_reader_free(&reader);
}

static void test_content_is_kept_up_to_a_bound(void **state) {
    (void)state;
    size_t size = WEBSOCKET_CONTENT_MAX + 3;
    char *data = calloc(size, 1), header[10];
    assert_non_null(data);
    struct websocket_reader reader;
    websocket_reader_init(&reader, &AGREED[PLAIN], BYTES(""), NULL);
    put_length(header, size);
    assert_int_equal(websocket_reader_feed(&reader, header, sizeof header), 0);
    assert_int_equal(websocket_reader_feed(&reader, data, size), 0);
    assert_true(reader.messages[0].complete);
    assert_int_equal(reader.messages[0].content_kept, WEBSOCKET_CONTENT_MAX);
    assert_int_equal(reader.messages[0].content_size, size);
    assert_true(reader.messages[0].content_hash == trace_hash(trace_hash_start(), (unsigned char *)data, size));
    while (reader.count < 80) { /* beyond what is held of all together */
        assert_int_equal(websocket_reader_feed(&reader, header, sizeof header), 0);
        assert_int_equal(websocket_reader_feed(&reader, data, size), 0);
    }
    uint64_t held = 0;
    for (size_t i = 0; i < reader.count; i++) {
        held += reader.messages[i].content_kept;
        assert_int_equal(reader.messages[i].content_size, size);
    }
    assert_int_equal(held, WEBSOCKET_HELD_MAX);
    assert_string_equal(reader.error, "");
    websocket_reader_free(&reader);
    free(data);
}

static void test_messages_are_counted_up_to_a_bound(void **state) {
    (void)state;
    struct websocket_reader reader;
    websocket_reader_init(&reader, &AGREED[PLAIN], BYTES("t"), NULL);
    for (size_t i = 0; i < WEBSOCKET_COUNT_MAX; i++)
        assert_int_equal(websocket_reader_feed(&reader, BYTES("\x81\x00")), 0);
    assert_string_equal(reader.error, "");
    assert_int_equal(websocket_reader_feed(&reader, BYTES("\x8a\x00\x81\x00")), 0);
    assert_string_equal(reader.error, "MESSAGES_TOO_MANY");
    assert_int_equal(reader.count, WEBSOCKET_COUNT_MAX);
    assert_int_equal(reader.complete, WEBSOCKET_COUNT_MAX);
    websocket_reader_free(&reader);
}

/* One message of SIZE zeros, deflated. */
static size_t bomb(char *frame, size_t room, size_t size) {
    static char zeros[1 << 16];
    z_stream deflater = {0};
    assert_int_equal(deflateInit2(&deflater, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    deflater.next_out = (Bytef *)frame + 10;
    deflater.avail_out = (uInt)(room - 10);
    for (size_t at = 0; at < size; at += sizeof zeros) {
        deflater.next_in = (Bytef *)zeros;
        deflater.avail_in = (uInt)(size - at < sizeof zeros ? size - at : sizeof zeros);
        assert_int_equal(deflate(&deflater, at + sizeof zeros < size ? Z_NO_FLUSH : Z_SYNC_FLUSH), Z_OK);
        assert_int_equal(deflater.avail_in, 0);
    }
    size_t deflated = room - 10 - deflater.avail_out - 4;
    deflateEnd(&deflater);
    put_length(frame, deflated);
    frame[0] = (char)0xc2;
    return deflated + 10;
}

static void test_what_is_inflated_is_bounded(void **state) {
    (void)state;
    size_t room = 1 << 20;
    char *frame = malloc(room);
    assert_non_null(frame);
    size_t size = bomb(frame, room, WEBSOCKET_INFLATED_MAX + 1);
    for (size_t portion = 1000; portion <= size + 1000; portion += size) {
        struct websocket_reader reader;
        websocket_reader_init(&reader, &AGREED[DEFLATE], BYTES(""), NULL);
        for (size_t at = 0; at < size; at += portion)
            assert_int_equal(websocket_reader_feed(&reader, frame + at, portion < size - at ? portion : size - at), 0);
        assert_string_equal(reader.error, "INFLATED_TOO_MUCH");
        assert_int_equal(reader.messages[0].content_size, WEBSOCKET_INFLATED_MAX);
        assert_false(reader.messages[0].complete);
        websocket_reader_free(&reader);
    }
    size = bomb(frame, room, WEBSOCKET_INFLATED_MAX);
    struct websocket_reader reader;
    websocket_reader_init(&reader, &AGREED[DEFLATE], BYTES(""), NULL);
    assert_int_equal(websocket_reader_feed(&reader, frame, size), 0);
    assert_string_equal(reader.error, "");
    assert_true(reader.messages[0].complete);
    websocket_reader_free(&reader);
    free(frame);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_in_every_cut),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_agreed),
        cmocka_unit_test(test_the_bounds_of_lengths),
        cmocka_unit_test(test_what_is_not_kept_is_not_held),
        cmocka_unit_test(test_content_is_kept_up_to_a_bound),
        cmocka_unit_test(test_messages_are_counted_up_to_a_bound),
        cmocka_unit_test(test_what_is_inflated_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
