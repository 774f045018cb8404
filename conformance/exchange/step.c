/* step.c: the steps of an exchange, a function each, and what the script says about its connections. The bytes of a send are
 * in send.c, WebSocket frames in frame.c. */
#include <string.h>

#include "parser.h"

/* The next word, where one must stand. */
static int need_word(struct parser *parser, struct reader_word *word, const char *message) {
    int found = reader_word(&parser->reader, word);
    if (found == READER_NOTHING)
        return reader_fail(&parser->reader, parser->reader.at, "%s", message);
    return found == READER_FAILED ? -1 : 0;
}

/* The next TEXT: found (1), nothing there (0), or -1. */
int parser_text(struct parser *parser, struct exchange_bytes *bytes) {
    bool quoted;
    if (reader_text_start(&parser->reader, &quoted) == READER_NOTHING)
        return READER_NOTHING;
    char octet;
    int found;
    parser->octets.count = 0;
    while ((found = reader_text_octet(&parser->reader, quoted, &octet)) == READER_FOUND)
        if (parser_put(parser, octet) != 0)
            return -1;
    if (found == READER_FAILED)
        return -1;
    found = parser_keep(parser, parser->octets.items, parser->octets.count, bytes);
    parser->octets.count = 0;
    return found == 0 ? READER_FOUND : -1;
}

static int need_text(struct parser *parser, struct exchange_bytes *bytes, const char *message) {
    int found = parser_text(parser, bytes);
    if (found == READER_NOTHING)
        return reader_fail(&parser->reader, parser->reader.at, "%s", message);
    return found == READER_FOUND ? 0 : -1;
}

static struct parser_connection *find_connection(struct parser *parser, const struct reader_word *name) {
    for (size_t i = 0; i < parser->connection_count; i++) {
        struct parser_connection *connection = &parser->connections[i];
        if (connection->name.size == name->size && memcmp(connection->name.data, name->data, name->size) == 0)
            return connection;
    }
    return NULL;
}

static int open_connection(struct parser *parser, const struct reader_word *name) {
    if (parser->connection_count == EXCHANGE_CONNECTIONS_MAX)
        return reader_fail(&parser->reader, name->data, "an exchange has at most %d connections", EXCHANGE_CONNECTIONS_MAX);
    parser->current = &parser->connections[parser->connection_count++];
    *parser->current = (struct parser_connection){.name = *name};
    return 0;
}

/* The current connection, for a step that needs one: the first such step opens "main". */
static int need_connection(struct parser *parser) {
    static const struct reader_word main_name = {"main", 4};
    return parser->current ? 0 : open_connection(parser, &main_name);
}

/* What the script closed itself takes no further bytes and brings none. */
static int need_not_closed(struct parser *parser, const struct parser_connection *connection, const char *at) {
    if (connection->closed == 0)
        return 0;
    return reader_fail(&parser->reader, at, "connection %s was closed on line %u",
                       reader_show(connection->name.data, connection->name.size).text, connection->closed);
}

int parser_need_writable(struct parser *parser) {
    const char *at = parser->reader.line;
    if (need_connection(parser) != 0 || need_not_closed(parser, parser->current, at) != 0)
        return -1;
    if (parser->current->half_closed == 0)
        return 0;
    return reader_fail(&parser->reader, at, "connection %s was half-closed on line %u",
                       reader_show(parser->current->name.data, parser->current->name.size).text, parser->current->half_closed);
}

static int connection_name(struct parser *parser, struct reader_word *name, struct exchange_step *step) {
    if (need_word(parser, name, "a connection's name is missing") != 0 || reader_name(&parser->reader, name, "a connection's name") != 0)
        return -1;
    return parser_keep_word(parser, name, &step->name);
}

static int step_connect(struct parser *parser, struct exchange_step *step) {
    struct reader_word name;
    if (connection_name(parser, &name, step) != 0)
        return -1;
    if (find_connection(parser, &name))
        return reader_fail(&parser->reader, name.data, "connection %s was opened before", reader_show(name.data, name.size).text);
    return open_connection(parser, &name);
}

