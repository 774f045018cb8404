/* request.c: see request.h. */
#include "request.h"

#include <string.h>

#include "ascii.h"
#include "host.h"

#define FIELDS_FIRST 16u

/* What an idle connection may keep of the room that its heads took. */
#define TEXT_KEPT 4096u
#define FIELDS_KEPT 64u

/* Of llhttp's flags, those by which it goes on behind a request or drops what comes. */
#define CONNECTION (F_CONNECTION_CLOSE | F_CONNECTION_KEEP_ALIVE)

static int fail(struct request_parser *parser, enum request_result failure) {
    parser->failure = failure;
    return HPE_USER;
}

static bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

static bool in_trailers(const llhttp_t *llhttp) { return (llhttp->flags & F_TRAILING) != 0; }

static int add_text(struct request_parser *parser, const char *data, size_t size) {
    return buffer_append(&parser->text, parser->allocator, data, size) == 0 ? 0 : fail(parser, REQUEST_NO_MEMORY);
}

static void start_over(struct request_parser *parser) {
    if (parser->text.capacity > TEXT_KEPT)
        buffer_free(&parser->text, parser->allocator);
    else
        buffer_take(&parser->text, parser->text.size);
    if (parser->field_capacity > FIELDS_KEPT) {
        allocator_free(parser->allocator, parser->fields);
        parser->fields = NULL;
        parser->field_capacity = 0;
    }
    parser->field_count = 0;
    parser->target_size = 0;
}

static void set_run(struct request_parser *parser, const char *start) {
    parser->run = start;
    parser->run_size = 0;
}

static int on_method(llhttp_t *llhttp, const char *data, size_t size) {
    struct request_parser *parser = llhttp->data;
    (void)size;
    if (!parser->within)
        set_run(parser, data);
    parser->within = true;
    return 0;
}

/* llhttp reads RTSP and ICE, too, and knows which letters belong to which. */
static int on_protocol(llhttp_t *llhttp, const char *data, size_t size) {
    return size != 0 && (*data == 'R' || *data == 'I') ? fail(llhttp->data, REQUEST_INVALID) : 0;
}

static int on_url(llhttp_t *llhttp, const char *data, size_t size) {
    struct request_parser *parser = llhttp->data;
    parser->target_size += (uint32_t)size;
    return add_text(parser, data, size);
}

static int on_header_field(llhttp_t *llhttp, const char *data, size_t size) {
    struct request_parser *parser = llhttp->data;
    if (in_trailers(llhttp))
        return 0;
    char *name = buffer_room(&parser->text, parser->allocator, size);
    if (!name)
        return fail(parser, REQUEST_NO_MEMORY);
    for (size_t i = 0; i < size; i++)
        name[i] = ascii_lower(data[i]);
    buffer_added(&parser->text, size);
    parser->name_size += (uint32_t)size;
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *data, size_t size) {
    struct request_parser *parser = llhttp->data;
    if (in_trailers(llhttp))
        return 0;
    parser->value_size += (uint32_t)size;
    return add_text(parser, data, size);
}

static int grow_fields(struct request_parser *parser) {
    size_t capacity = parser->field_capacity != 0 ? parser->field_capacity * 2 : FIELDS_FIRST;
    struct request_field *fields = parser->allocator->resize(parser->allocator->context, parser->fields, capacity * sizeof *fields);
    if (!fields)
        return fail(parser, REQUEST_NO_MEMORY);
    parser->fields = fields;
    parser->field_capacity = capacity;
    return 0;
}

static int on_header_value_complete(llhttp_t *llhttp) {
    struct request_parser *parser = llhttp->data;
    if (in_trailers(llhttp))
        return 0;
    /* Told here, at a place that does not depend on how the bytes were cut. */
    if (parser->field_count == REQUEST_FIELDS_MAX)
        return fail(parser, REQUEST_TOO_LARGE);
    if (parser->field_count == parser->field_capacity && grow_fields(parser) != 0)
        return HPE_USER;
    const char *text = buffer_bytes(&parser->text);
    uint32_t value = (uint32_t)parser->text.size - parser->value_size, end = value + parser->value_size;
    while (end > value && is_blank(text[end - 1]))
        end--;
    parser->fields[parser->field_count++] = (struct request_field){
        .name = value - parser->name_size, .name_size = parser->name_size, .value = value, .value_size = end - value};
    parser->name_size = parser->value_size = 0;
    return 0;
}

