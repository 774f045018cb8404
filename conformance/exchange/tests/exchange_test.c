/* exchange_test.c: what each statement of the grammar becomes. */
#include "support.h"

#include "full.h"

#define BYTES(text) text, sizeof(text) - 1

static int open_full(void **state) {
    *state = parsed(full, sizeof full - 1);
    return 0;
}

static int close_full(void **state) {
    exchange_file_free(*state);
    return 0;
}

static const struct exchange *exchange_at(void **state, size_t at) {
    const struct exchange_file *file = *state;
    assert_int_equal(file->exchange_count, 4);
    return &file->exchanges[at];
}

static void assert_text(const struct exchange_bytes *bytes, const char *text) { assert_bytes(bytes, text, strlen(text)); }

static void assert_meta(const struct exchange *exchange, size_t at, const char *key, const char *value) {
    assert_text(&exchange->meta[at].key, key);
    assert_text(&exchange->meta[at].value, value);
    assert_ptr_equal(exchange_meta(exchange, key), &exchange->meta[at].value);
}

static void assert_piece(const struct exchange_piece *piece, enum exchange_piece_kind kind, const char *data, size_t size, uint64_t count) {
    assert_int_equal(piece->kind, kind);
    assert_bytes(&piece->bytes, data, size);
    assert_int_equal(piece->count, count);
}

/* The step, which has no texts but those that its own assertions look at: NAME, and FIELD to AFTER where they are asked for. */
static const struct exchange_step *assert_step(const struct exchange *exchange, size_t at, enum exchange_step_kind kind, unsigned line,
                                               const char *name) {
    assert_true(at < exchange->step_count);
    const struct exchange_step *step = &exchange->steps[at];
    assert_int_equal(step->kind, kind);
    assert_int_equal(step->line, line);
    assert_text(&step->name, name);
    if (kind != EXCHANGE_SAVE) {
        assert_text(&step->field, "");
        assert_text(&step->before, "");
        assert_text(&step->after, "");
    }
    if (kind != EXCHANGE_FRAME)
        assert_text(&step->text, "");
    if (kind != EXCHANGE_SEND && kind != EXCHANGE_ANSWERED)
        assert_int_equal(step->piece_count, 0);
    if (kind != EXCHANGE_PROCESS)
        assert_int_equal(step->word_count, 0);
    return step;
}

static void assert_wait(const struct exchange *exchange, size_t at, unsigned line, enum exchange_condition condition, uint64_t count,
                        uint32_t milliseconds) {
    const struct exchange_step *step = assert_step(exchange, at, EXCHANGE_WAIT, line, "");
    assert_int_equal(step->condition, condition);
    assert_int_equal(step->count, count);
    assert_int_equal(step->milliseconds, milliseconds);
}

static void assert_own_text(const struct exchange *exchange, const char *begins, const char *ends) {
    assert_true(exchange->offset + exchange->length < sizeof full);
    assert_memory_equal(full + exchange->offset, begins, strlen(begins));
    assert_memory_equal(full + exchange->offset + exchange->length - strlen(ends), ends, strlen(ends));
}

static void place_test(void **state) {
    const struct exchange *first = exchange_at(state, 0), *second = exchange_at(state, 1), *third = exchange_at(state, 2);
    const struct exchange *last = exchange_at(state, 3);
    assert_text(&first->name, "pieces");
    assert_text(&first->session, "");
    assert_int_equal(first->line, 4);
    assert_int_equal(first->last_line, 22);
    assert_own_text(first, "exchange pieces\nrules", "within 60s\nend close");
    assert_text(&second->name, "nothing");
    assert_text(&second->session, "");
    assert_int_equal(second->line, 24);
    assert_int_equal(second->last_line, 25);
    assert_int_equal(second->meta_count, 0);
    assert_int_equal(second->step_count, 0);
    assert_own_text(second, "exchange nothing\nend open 50ms", "exchange nothing\nend open 50ms");
    assert_text(&third->name, "pieces");
    assert_text(&third->session, "shop");
    assert_text(&last->name, "later");
    assert_text(&last->session, "shop");
    assert_own_text(last, "exchange later\n", "* 2 a\nend next");
    assert_int_equal(last->offset + last->length, sizeof full - 1);
}