static int step_on(struct parser *parser, struct exchange_step *step) {
    struct reader_word name;
    if (connection_name(parser, &name, step) != 0)
        return -1;
    struct parser_connection *connection = find_connection(parser, &name);
    if (!connection)
        return reader_fail(&parser->reader, name.data, "no connection %s is open", reader_show(name.data, name.size).text);
    parser->current = connection;
    return need_not_closed(parser, connection, name.data);
}

static int step_send(struct parser *parser, struct exchange_step *step) {
    return parser_need_writable(parser) != 0 ? -1 : parser_send(parser, step);
}

static int step_answered(struct parser *parser, struct exchange_step *step) {
    (void)step;
    if (!parser->current)
        return reader_fail(&parser->reader, parser->reader.line, "no connection is open yet");
    parser->in_send = true;
    return 0;
}

static int step_pause(struct parser *parser, struct exchange_step *step) {
    struct reader_word duration;
    if (need_word(parser, &duration, "a pause needs a duration, as in \"pause 50ms\"") != 0)
        return -1;
    return reader_duration(&parser->reader, &duration, &step->milliseconds);
}

static int step_half_close(struct parser *parser, struct exchange_step *step) {
    if (!parser->current)
        return reader_fail(&parser->reader, parser->reader.line, "no connection is open yet");
    if (parser_need_writable(parser) != 0)
        return -1;
    parser->current->half_closed = step->line;
    return 0;
}

/* "close" and "reset" */
static int step_close(struct parser *parser, struct exchange_step *step) {
    if (!parser->current)
        return reader_fail(&parser->reader, parser->reader.line, "no connection is open yet");
    if (need_not_closed(parser, parser->current, parser->reader.line) != 0)
        return -1;
    parser->current->closed = step->line;
    return 0;
}

#define WAIT_FORM "a wait needs one of response, head, body, interim, call, closed, frame, message"

static int wait_condition(struct parser *parser, const struct reader_word *word, struct exchange_step *step) {
    static const struct {
        const char *word;
        enum exchange_condition condition;
    } conditions[] = {
        {"response", EXCHANGE_WAIT_RESPONSE}, {"head", EXCHANGE_WAIT_HEAD},       {"body", EXCHANGE_WAIT_BODY},
        {"interim", EXCHANGE_WAIT_INTERIM},   {"call", EXCHANGE_WAIT_CALL},       {"closed", EXCHANGE_WAIT_CLOSED},
        {"frame", EXCHANGE_WAIT_FRAME},       {"message", EXCHANGE_WAIT_MESSAGE},
    };
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (reader_is(word, conditions[i].word)) {
            step->condition = conditions[i].condition;
            return 0;
        }
    return reader_fail(&parser->reader, word->data, WAIT_FORM);
}

/* ["within" DURATION], behind what is waited for. */
static int within(struct parser *parser, struct exchange_step *step) {
    struct reader_word word;
    int found = reader_word(&parser->reader, &word);
    if (found != READER_FOUND)
        return found == READER_NOTHING ? 0 : -1;
    if (!reader_is(&word, "within"))
        return reader_fail(&parser->reader, word.data, "only \"within DURATION\" may follow what is waited for");
    if (need_word(parser, &word, "\"within\" needs a duration, as in \"within 500ms\"") != 0)
        return -1;
    return reader_duration(&parser->reader, &word, &step->milliseconds);
}

static int step_wait(struct parser *parser, struct exchange_step *step) {
    struct reader_word word;
    if (need_word(parser, &word, WAIT_FORM) != 0 || wait_condition(parser, &word, step) != 0 || need_connection(parser) != 0)
        return -1;
    /* The app's call may come after the client has gone; nothing else may. */
    if (step->condition != EXCHANGE_WAIT_CALL && need_not_closed(parser, parser->current, parser->reader.line) != 0)
        return -1;
    if (step->condition == EXCHANGE_WAIT_BODY && (need_word(parser, &word, "\"wait body\" needs a count of bytes") != 0 ||
                                                  reader_count(&parser->reader, &word, EXCHANGE_SEND_MAX, &step->count) != 0))
        return -1;
    if (step->condition == EXCHANGE_WAIT_FRAME && parser_wait_frame(parser, step) != 0)
        return -1;
    return within(parser, step);
}

