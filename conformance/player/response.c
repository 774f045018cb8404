#include "response.h"

#include <string.h>

#include "../../spec/observer/recorder/trace.h"
#include "memory.h"

static const char MARKED[] = "bridgecheck-next";

#define TEXT_FIRST 512u /* room for the fields of most responses */
#define FIELDS_FIRST 16u
#define CONTENT_FIRST 1024u

const char *response_framing_name(enum response_framing framing) {
    switch (framing) {
    case RESPONSE_NONE:
        return "none";
    case RESPONSE_CONTENT_LENGTH:
        return "content-length";
    case RESPONSE_CHUNKED:
        return "chunked";
    case RESPONSE_CLOSE:
        break;
    }
    return "close";
}

/* The response whose content is under way; in RESPONSE_IN_BODY only. */
static struct response *current(struct response_reader *reader) {
    return reader->is_marked ? &reader->skipped : &reader->responses[reader->count - 1];
}

static struct response_head *growing(struct response_reader *reader) {
    return reader->phase == RESPONSE_IN_HEAD ? &reader->head : &current(reader)->head;
}

static int out_of_memory(struct response_reader *reader) {
    reader->out_of_memory = true;
    reader->failure = "OUT_OF_MEMORY";
    return -1;
}

static void free_head(const struct response_reader *reader, struct response_head *head) {
    memory_free(&reader->allocator, head->text);
    memory_free(&reader->allocator, head->fields);
    memset(head, 0, sizeof *head);
}

static void put_rest(struct response_reader *reader, const char *data, size_t size) {
    size_t room = RESPONSE_REST_MAX - reader->rest_size;
    size_t kept = size < room ? size : room;
    memcpy(reader->rest + reader->rest_size, data, kept);
    reader->rest_size += kept;
    reader->rest_total += size;
}

static void clear_rest(struct response_reader *reader) { reader->rest_size = reader->rest_total = 0; }

/* Text of the head that grows. What passes a bound is dropped, and told at the end of the field: where a response breaks must not depend on
 * how its bytes were cut. */
static int put_text(struct response_reader *reader, const char *data, size_t size) {
    struct response_head *head = growing(reader);
    if (reader->failure)
        return 0;
    if (size > RESPONSE_TEXT_MAX - head->text_size) {
        reader->failure = "FIELDS_TOO_LARGE";
        return 0;
    }
    if (size > RESPONSE_HELD_MAX - reader->held) {
        reader->failure = "HELD_TOO_MUCH";
        return 0;
    }
    if (size == 0)
        return 0;
    size_t needed = head->text_size + size;
    char *text = memory_grow(&reader->allocator, head->text, &reader->text_capacity, needed < TEXT_FIRST ? TEXT_FIRST : needed, 1);
    if (!text)
        return out_of_memory(reader);
    head->text = text;
    memcpy(text + head->text_size, data, size);
    head->text_size = needed;
    reader->held += size;
    return 0;
}

static int on_status(llhttp_t *parser, const char *data, size_t size) {
    struct response_reader *reader = parser->data;
    reader->head.reason_size += (uint32_t)size; /* alone in the text so far, from place 0 */
    return put_text(reader, data, size);
}

static int on_status_complete(llhttp_t *parser) {
    const struct response_reader *reader = parser->data;
    return reader->failure ? -1 : 0;
}

static int on_header_field(llhttp_t *parser, const char *data, size_t size) {
    struct response_reader *reader = parser->data;
    if (reader->field.name_size == 0)
        reader->field.name = (uint32_t)growing(reader)->text_size;
    reader->field.name_size += (uint32_t)size;
    return put_text(reader, data, size);
}

static int on_header_field_complete(llhttp_t *parser) {
    struct response_reader *reader = parser->data;
    reader->field.value = (uint32_t)growing(reader)->text_size;
    return reader->failure ? -1 : 0;
}

static int on_header_value(llhttp_t *parser, const char *data, size_t size) {
    struct response_reader *reader = parser->data;
    reader->field.value_size += (uint32_t)size;
    return put_text(reader, data, size);
}

