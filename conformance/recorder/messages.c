/* messages.c: see messages.h. */
#include "messages.h"

#include <string.h>

static bool is_interim(const llhttp_t *parser) { return parser->status_code / 100 == 1 && parser->status_code != 101; }

static int on_url(llhttp_t *parser, const char *data, size_t size) {
    struct messages *messages = parser->data;
    size_t room = MESSAGES_TARGET_MAX - messages->target_size, kept = size < room ? size : room;
    memcpy(messages->target + messages->target_size, data, kept);
    messages->target_size += kept;
    return 0;
}

/* Keep what fits; the size goes on counting, so what did not fit can be told. */
static void keep(char *kept, size_t room, size_t *kept_size, const char *data, size_t size) {
    if (*kept_size < room)
        memcpy(kept + *kept_size, data, size < room - *kept_size ? size : room - *kept_size);
    *kept_size += size;
}

static void tell(const struct messages *messages, enum messages_part part, const char *data, size_t size) {
    if (messages->heard)
        messages->heard(messages->context, part, data, size);
}

/* Behind the status line's end, whatever its reason was. */
static int on_status_complete(llhttp_t *parser) {
    struct messages *messages = parser->data;
    messages->status = parser->status_code;
    tell(messages, MESSAGES_STATUS, NULL, 0);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *data, size_t size) {
    struct messages *messages = parser->data;
    tell(messages, MESSAGES_NAME, data, size);
    keep(messages->name, sizeof messages->name, &messages->name_size, data, size);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *data, size_t size) {
    struct messages *messages = parser->data;
    tell(messages, MESSAGES_VALUE, data, size);
    keep(messages->value, sizeof messages->value, &messages->value_size, data, size);
    return 0;
}

static bool is_word(const char *data, size_t size, size_t room, const char *word) {
    if (size > room)
        return false;
    for (size_t i = 0; i < size; i++) {
        char octet = data[i];
        if (octet >= 'A' && octet <= 'Z')
            octet += 'a' - 'A';
        if (octet != word[i]) /* its NUL stops a longer one */
            return false;
    }
    return word[size] == '\0';
}

static int on_header_value_complete(llhttp_t *parser) {
    struct messages *messages = parser->data;
    messages->to_websocket |= is_word(messages->name, messages->name_size, sizeof messages->name, "upgrade") &&
                              is_word(messages->value, messages->value_size, sizeof messages->value, "websocket");
    messages->name_size = messages->value_size = 0;
    tell(messages, MESSAGES_FIELD_END, NULL, 0);
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct messages *messages = parser->data;
    messages->head = true;
    tell(messages, MESSAGES_HEAD_END, NULL, 0);
    if (parser->type == HTTP_REQUEST) {
        messages->method = llhttp_method_name(parser->method);
        messages->kind = parser->method == HTTP_HEAD ? MESSAGES_HEAD : parser->method == HTTP_CONNECT ? MESSAGES_CONNECT : MESSAGES_OTHER;
        return 0;
    }
    messages->status = parser->status_code;
    if (is_interim(parser))
        return 1; /* whatever it says, nothing but its head */
    messages->kind = messages->answered(messages->context);
    messages->upgrade = parser->status_code == 101 || (messages->kind == MESSAGES_CONNECT && parser->status_code / 100 == 2);
    return messages->upgrade ? 2 : messages->kind == MESSAGES_HEAD;
}

static int on_body(llhttp_t *parser, const char *data, size_t size) {
    struct messages *messages = parser->data;
    tell(messages, MESSAGES_CONTENT, data, size);
    messages->content += size;
    return 0;
}

static void complete(struct messages *messages) {
    messages->under_way = false;
    messages->closing = !llhttp_should_keep_alive(&messages->parser);
    if (messages->parser.type == HTTP_REQUEST)
        messages->upgrade = messages->parser.upgrade;
}

static int on_message_complete(llhttp_t *parser) {
    complete(parser->data);
    return HPE_PAUSED; /* one message at a time */
}

static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_status_complete = on_status_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void messages_init_requests(struct messages *messages) {
    *messages = (struct messages){.method = ""};
    llhttp_init(&messages->parser, HTTP_REQUEST, &SETTINGS);
    messages->parser.data = messages;
}

void messages_init_responses(struct messages *messages, enum messages_kind (*answered)(void *context), void *context) {
    *messages = (struct messages){.method = "", .answered = answered, .context = context};
    llhttp_init(&messages->parser, HTTP_RESPONSE, &SETTINGS);
    messages->parser.data = messages;
}

static void begin(struct messages *messages) {
    messages->under_way = true;
    messages->head = messages->closing = messages->upgrade = messages->to_websocket = false;
    messages->kind = MESSAGES_OTHER;
    messages->status = 0;
    messages->target_size = messages->name_size = messages->value_size = 0;
    messages->content = 0;
    /* Each message starts afresh: one that closes the connection may be followed by more all the same. */
    llhttp_reset(&messages->parser);
}

enum messages_result messages_feed(struct messages *messages, const char *data, size_t size, size_t *taken) {
    size_t blank = 0;
    if (!messages->under_way) {
        while (blank < size && (data[blank] == '\r' || data[blank] == '\n')) /* before a message these mean nothing */
            blank++;
        *taken = blank;
        if (blank == size)
            return MESSAGES_MORE;
        begin(messages);
    }
    enum llhttp_errno error = llhttp_execute(&messages->parser, data + blank, size - blank);
    *taken = size;
    if (error == HPE_OK)
        return MESSAGES_MORE;
    if (error != HPE_PAUSED)
        return MESSAGES_BROKEN;
    *taken = (size_t)(llhttp_get_error_pos(&messages->parser) - data);
    return MESSAGES_COMPLETE;
}

enum messages_result messages_end(struct messages *messages) {
    if (!messages->under_way || !messages->head || !llhttp_message_needs_eof(&messages->parser))
        return MESSAGES_MORE;
    complete(messages);
    messages->closing = true;
    return MESSAGES_COMPLETE;
}