#define SAVE_FORM "a save is written: save NAME from body between TEXT TEXT, or: save NAME from field NAME between TEXT TEXT"

/* The next word must be WORD. */
static int save_word(struct parser *parser, const char *expected) {
    struct reader_word word;
    if (need_word(parser, &word, SAVE_FORM) != 0)
        return -1;
    return reader_is(&word, expected) ? 0 : reader_fail(&parser->reader, word.data, SAVE_FORM);
}

/* "decode CODING" or "encode CODING", if it stands there; *WORD is the next word, and *FOUND whether there is one. */
static int save_coding(struct parser *parser, const char *what, struct reader_word *word, int *found, enum exchange_coding *coding) {
    static const char *const names[] = {
        [EXCHANGE_CODING_PERCENT] = "percent", [EXCHANGE_CODING_JSON] = "json", [EXCHANGE_CODING_HTML] = "html"};
    struct reader *reader = &parser->reader;
    if (*found == READER_NOTHING || !reader_is(word, what))
        return 0;
    if (need_word(parser, word, "a coding is missing: percent, json or html") != 0)
        return -1;
    for (size_t i = EXCHANGE_CODING_PERCENT; i < sizeof names / sizeof *names; i++)
        if (reader_is(word, names[i]))
            *coding = (enum exchange_coding)i;
    if (*coding == EXCHANGE_CODING_NONE)
        return reader_fail(reader, word->data, "a coding is percent, json or html");
    return (*found = reader_word(reader, word)) == READER_FAILED ? -1 : 0;
}

static int step_save(struct parser *parser, struct exchange_step *step) {
    struct reader *reader = &parser->reader;
    struct reader_word name, word;
    unsigned first;
    if (!parser->current)
        return reader_fail(reader, reader->line, "no connection is open yet");
    if (need_word(parser, &name, SAVE_FORM) != 0 || reader_name(reader, &name, "a value's name") != 0 ||
        parser_keep_word(parser, &name, &step->name) != 0 || save_word(parser, "from") != 0 || need_word(parser, &word, SAVE_FORM) != 0)
        return -1;
    if (reader_is(&word, "field")) {
        if (need_word(parser, &word, "a field's name is missing") != 0 || reader_name(reader, &word, "a field's name") != 0 ||
            parser_keep_word(parser, &word, &step->field) != 0)
            return -1;
    } else if (!reader_is(&word, "body")) {
        return reader_fail(reader, word.data, SAVE_FORM);
    }
    if (save_word(parser, "between") != 0 || need_text(parser, &step->before, "the text before the value is missing") != 0 ||
        need_text(parser, &step->after, "the text after the value is missing; \"\" means up to the end") != 0)
        return -1;
    int found = reader_word(reader, &word);
    if (found == READER_FAILED || save_coding(parser, "decode", &word, &found, &step->decode) != 0 ||
        save_coding(parser, "encode", &word, &found, &step->encode) != 0)
        return -1;
    if (found == READER_FOUND)
        return reader_fail(reader, word.data, "behind a save's texts stand only \"decode CODING\" and then \"encode CODING\"");
    if (names_enter(&parser->names, &parser->arena.allocator, parser_group(parser, PARSER_VALUES), &name, reader->number, &first) != 0)
        return parser_out_of_memory(parser);
    return 0;
}

static int add_word(struct parser *parser, const struct exchange_bytes *bytes) {
    struct exchange_bytes *added = growing_add(&parser->words, &parser->arena.allocator, 1, sizeof *added);
    if (!added)
        return parser_out_of_memory(parser);
    *added = *bytes;
    return 0;
}