static int on_header_value_complete(llhttp_t *parser) {
    struct response_reader *reader = parser->data;
    struct response_head *head = growing(reader);
    size_t count = head->field_count + head->trailer_count;
    if (!reader->failure && count == RESPONSE_FIELDS_MAX)
        reader->failure = "FIELDS_TOO_MANY";
    if (!reader->failure && sizeof *head->fields > RESPONSE_HELD_MAX - reader->held)
        reader->failure = "HELD_TOO_MUCH";
    if (reader->failure)
        return -1;
    struct response_field *fields = memory_grow(&reader->allocator, head->fields, &reader->field_capacity,
                                                count < FIELDS_FIRST ? FIELDS_FIRST : count + 1, sizeof *fields);
    if (!fields)
        return out_of_memory(reader);
    head->fields = fields;
    fields[count] = reader->field;
    reader->held += sizeof *fields;
    memset(&reader->field, 0, sizeof reader->field);
    if (reader->phase == RESPONSE_IN_HEAD)
        head->field_count++;
    else
        head->trailer_count++;
    return 0;
}

static bool is_name(const char *data, size_t size, const char *name) {
    for (size_t i = 0; i < size; i++) {
        char byte = data[i];
        if (byte >= 'A' && byte <= 'Z')
            byte += 'a' - 'A';
        if (byte != name[i]) /* its NUL stops a longer one */
            return false;
    }
    return name[size] == '\0';
}

static bool opens_websocket(const struct response_head *head) {
    for (size_t i = 0; head->status == 101 && i < head->field_count; i++) {
        const struct response_field *field = &head->fields[i];
        const char *value = response_text(head, field->value);
        size_t size = field->value_size;
        while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
            size--;
        if (is_name(response_text(head, field->name), field->name_size, "upgrade") && is_name(value, size, "websocket"))
            return true;
    }
    return false;
}

static bool is_marked(const struct response_reader *reader) {
    const struct response_head *head = &reader->head;
    for (size_t i = 0; reader->token_size > 0 && i < head->field_count; i++) {
        const struct response_field *field = &head->fields[i];
        if (field->value_size == reader->token_size && is_name(response_text(head, field->name), field->name_size, MARKED) &&
            memcmp(response_text(head, field->value), reader->token, reader->token_size) == 0)
            return true;
    }
    return false;
}

/* The response that the head under way belongs to: the last one while it has only interim responses, else a new one. NULL: out of memory.
 */
static struct response *place(struct response_reader *reader) {
    if (reader->count > 0 && reader->responses[reader->count - 1].head.status == 0)
        return &reader->responses[reader->count - 1];
    struct response *responses =
        memory_grow(&reader->allocator, reader->responses, &reader->capacity, reader->count + 1, sizeof *responses);
    if (!responses) {
        out_of_memory(reader);
        return NULL;
    }
    reader->responses = responses;
    struct response *response = &responses[reader->count++];
    memset(response, 0, sizeof *response);
    response->content_hash = trace_hash_start();
    return response;
}

/* Put the head under way among the interim responses of RESPONSE. They are few: one allocation each. */
static int put_interim(struct response_reader *reader, struct response *response) {
    size_t capacity = response->interim_count;
    struct response_head *interim =
        memory_grow(&reader->allocator, response->interim, &capacity, response->interim_count + 1, sizeof *interim);
    if (!interim)
        return out_of_memory(reader);
    response->interim = interim;
    interim[response->interim_count++] = reader->head;
    response->last_byte = reader->now;
    memset(&reader->head, 0, sizeof reader->head);
    reader->interims++;
    return 0;
}

static enum response_framing framing(const llhttp_t *parser, bool no_content) {
    unsigned status = parser->status_code;
    if (no_content || status == 101 || status == 204 || status == 304)
        return RESPONSE_NONE;
    if (parser->flags & F_CHUNKED)
        return RESPONSE_CHUNKED;
    return llhttp_message_needs_eof(parser) ? RESPONSE_CLOSE : RESPONSE_CONTENT_LENGTH;
}

