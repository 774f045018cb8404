#include "requests.h"

#include <string.h>

#include "memory.h"

#define REQUESTS_FIRST 4u
#define TARGET_FIRST 64u

static int out_of_memory(struct requests *requests) {
    requests->out_of_memory = true;
    requests->error = "OUT_OF_MEMORY";
    return -1;
}

static int on_method_complete(llhttp_t *parser) {
    struct requests *requests = parser->data;
    if (requests->count == REQUESTS_COUNT_MAX) {
        requests->error = "REQUESTS_TOO_MANY";
        return -1;
    }
    size_t needed = requests->count + 1;
    struct request *grown = memory_grow(&requests->allocator, requests->requests, &requests->capacity,
                                        needed < REQUESTS_FIRST ? REQUESTS_FIRST : needed, sizeof *grown);
    if (!grown)
        return out_of_memory(requests);
    requests->requests = grown;
    requests->target_capacity = 0;
    requests->target_complete = false;
    grown[requests->count++] = (struct request){.method = llhttp_method_name(parser->method)};
    return 0;
}

static struct request *last(struct requests *requests) { return &requests->requests[requests->count - 1]; }

static int on_url(llhttp_t *parser, const char *data, size_t size) {
    struct requests *requests = parser->data;
    struct request *request = last(requests);
    size_t room = REQUESTS_TARGET_MAX - request->target_kept;
    size_t kept = size < room ? size : room;
    if (kept > 0) {
        size_t needed = request->target_kept + kept;
        char *target = memory_grow(&requests->allocator, request->target, &requests->target_capacity,
                                   needed < TARGET_FIRST ? TARGET_FIRST : needed, 1);
        if (!target)
            return out_of_memory(requests);
        request->target = target;
        memcpy(target + request->target_kept, data, kept);
        request->target_kept = needed;
    }
    request->target_size += size;
    return 0;
}

static int on_url_complete(llhttp_t *parser) {
    struct requests *requests = parser->data;
    requests->target_complete = true;
    return 0;
}

/* Keep what fits; the size goes on counting, so what did not fit can be told. */
static void keep(char *kept, size_t room, size_t *kept_size, const char *data, size_t size) {
    if (*kept_size < room)
        memcpy(kept + *kept_size, data, size < room - *kept_size ? size : room - *kept_size);
    *kept_size += size;
}

static int on_header_field(llhttp_t *parser, const char *data, size_t size) {
    struct requests *requests = parser->data;
    keep(requests->name, sizeof requests->name, &requests->name_size, data, size);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *data, size_t size) {
    struct requests *requests = parser->data;
    keep(requests->value, sizeof requests->value, &requests->value_size, data, size);
    return 0;
}

static bool is_word(const char *data, size_t size, const char *word) {
    while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\t'))
        size--;
    for (size_t i = 0; i < size; i++) {
        char byte = data[i];
        if (byte >= 'A' && byte <= 'Z')
            byte += 'a' - 'A';
        if (byte != word[i]) /* its NUL stops a longer one */
            return false;
    }
    return word[size] == '\0';
}

static int on_header_value_complete(llhttp_t *parser) {
    struct requests *requests = parser->data;
    struct request *request = last(requests);
    bool whole = !request->head_complete && requests->name_size <= sizeof requests->name && requests->value_size <= sizeof requests->value;
    if (whole && is_word(requests->name, requests->name_size, "expect") && is_word(requests->value, requests->value_size, "100-continue"))
        request->expects_continue = true;
    if (whole && request->key_size == 0 && is_word(requests->name, requests->name_size, "sec-websocket-key")) {
        while (requests->value_size > 0 &&
               (requests->value[requests->value_size - 1] == ' ' || requests->value[requests->value_size - 1] == '\t'))
            requests->value_size--;
        memcpy(request->key, requests->value, requests->value_size);
        request->key_size = requests->value_size;
    }
    requests->name_size = requests->value_size = 0;
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct requests *requests = parser->data;
    last(requests)->head_complete = true;
    /* Tolerant as it is here, llhttp would take all that follows for this request's content. */
    if ((parser->flags & F_TRANSFER_ENCODING) && !(parser->flags & F_CHUNKED)) {
        requests->error = llhttp_errno_name(HPE_INVALID_TRANSFER_ENCODING);
        return -1;
    }
    return 0;
}

static int on_message_complete(llhttp_t *parser) {
    struct requests *requests = parser->data;
    last(requests)->complete = true;
    requests->complete++;
    requests->under_way = false;
    if (parser->upgrade)
        requests->state = REQUESTS_UPGRADED;
    else if (!llhttp_should_keep_alive(parser))
        requests->state = REQUESTS_CLOSED;
    return HPE_PAUSED; /* one request at a time */
}

static const llhttp_settings_t SETTINGS = {
    .on_method_complete = on_method_complete,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

void requests_init(struct requests *requests, const struct exchange_allocator *allocator) {
    memset(requests, 0, sizeof *requests);
    requests->error = "";
    requests->allocator = memory_allocator(allocator);
    llhttp_init(&requests->parser, HTTP_REQUEST, &SETTINGS);
    requests->parser.data = requests;
    llhttp_set_lenient_headers(&requests->parser, 1);
    llhttp_set_lenient_version(&requests->parser, 1);
    llhttp_set_lenient_chunked_length(&requests->parser, 1);
    llhttp_set_lenient_optional_cr_before_lf(&requests->parser, 1);
    llhttp_set_lenient_spaces_after_chunk_size(&requests->parser, 1);
}

static void give_up(struct requests *requests, enum llhttp_errno error) {
    requests->state = REQUESTS_BROKEN;
    if (requests->error[0] == '\0')
        requests->error = llhttp_errno_name(error);
    /* How much llhttp hands out of a target before it finds it bad depends on how the bytes were cut. */
    if (requests->count > requests->complete && !requests->target_complete)
        last(requests)->target_kept = last(requests)->target_size = 0;
}

int requests_feed(struct requests *requests, const char *data, size_t size) {
    while (size > 0 && requests->state == REQUESTS_FOLLOWED) {
        if (!requests->under_way) {
            if (*data == '\r' || *data == '\n') { /* before a request line these mean nothing */
                data++;
                size--;
                continue;
            }
            requests->under_way = true;
            requests->name_size = requests->value_size = 0;
            llhttp_reset(&requests->parser);
        }
        enum llhttp_errno error = llhttp_execute(&requests->parser, data, size);
        if (error == HPE_PAUSED) {
            size_t taken = (size_t)(llhttp_get_error_pos(&requests->parser) - data);
            data += taken;
            size -= taken;
        } else {
            size = 0;
            if (error != HPE_OK)
                give_up(requests, error);
        }
    }
    return requests->out_of_memory ? -1 : 0;
}

void requests_free(struct requests *requests) {
    for (size_t i = 0; i < requests->count; i++)
        memory_free(&requests->allocator, requests->requests[i].target);
    memory_free(&requests->allocator, requests->requests);
    requests->requests = NULL;
    requests->count = requests->capacity = 0;
}

enum response_to requests_answered_by(void *context, size_t index) {
    const struct requests *requests = context;
    /* Before its head is whole a server cannot go by its method either: it refuses, or has lost patience. */
    if (index >= requests->count || !requests->requests[index].head_complete)
        return RESPONSE_TO_OTHER;
    if (strcmp(requests->requests[index].method, "HEAD") == 0)
        return RESPONSE_TO_HEAD;
    return strcmp(requests->requests[index].method, "CONNECT") == 0 ? RESPONSE_TO_CONNECT : RESPONSE_TO_OTHER;
}