static void end_test(void **state) {
    assert_int_equal(exchange_at(state, 0)->end, EXCHANGE_END_CLOSE);
    assert_int_equal(exchange_at(state, 1)->end, EXCHANGE_END_OPEN);
    assert_int_equal(exchange_at(state, 1)->end_milliseconds, 50);
    assert_int_equal(exchange_at(state, 2)->end, EXCHANGE_END_NEXT);
}

static void meta_test(void **state) {
    const struct exchange *first = exchange_at(state, 0), *third = exchange_at(state, 2), *last = exchange_at(state, 3);
    assert_int_equal(first->meta_count, 2);
    assert_meta(first, 0, "rules", "FR-LEN-07 FR-CONN-01");
    assert_meta(first, 1, "about", "what every kind of piece sends: \"quotes\" and \\ stand as they are");
    assert_null(exchange_meta(first, "rule"));
    assert_null(exchange_meta(exchange_at(state, 1), "rules"));
    assert_int_equal(third->meta_count, 3); /* its own app hides the session's */
    assert_meta(third, 0, "app", "");
    assert_meta(third, 1, "status", "200 201");
    assert_meta(third, 2, "origin", "hand");
    assert_int_equal(last->meta_count, 2);
    assert_meta(last, 0, "origin", "hand");
    assert_meta(last, 1, "app", "echo");
}

static void pieces_test(void **state) {
    const struct exchange *exchange = exchange_at(state, 0);
    assert_int_equal(exchange->step_count, 5);
    const struct exchange_step *send = assert_step(exchange, 0, EXCHANGE_SEND, 7, "");
    assert_int_equal(send->count, 0);
    assert_int_equal(send->piece_count, 4);
    assert_piece(&send->pieces[0], EXCHANGE_PIECE_BYTES,
                 BYTES("POST /echo HTTP/1.1\r\nHost: shop.test\r\n\r\n\r\n\t\0\\\"$\0\x7f\xfe $ \"\x80\xff "), 1);
    assert_piece(&send->pieces[1], EXCHANGE_PIECE_BYTES, BYTES("ab"), 3);
    assert_piece(&send->pieces[2], EXCHANGE_PIECE_BYTES, BYTES("once"), 1);
    assert_piece(&send->pieces[3], EXCHANGE_PIECE_BYTES, BYTES("\r\n"), 1);
    const struct exchange_step *split = assert_step(exchange, 2, EXCHANGE_SEND, 18, "");
    assert_int_equal(split->count, 7);
    assert_int_equal(split->piece_count, 1);
    assert_piece(&split->pieces[0], EXCHANGE_PIECE_BYTES, BYTES(" world"), 1);
    assert_step(exchange, 3, EXCHANGE_HALF_CLOSE, 20, "");
}

static void values_test(void **state) {
    const struct exchange_step *send = assert_step(exchange_at(state, 2), 12, EXCHANGE_SEND, 46, "");
    assert_int_equal(send->piece_count, 6);
    assert_piece(&send->pieces[0], EXCHANGE_PIECE_BYTES, BYTES("Cookie: cart="), 1);
    assert_piece(&send->pieces[1], EXCHANGE_PIECE_VALUE, BYTES("cart"), 1);
    assert_piece(&send->pieces[2], EXCHANGE_PIECE_BYTES, BYTES("\r\n"), 1);
    assert_piece(&send->pieces[3], EXCHANGE_PIECE_VALUE, BYTES("token"), 1);
    assert_piece(&send->pieces[4], EXCHANGE_PIECE_VALUE, BYTES("cart"), 1);
    assert_piece(&send->pieces[5], EXCHANGE_PIECE_BYTES, BYTES("z"), 2);
    const struct exchange_step *later = assert_step(exchange_at(state, 3), 12, EXCHANGE_SEND, 68, "");
    assert_int_equal(later->piece_count, 5);
    assert_piece(&later->pieces[0], EXCHANGE_PIECE_VALUE, BYTES("token"), 1);
    assert_piece(&later->pieces[1], EXCHANGE_PIECE_LENGTH, BYTES("0+token"), 1);
    assert_piece(&later->pieces[2], EXCHANGE_PIECE_BYTES, BYTES("/"), 1);
    assert_piece(&later->pieces[3], EXCHANGE_PIECE_LENGTH, BYTES("0x1f+token+cart"), 1);
    assert_piece(&later->pieces[4], EXCHANGE_PIECE_BYTES, BYTES("\r\n"), 1);
    const struct exchange_step *answered = assert_step(exchange_at(state, 3), 13, EXCHANGE_ANSWERED, 71, "");
    assert_int_equal(answered->piece_count, 2);
    assert_piece(&answered->pieces[0], EXCHANGE_PIECE_BYTES, BYTES("HTTP/1.1 200\r\n"), 1);
    assert_piece(&answered->pieces[1], EXCHANGE_PIECE_BYTES, BYTES("a"), 2);
}