/* To llhttp: 0 go on, 1 no content follows, 2 what follows is not HTTP. */
static int on_headers_complete(llhttp_t *parser) {
    struct response_reader *reader = parser->data;
    if (parser->status_code < 100) { /* 0 stands for a response of which only interim ones have come */
        reader->failure = "STATUS_TOO_SMALL";
        return -1;
    }
    reader->head.version_major = parser->http_major;
    reader->head.version_minor = parser->http_minor;
    reader->head.status = parser->status_code;
    bool interim = parser->status_code / 100 == 1 && parser->status_code != 101;
    bool marked = !interim && is_marked(reader);

    struct response *response = marked ? &reader->skipped : place(reader);
    if (!response)
        return -1;
    if (interim)
        return put_interim(reader, response) == 0 ? 1 : -1;

    enum response_to to = reader->to ? reader->to(reader->to_context, reader->index) : RESPONSE_TO_OTHER;
    reader->index++;
    bool tunnel = to == RESPONSE_TO_CONNECT && parser->status_code / 100 == 2;
    reader->is_marked = marked;
    reader->is_upgrade = tunnel || parser->status_code == 101;
    reader->websocket = opens_websocket(&reader->head);
    if (marked) {
        free_head(reader, &response->head);
        memset(response, 0, sizeof *response);
    } else {
        reader->heads++;
    }
    response->head = reader->head;
    memset(&reader->head, 0, sizeof reader->head);
    response->framing = framing(parser, tunnel || to == RESPONSE_TO_HEAD);
    response->last_byte = reader->now;
    reader->phase = RESPONSE_IN_BODY;
    clear_rest(reader);
    return reader->is_upgrade ? 2 : to == RESPONSE_TO_HEAD;
}

static int on_chunk_header(llhttp_t *parser) {
    struct response_reader *reader = parser->data;
    if (parser->content_length > 0)
        current(reader)->pieces++;
    return 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t size) {
    struct response_reader *reader = parser->data;
    struct response *response = current(reader);
    if (response->framing != RESPONSE_CHUNKED)
        response->pieces++; /* llhttp hands out all that one feed has of it at once */
    if (reader->is_marked)
        return 0;
    size_t room = RESPONSE_CONTENT_MAX - response->content_kept;
    if (room > RESPONSE_HELD_MAX - reader->held)
        room = RESPONSE_HELD_MAX - reader->held;
    size_t kept = size < room ? size : room;
    if (kept > 0) {
        size_t needed = response->content_kept + kept;
        char *content = memory_grow(&reader->allocator, response->content, &reader->content_capacity,
                                    needed < CONTENT_FIRST ? CONTENT_FIRST : needed, 1);
        if (!content)
            return out_of_memory(reader);
        response->content = content;
        memcpy(content + response->content_kept, data, kept);
        response->content_kept = needed;
        reader->held += kept;
    }
    response->content_size += size;
    response->content_hash = trace_hash(response->content_hash, (const unsigned char *)data, size);
    return 0;
}

static void complete(struct response_reader *reader) {
    struct response *response = current(reader);
    response->complete = true;
    if (reader->is_marked) {
        reader->marked = true;
        reader->marked_at = response->last_byte;
    } else {
        reader->complete++;
    }
    reader->phase = reader->is_upgrade ? RESPONSE_UPGRADED : RESPONSE_BETWEEN;
}

static int on_message_complete(llhttp_t *parser) {
    struct response_reader *reader = parser->data;
    if (reader->phase == RESPONSE_IN_HEAD) { /* an interim response */
        reader->phase = RESPONSE_BETWEEN;
        clear_rest(reader);
    } else {
        current(reader)->last_byte = reader->now;
        reader->closing = !llhttp_should_keep_alive(parser);
        complete(reader);
    }
    return HPE_PAUSED; /* what comes next is looked at here first */
}