static int process_start(struct parser *parser) {
    struct exchange_bytes option;
    int found;
    while ((found = parser_text(parser, &option)) == READER_FOUND)
        if (add_word(parser, &option) != 0)
            return -1;
    return found == READER_FAILED ? -1 : 0;
}

static int process_signal(struct parser *parser) {
    static const char message[] = "\"process signal\" needs a signal's name, as in \"process signal SIGTERM\"";
    struct reader_word word;
    struct exchange_bytes signal;
    if (need_word(parser, &word, message) != 0)
        return -1;
    bool named = word.size > 3 && word.size <= 16 && memcmp(word.data, "SIG", 3) == 0;
    for (size_t i = 0; named && i < word.size; i++)
        named = (word.data[i] >= 'A' && word.data[i] <= 'Z') || (word.data[i] >= '0' && word.data[i] <= '9');
    if (!named)
        return reader_fail(&parser->reader, word.data, message);
    return parser_keep_word(parser, &word, &signal) != 0 ? -1 : add_word(parser, &signal);
}

static int step_process(struct parser *parser, struct exchange_step *step) {
    static const char message[] = "a process step is one of start, signal, exit";
    struct reader_word word;
    if (need_word(parser, &word, message) != 0 || parser_keep_word(parser, &word, &step->name) != 0)
        return -1;
    if (!reader_is(&word, "start") && !reader_is(&word, "signal") && !reader_is(&word, "exit"))
        return reader_fail(&parser->reader, word.data, message);
    int failed = reader_is(&word, "start")    ? process_start(parser)
                 : reader_is(&word, "signal") ? process_signal(parser)
                                              : within(parser, step);
    if (failed)
        return -1;
    return parser_keep_items(parser, &parser->words, sizeof(struct exchange_bytes), &step->words, &step->word_count);
}

static const struct {
    const char *word;
    enum exchange_step_kind kind;
    int (*parse)(struct parser *parser, struct exchange_step *step); /* what stands behind the word */
} steps[] = {
    {"connect", EXCHANGE_CONNECT, step_connect}, {"on", EXCHANGE_ON, step_on},
    {"send", EXCHANGE_SEND, step_send},          {"answered", EXCHANGE_ANSWERED, step_answered},
    {"pause", EXCHANGE_PAUSE, step_pause},       {"half-close", EXCHANGE_HALF_CLOSE, step_half_close},
    {"close", EXCHANGE_CLOSE, step_close},       {"reset", EXCHANGE_RESET, step_close},
    {"wait", EXCHANGE_WAIT, step_wait},          {"save", EXCHANGE_SAVE, step_save},
    {"frame", EXCHANGE_FRAME, parser_frame},     {"process", EXCHANGE_PROCESS, step_process},
};

int parser_step(struct parser *parser, const struct reader_word *word) {
    struct reader *reader = &parser->reader;
    size_t at = 0;
    while (at < sizeof steps / sizeof *steps && !reader_is(word, steps[at].word))
        at++;
    if (at == sizeof steps / sizeof *steps && !reader_is(word, "end"))
        return reader_fail(reader, word->data, "unknown statement %s", reader_show(word->data, word->size).text);
    if (!parser->in_exchange)
        return reader_fail(reader, word->data, "%s stands outside an exchange", reader_show(word->data, word->size).text);
    if (parser->steps.count == EXCHANGE_STEPS_MAX)
        return reader_fail(reader, word->data, "an exchange has at most %d steps", EXCHANGE_STEPS_MAX);
    struct exchange_step *step = growing_add(&parser->steps, &parser->arena.allocator, 1, sizeof *step);
    if (!step)
        return parser_out_of_memory(parser);
    const struct exchange_bytes nothing = parser->nothing;
    *step = (struct exchange_step){.kind = steps[at].kind,
                                   .line = reader->number,
                                   .name = nothing,
                                   .field = nothing,
                                   .before = nothing,
                                   .after = nothing,
                                   .text = nothing};
    return steps[at].parse(parser, step) != 0 ? -1 : reader_line_done(reader, "this step");
}