static void lengths_test(void **state) {
    const struct exchange_piece *pieces = exchange_at(state, 3)->steps[12].pieces;
    struct exchange_bytes name;
    bool hexadecimal;
    size_t at = 0;
    assert_int_equal(exchange_length_count(&pieces[1].bytes, &hexadecimal), 0);
    assert_false(hexadecimal);
    assert_true(exchange_length_next(&pieces[1].bytes, &at, &name));
    assert_bytes(&(struct exchange_bytes){name.data, name.size}, BYTES("token"));
    assert_false(exchange_length_next(&pieces[1].bytes, &at, &name));
}

static void connections_test(void **state) {
    const struct exchange *exchange = exchange_at(state, 2);
    assert_int_equal(exchange->step_count, 17);
    assert_step(exchange, 0, EXCHANGE_CONNECT, 32, "a");
    assert_step(exchange, 1, EXCHANGE_CONNECT, 33, "b");
    assert_step(exchange, 2, EXCHANGE_ON, 34, "a");
    assert_step(exchange, 13, EXCHANGE_CLOSE, 50, "");
    assert_step(exchange, 15, EXCHANGE_ON, 52, "b");
    assert_step(exchange, 16, EXCHANGE_RESET, 53, "");
}

static void waits_test(void **state) {
    assert_wait(exchange_at(state, 0), 1, 17, EXCHANGE_WAIT_CALL, 0, 0);
    assert_wait(exchange_at(state, 0), 4, 21, EXCHANGE_WAIT_CLOSED, 0, 60000);
    const struct exchange *exchange = exchange_at(state, 2);
    assert_wait(exchange, 4, 38, EXCHANGE_WAIT_RESPONSE, 0, 0);
    assert_wait(exchange, 5, 39, EXCHANGE_WAIT_HEAD, 0, 1);
    assert_wait(exchange, 6, 40, EXCHANGE_WAIT_BODY, 1u << 30, 0);
    assert_wait(exchange, 7, 41, EXCHANGE_WAIT_BODY, 5, 2000);
    assert_wait(exchange, 8, 42, EXCHANGE_WAIT_INTERIM, 0, 0);
    assert_wait(exchange, 14, 51, EXCHANGE_WAIT_CALL, 0, 250);
    assert_wait(exchange_at(state, 3), 5, 61, EXCHANGE_WAIT_FRAME, 0, 0);
}

static void saves_test(void **state) {
    static const struct {
        const char *name, *field, *before, *after;
        size_t before_size;
    } saves[] = {{"token", "", "\"token\":\"", "\"", 9}, {"cart", "set-cookie", "cart=", "", 5}, {"cart", "Set-Cookie", "\0 a", ";", 3}};
    for (unsigned i = 0; i < 3; i++) {
        const struct exchange_step *save = assert_step(exchange_at(state, 2), 9 + i, EXCHANGE_SAVE, 43 + i, saves[i].name);
        assert_text(&save->field, saves[i].field);
        assert_bytes(&save->before, saves[i].before, saves[i].before_size);
        assert_text(&save->after, saves[i].after);
        assert_int_equal(save->decode, i == 2 ? EXCHANGE_CODING_HTML : EXCHANGE_CODING_NONE);
        assert_int_equal(save->encode, i == 2 ? EXCHANGE_CODING_PERCENT : EXCHANGE_CODING_NONE);
    }
}

static void frames_test(void **state) {
    static const struct {
        size_t at;
        unsigned line;
        const char *opcode, *text;
    } frames[] = {{0, 56, "text", "h\xc3\xa9 \xff"}, {1, 57, "binary", ""},       {2, 58, "ping", ""}, {3, 59, "pong", "a"},
                  {4, 60, "continuation", "b"},      {6, 62, "close", "\x03\xe8"}};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        assert_text(&assert_step(exchange_at(state, 3), frames[i].at, EXCHANGE_FRAME, frames[i].line, frames[i].opcode)->text,
                    frames[i].text);
}

