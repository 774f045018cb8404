/* handshake_answer.c: see handshake_answer.h. */
#include "handshake_answer.h"

#include <stdio.h>
#include <string.h>

#include "ascii.h"

/* A response under way; after the first failure nothing is added. */
struct writing {
    struct buffer *out;
    const struct allocator *allocator;
    size_t before; /* bytes of OUT */
    bool no_memory;
};

static void write_bytes(struct writing *writing, const char *bytes, size_t size) {
    if (!writing->no_memory && buffer_append(writing->out, writing->allocator, bytes, size) != 0)
        writing->no_memory = true;
}

static void write_text(struct writing *writing, const char *text) { write_bytes(writing, text, strlen(text)); }

static void write_field(struct writing *writing, const char *name, size_t name_size, bool lowered, const char *value, size_t value_size) {
    for (size_t i = 0; i < name_size; i++) {
        char octet = lowered ? ascii_lower(name[i]) : name[i];
        write_bytes(writing, &octet, 1);
    }
    write_text(writing, ": ");
    write_bytes(writing, value, value_size);
    write_text(writing, "\r\n");
}

static void write_status(struct writing *writing, unsigned status, const char *reason, size_t reason_size) {
    char line[24];
    write_bytes(writing, line, (size_t)snprintf(line, sizeof line, "HTTP/1.1 %u ", status));
    write_bytes(writing, reason, reason_size);
    write_text(writing, "\r\n");
}

static enum response_fault end_writing(struct writing *writing) {
    if (!writing->no_memory)
        return RESPONSE_OK;
    writing->out->size = writing->before;
    return RESPONSE_NO_MEMORY;
}

static enum response_fault check_fields(const struct response_field *fields, size_t count, size_t *fault_field) {
    for (*fault_field = 0; *fault_field < count; ++*fault_field) {
        enum response_fault fault = response_field_check(&fields[*fault_field]);
        if (fault != RESPONSE_OK)
            return fault;
    }
    return RESPONSE_OK;
}

static bool has_field(const struct response_field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (ascii_is(fields[i].name, fields[i].name_size, name))
            return true;
    return false;
}

static void write_usual(struct writing *writing, const struct date *date, const struct response_field *fields, size_t count, bool measured,
                        size_t size) {
    char length[24];
    if (!has_field(fields, count, "date"))
        write_field(writing, "Date", 4, false, date->text, date->size);
    if (!has_field(fields, count, "connection"))
        write_field(writing, "Connection", 10, false, "close", 5);
    if (measured && !has_field(fields, count, "content-length"))
        write_field(writing, "Content-Length", 14, false, length, (size_t)snprintf(length, sizeof length, "%zu", size));
    if (!has_field(fields, count, "content-type"))
        write_field(writing, "Content-Type", 12, false, "text/plain; charset=utf-8", 25);
}

enum response_fault handshake_answer_fault(const struct handshake_fault *fault, struct buffer *out, const struct allocator *allocator,
                                           const struct date *date) {
    struct writing writing = {.out = out, .allocator = allocator, .before = out->size};
    write_status(&writing, fault->status, fault->reason, strlen(fault->reason));
    write_usual(&writing, date, NULL, 0, true, fault->words->size);
    write_text(&writing, fault->field);
    write_text(&writing, "\r\n");
    write_bytes(&writing, buffer_bytes(fault->words), fault->words->size);
    return end_writing(&writing);
}

static void write_extension(struct writing *writing, const struct handshake *handshake) {
    const struct compression_terms *terms = &handshake->terms;
    char bits[40];
    if (!terms->agreed)
        return;
    write_text(writing, "Sec-WebSocket-Extensions: ");
    write_text(writing, HANDSHAKE_EXTENSION);
    write_text(writing, terms->server_restarts ? "; server_no_context_takeover" : "");
    write_text(writing, terms->client_restarts ? "; client_no_context_takeover" : "");
    write_bytes(writing, bits, (size_t)snprintf(bits, sizeof bits, "; server_max_window_bits=%d", terms->server_bits));
    if (handshake->bits_offered)
        write_bytes(writing, bits, (size_t)snprintf(bits, sizeof bits, "; client_max_window_bits=%d", terms->client_bits));
    write_text(writing, "\r\n");
}

enum response_fault handshake_accept(const struct handshake *handshake, struct buffer *out, const struct allocator *allocator,
                                     const struct response_defaults *defaults, const struct response_field *fields, size_t count,
                                     const char *protocol, size_t protocol_size, size_t *fault_field) {
    enum response_fault fault = check_fields(fields, count, fault_field);
    if (fault == RESPONSE_OK && protocol) {
        const struct response_field field = {"", 0, protocol, protocol_size};
        fault = response_field_check(&field);
    }
    if (fault != RESPONSE_OK)
        return fault;
    struct writing writing = {.out = out, .allocator = allocator, .before = out->size};
    write_status(&writing, 101, "Switching Protocols", 19);
    write_text(&writing, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    write_field(&writing, "Sec-WebSocket-Accept", 20, false, handshake->accept, ACCEPT_KEY_SIZE);
    write_extension(&writing, handshake);
    if (defaults->date)
        write_field(&writing, "date", 4, false, defaults->date, defaults->date_size);
    for (size_t i = 0; i < defaults->field_count; i++)
        write_field(&writing, defaults->fields[i].name, defaults->fields[i].name_size, true, defaults->fields[i].value,
                    defaults->fields[i].value_size);
    for (size_t i = 0; i < count; i++)
        write_field(&writing, fields[i].name, fields[i].name_size, true, fields[i].value, fields[i].value_size);
    if (protocol)
        write_field(&writing, "Sec-WebSocket-Protocol", 22, false, protocol, protocol_size);
    write_text(&writing, "\r\n");
    return end_writing(&writing);
}

static bool is_length(const struct response_field *field, size_t size) {
    char length[24];
    return snprintf(length, sizeof length, "%zu", size) == (int)field->value_size && memcmp(length, field->value, field->value_size) == 0;
}

enum response_fault handshake_refuse(struct buffer *out, const struct allocator *allocator, unsigned status, const char *reason,
                                     size_t reason_size, const struct date *date, const struct response_field *fields, size_t count,
                                     const char *content, size_t size, size_t *fault_field) {
    bool bare = status == 204 || status == 304; /* no content follows (RFC 9110 section 6.4.1) */
    enum response_fault fault = check_fields(fields, count, fault_field);
    for (size_t i = 0; fault == RESPONSE_OK && !bare && i < count; i++)
        if (ascii_is(fields[i].name, fields[i].name_size, "content-length") && !is_length(&fields[ *fault_field = i], size))
            fault = RESPONSE_LENGTHS_DIFFER;
    if (fault != RESPONSE_OK)
        return fault;
    struct writing writing = {.out = out, .allocator = allocator, .before = out->size};
    write_status(&writing, status, reason, reason_size);
    for (size_t i = 0; i < count; i++)
        if (!ascii_is(fields[i].name, fields[i].name_size, "transfer-encoding") &&
            !(status == 204 && ascii_is(fields[i].name, fields[i].name_size, "content-length")))
            write_field(&writing, fields[i].name, fields[i].name_size, false, fields[i].value, fields[i].value_size);
    write_usual(&writing, date, fields, count, !bare, size);
    write_text(&writing, "\r\n");
    if (!bare)
        write_bytes(&writing, content, size);
    return end_writing(&writing);
}