static const llhttp_settings_t SETTINGS = {
    .on_status = on_status,
    .on_status_complete = on_status_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void response_reader_init(struct response_reader *reader, const char *token, size_t token_size, response_to_cb to, void *to_context,
                          const struct exchange_allocator *allocator) {
    memset(reader, 0, sizeof *reader);
    reader->error = "";
    reader->allocator = memory_allocator(allocator);
    reader->to = to;
    reader->to_context = to_context;
    reader->token_size = token_size < RESPONSE_TOKEN_MAX ? token_size : RESPONSE_TOKEN_MAX;
    if (reader->token_size > 0)
        memcpy(reader->token, token, reader->token_size);
    llhttp_init(&reader->parser, HTTP_RESPONSE, &SETTINGS);
    reader->parser.data = reader;
    llhttp_set_lenient_version(&reader->parser, 1);
    llhttp_set_lenient_chunked_length(&reader->parser, 1);
}

static void give_up(struct response_reader *reader, const char *error) {
    reader->phase = RESPONSE_BROKEN;
    reader->error = error;
}

/* At the first byte of a message: may there be one? */
static void begin(struct response_reader *reader) {
    clear_rest(reader);
    if (reader->closing) {
        give_up(reader, llhttp_errno_name(HPE_CLOSED_CONNECTION));
    } else if (reader->index + reader->interims >= RESPONSE_COUNT_MAX) {
        give_up(reader, "RESPONSES_TOO_MANY");
    } else {
        /* Each message starts afresh: an interim response in HTTP/1.0, say, must not end the connection. */
        llhttp_reset(&reader->parser);
        reader->text_capacity = reader->field_capacity = reader->content_capacity = 0;
        reader->head.first_byte = reader->now;
        reader->phase = RESPONSE_IN_HEAD;
    }
}

/* Let llhttp look at SIZE bytes, of one message at most. Returns how many it took. */
static size_t parse(struct response_reader *reader, const char *data, size_t size) {
    enum llhttp_errno error = llhttp_execute(&reader->parser, data, size);
    if (error == HPE_PAUSED)
        return (size_t)(llhttp_get_error_pos(&reader->parser) - data);
    if (error == HPE_OK) {
        if (reader->phase == RESPONSE_IN_HEAD)
            put_rest(reader, data, size);
        else
            current(reader)->last_byte = reader->now;
        return size;
    }
    size_t good = 0;
    if (reader->phase == RESPONSE_IN_HEAD)
        free_head(reader, &reader->head);
    else
        good = (size_t)(llhttp_get_error_pos(&reader->parser) - data);
    give_up(reader, reader->failure ? reader->failure : llhttp_errno_name(error));
    return good;
}

int response_reader_feed(struct response_reader *reader, const char *data, size_t size, uint64_t now) {
    reader->now = now;
    while (size > 0 && !(reader->phase == RESPONSE_UPGRADED && reader->websocket)) {
        size_t taken = 0;
        switch (reader->phase) {
        case RESPONSE_BETWEEN:
            if (*data == '\r' || *data == '\n') {
                reader->stray++;
                taken = 1;
            } else {
                begin(reader);
            }
            break;
        case RESPONSE_IN_HEAD:
        case RESPONSE_IN_BODY:
            taken = parse(reader, data, size);
            break;
        case RESPONSE_UPGRADED:
        case RESPONSE_BROKEN:
            put_rest(reader, data, size);
            taken = size;
            break;
        }
        data += taken;
        size -= taken;
    }
    reader->untaken = size;
    return reader->out_of_memory ? -1 : 0;
}

void response_reader_eof(struct response_reader *reader) {
    if (reader->phase == RESPONSE_IN_HEAD) {
        free_head(reader, &reader->head);
        give_up(reader, llhttp_errno_name(HPE_INVALID_EOF_STATE));
    } else if (reader->phase == RESPONSE_IN_BODY && current(reader)->framing == RESPONSE_CLOSE) {
        reader->closing = true;
        complete(reader);
    }
}

void response_reader_free(struct response_reader *reader) {
    free_head(reader, &reader->head);
    free_head(reader, &reader->skipped.head);
    for (size_t i = 0; i < reader->count; i++) {
        struct response *response = &reader->responses[i];
        free_head(reader, &response->head);
        for (size_t j = 0; j < response->interim_count; j++)
            free_head(reader, &response->interim[j]);
        memory_free(&reader->allocator, response->interim);
        memory_free(&reader->allocator, response->content);
    }
    memory_free(&reader->allocator, reader->responses);
    reader->responses = NULL;
    reader->count = reader->capacity = 0;
}