/* Make a head of what was collected. False: it is none that is served. Of versions, llhttp passes 0.9, 1.0, 1.1 and 2.0. */
static bool read_head(const struct request_parser *parser, struct request_head *head) {
    const llhttp_t *llhttp = &parser->llhttp;
    if (llhttp->http_major != 1 || llhttp->method == HTTP_CONNECT)
        return false;
    bool old = llhttp->http_minor == 0;
    *head = (struct request_head){.text = buffer_bytes(&parser->text),
                                  .fields = parser->fields,
                                  .field_count = parser->field_count,
                                  .method = llhttp->method,
                                  .minor = llhttp->http_minor,
                                  .keep_alive = !old && llhttp_should_keep_alive(llhttp),
                                  .upgrade_offered = !old && llhttp->upgrade,
                                  .has_content = (llhttp->flags & F_CHUNKED) || llhttp->content_length != 0,
                                  .target_size = parser->target_size};
    size_t hosts = 0;
    for (size_t i = 0; i < parser->field_count; i++) {
        const struct request_field *field = &parser->fields[i];
        const char *name = head->text + field->name, *value = head->text + field->value;
        if (field->name_size == 4 && memcmp(name, "host", 4) == 0) {
            if (++hosts > 1 || !host_valid(value, field->value_size))
                return false;
        } else if (field->name_size == 6 && memcmp(name, "expect", 6) == 0) {
            head->expects_continue |= !old && ascii_is(value, field->value_size, "100-continue");
        }
    }
    return (hosts == 1 || old) && target_parse(head->text, parser->target_size, &head->target);
}

static int on_headers_complete(llhttp_t *llhttp) {
    struct request_parser *parser = llhttp->data;
    struct request_head head;
    if (!read_head(parser, &head))
        return fail(parser, REQUEST_INVALID);
    parser->connection = llhttp->flags & CONNECTION;
    llhttp->upgrade = 0; /* so that llhttp takes content for content, and goes on behind it */
    switch (parser->events->head(parser->owner, &head)) {
    case 0:
        break;
    case 1:
        parser->within = false;
        parser->failure = REQUEST_UPGRADED;
        return 2; /* llhttp's: no content, and nothing behind */
    default:
        return fail(parser, REQUEST_STOPPED);
    }
    start_over(parser);
    if (llhttp->content_length != 0)
        set_run(parser, NULL);
    return 0;
}

static int on_chunk_header(llhttp_t *llhttp) {
    if (llhttp->content_length != 0)
        set_run(llhttp->data, NULL);
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t size) {
    struct request_parser *parser = llhttp->data;
    if (llhttp->content_length == 0) /* the last of the chunk, or of all */
        set_run(parser, data + size);
    return parser->events->content(parser->owner, data, size) == 0 ? 0 : fail(parser, REQUEST_STOPPED);
}

static int on_message_complete(llhttp_t *llhttp) {
    struct request_parser *parser = llhttp->data;
    if (parser->failure == REQUEST_UPGRADED)
        return 0;
    llhttp->flags = (uint16_t)((llhttp->flags & ~CONNECTION) | parser->connection); /* a trailer field says nothing of the connection */
    parser->within = false;
    set_run(parser, NULL);
    switch (parser->events->end(parser->owner)) {
    case 0:
        return 0;
    case 1:
        return HPE_PAUSED;
    default:
        return fail(parser, REQUEST_STOPPED);
    }
}

static const llhttp_settings_t SETTINGS = {
    .on_method = on_method,
    .on_protocol = on_protocol,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void request_parser_init(struct request_parser *parser, const struct allocator *allocator, const struct request_events *events,
                         void *owner) {
    *parser = (struct request_parser){.allocator = allocator, .events = events, .owner = owner};
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &SETTINGS);
    llhttp_set_lenient_data_after_close(&parser->llhttp, 1);
    parser->llhttp.data = parser;
}

enum request_result request_parser_feed(struct request_parser *parser, const char *data, size_t size, size_t *taken) {
    *taken = size;
    const char *start = data;
    if (parser->failure == REQUEST_OK)
        llhttp_resume(&parser->llhttp);
    while (size != 0 && parser->failure == REQUEST_OK) {
        /* llhttp gets no more than may come in a row without being content: so the bound is passed at a portion's end, or not at all,
         * however the bytes were cut. */
        size_t portion = REQUEST_HEAD_MAX - parser->run_size;
        if (portion > size)
            portion = size;
        if (portion == 0) {
            parser->failure = REQUEST_TOO_LARGE;
            break;
        }
        if (parser->run)
            parser->run = data;
        llhttp_errno_t error = llhttp_execute(&parser->llhttp, data, portion);
        if (error == HPE_PAUSED_UPGRADE && parser->failure == REQUEST_UPGRADED) {
            *taken = (size_t)(llhttp_get_error_pos(&parser->llhttp) - start);
            return REQUEST_UPGRADED;
        }
        if (error == HPE_PAUSED) {
            *taken = (size_t)(llhttp_get_error_pos(&parser->llhttp) - start);
            return REQUEST_HELD;
        }
        if (error != HPE_OK && parser->failure == REQUEST_OK)
            parser->failure = REQUEST_INVALID;
        data += portion;
        size -= portion;
        if (parser->run)
            parser->run_size += (size_t)(data - parser->run);
    }
    return parser->failure;
}

bool request_parser_within(const struct request_parser *parser) { return parser->within && parser->failure == REQUEST_OK; }

void request_parser_free(struct request_parser *parser) {
    buffer_free(&parser->text, parser->allocator);
    allocator_free(parser->allocator, parser->fields);
    parser->fields = NULL;
    parser->field_count = parser->field_capacity = 0;
}

const char *request_method_name(uint8_t method) { return llhttp_method_name((llhttp_method_t)method); }