static void pause_test(void **state) {
    assert_int_equal(assert_step(exchange_at(state, 3), 7, EXCHANGE_PAUSE, 63, "")->milliseconds, 60000);
}

static void process_test(void **state) {
    const struct exchange *exchange = exchange_at(state, 3);
    const struct exchange_step *start = assert_step(exchange, 8, EXCHANGE_PROCESS, 64, "start");
    assert_int_equal(start->word_count, 3);
    assert_text(&start->words[0], "--workers");
    assert_text(&start->words[1], "2");
    assert_text(&start->words[2], "--log level");
    assert_int_equal(assert_step(exchange, 9, EXCHANGE_PROCESS, 65, "start")->word_count, 0);
    const struct exchange_step *signal = assert_step(exchange, 10, EXCHANGE_PROCESS, 66, "signal");
    assert_int_equal(signal->word_count, 1);
    assert_text(&signal->words[0], "SIGUSR1");
    const struct exchange_step *exit = assert_step(exchange, 11, EXCHANGE_PROCESS, 67, "exit");
    assert_int_equal(exit->word_count, 0);
    assert_int_equal(exit->milliseconds, 500);
}

static void empty_files_test(void **state) {
    (void)state;
    static const char *const texts[] = {"bridgecheck-exchange 1", "bridgecheck-exchange 1\n", "bridgecheck-exchange 1\n\n# nothing\n\n"};
    for (size_t i = 0; i < 3; i++) {
        struct exchange_file *file = parsed(texts[i], strlen(texts[i]));
        assert_int_equal(file->exchange_count, 0);
        exchange_file_free(file);
    }
    exchange_file_free(NULL);
}

/* Values and connections belong to the exchange outside a session, and a session's values to all its exchanges (values_test). */
static void same_names_elsewhere_test(void **state) {
    (void)state;
    static const char text[] = HEAD "exchange x\nconnect a\nend next\nexchange y\nconnect a\nend next\nsession x\nexchange x\nend next\n"
                                    "session y\nexchange x\nend next\n";
    struct exchange_file *file = parsed(text, sizeof text - 1);
    assert_int_equal(file->exchange_count, 4);
    exchange_file_free(file);
}

static void each_session_has_its_own_meta_test(void **state) {
    (void)state;
    static const char text[] = HEAD "session s\napp: a\norigin: hand\nexchange x\nend next\nsession t\nrules:\nexchange x\nend next\n";
    struct exchange_file *file = parsed(text, sizeof text - 1);
    assert_int_equal(file->exchanges[0].meta_count, 2);
    assert_int_equal(file->exchanges[1].meta_count, 1);
    assert_meta(&file->exchanges[1], 0, "rules", "");
    exchange_file_free(file);
}

/* A NUL, a lone CR and all octets above 0x7F are bytes like others. */
static void raw_octets_test(void **state) {
    (void)state;
    char text[512] = HEAD "exchange x\nsend\n+ ";
    size_t size = strlen(text), start = size;
    for (int octet = 0; octet < 256; octet++)
        if (octet != '\n' && octet != '\\')
            text[size++] = (char)octet;
    memcpy(text + size, "\nend next\n", 10);
    struct exchange_file *file = parsed(text, size + 10);
    const struct exchange_step *send = &file->exchanges[0].steps[0];
    assert_int_equal(send->piece_count, 1);
    assert_bytes(&send->pieces[0].bytes, text + start, 254);
    exchange_file_free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(place_test),
        cmocka_unit_test(end_test),
        cmocka_unit_test(meta_test),
        cmocka_unit_test(pieces_test),
        cmocka_unit_test(values_test),
        cmocka_unit_test(lengths_test),
        cmocka_unit_test(connections_test),
        cmocka_unit_test(waits_test),
        cmocka_unit_test(saves_test),
        cmocka_unit_test(frames_test),
        cmocka_unit_test(pause_test),
        cmocka_unit_test(process_test),
        cmocka_unit_test(empty_files_test),
        cmocka_unit_test(same_names_elsewhere_test),
        cmocka_unit_test(each_session_has_its_own_meta_test),
        cmocka_unit_test(raw_octets_test),
    };
    return cmocka_run_group_tests(tests, open_full, close_full);
}
