/* fuzz_bridge_response.c: any status, fields and pieces, as an application may give them.
 *
 * The first octet says who asks and what the operator adds (see `enum how`), two octets give the status, one how many fields there are. A
 * name or a value is an octet and what it announces: a text that matters (from 0x80 on), or that many octets of its own. Each octet of the
 * rest is a piece of content, of that size or, with its high bit, 33 times as large.
 *
 * Oracle: a start that is refused writes nothing, and nothing may follow. What is written is one response to llhttp (strict), with the
 * application's content, framed as the client, status and fields demand; whether the connection stays is the same to both sides. Its lines
 * are the default fields, the application's in order, and at most two more. Never content-length with transfer-encoding, never one of
 * them with 204, never transfer-encoding to HTTP/1.0; one date, unless the application gives more.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include "../bridge/core/response.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))
#define DATE "Wed, 25 Nov 2026 10:00:00 GMT"

enum how {
    HOW_KEEP_ALIVE = 1,
    HOW_HEAD = 2,
    HOW_OLD = 4,
    HOW_OPERATOR = 8,
    HOW_CLOSE = 16,
    HOW_REASON = 32,
    HOW_BEHIND = 64,
    HOW_ENDLESS = 128
};
enum { FIELDS_MAX = 12, CONTENT_MAX = 1 << 20 };

static const char *const names[] = {
    "content-length", "Content-Length", "transfer-encoding", "Transfer-Encoding", "connection", "Connection", "date", "server", "DATE",
    "Server",         "trailer",        "upgrade",           "content-type",      "set-cookie", "a b",        "",     "x/y",    "x\r\ny"};
static const char *const values[] = {"0",
                                     "5",
                                     "05",
                                     " 5\t",
                                     "18446744073709551615",
                                     "99999999999999999999",
                                     "+5",
                                     "5, 5",
                                     "chunked",
                                     "gzip",
                                     "Chunked",
                                     "gzip, chunked",
                                     "close",
                                     "CLOSE",
                                     "x, close ,y",
                                     "upgrade",
                                     "keep-alive",
                                     "x\r\ny: z",
                                     "x\ny",
                                     ""};

static const struct response_field operators[] = {
    {"server", 6, "uvicorn", 7}, {"x-operator", 10, "yes", 3}, {"connection", 10, "close", 5}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_bridge_response.c:%d: does not hold: %s\n", line, condition);
    abort();
}

/* --- What the application gives ------------------------------------------------------------------------------------------------------- */

struct given {
    const uint8_t *next, *end; /* of the input */
    unsigned how, status;
    struct response_defaults defaults;
    struct response_field fields[FIELDS_MAX]; /* each text is memory of its own, so that the sanitizer sees an octet beyond it */
    size_t field_count;
};

static unsigned octet(struct given *given) { return given->next < given->end ? *given->next++ : 0; }

static size_t text(struct given *given, const char *const *known, size_t known_count, const char **copy) {
    unsigned announced = octet(given);
    const void *from = given->next;
    size_t size = announced & 0x3f;
    if (announced >= 0x80) {
        from = known[announced % known_count];
        size = strlen(from);
    } else {
        if (size > (size_t)(given->end - given->next))
            size = (size_t)(given->end - given->next);
        given->next += size;
    }
    char *bytes = malloc(size != 0 ? size : 1);
    HOLDS(bytes != NULL);
    memcpy(bytes, from, size);
    *copy = bytes;
    return size;
}

static struct given given_by(const uint8_t *data, size_t size) {
    struct given given = {.next = data, .end = data + size};
    given.how = octet(&given);
    given.status = octet(&given) << 8;
    given.status |= octet(&given);
    given.defaults = (struct response_defaults){DATE, sizeof DATE - 1, operators, 1};
    if (given.how & (HOW_OPERATOR | HOW_CLOSE))
        given.defaults.field_count = given.how & HOW_CLOSE ? 3 : 2;
    given.field_count = octet(&given) % (FIELDS_MAX + 1);
    for (size_t i = 0; i < given.field_count; i++) {
        struct response_field *field = &given.fields[i];
        field->name_size = text(&given, names, sizeof names / sizeof *names, &field->name);
        field->value_size = text(&given, values, sizeof values / sizeof *values, &field->value);
    }
    return given;
}

static void given_free(struct given *given) {
    for (size_t i = 0; i < given->field_count; i++) {
        free((char *)given->fields[i].name);
        free((char *)given->fields[i].value);
    }
}

static bool named(const struct response_field *field, const char *name) {
    return field->name_size == strlen(name) && strncasecmp(field->name, name, field->name_size) == 0;
}

static size_t count_of(const struct given *given, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < given->field_count; i++)
        count += named(&given->fields[i], name);
    return count;
}

/* Whether llhttp can read what comes of it. uvicorn sends names that are none to RFC 9110 section 5.1, and so do we; and llhttp counts to
 * UINT64_MAX only. */
static bool readable(const struct given *given) {
    for (size_t i = 0; i < given->field_count; i++) {
        const struct response_field *field = &given->fields[i];
        if (field->name_size == 0)
            return false;
        for (size_t at = 0; at < field->name_size; at++)
            if (field->name[at] == '/' || field->name[at] == '?' || (unsigned char)field->name[at] >= 0x80)
                return false;
        char value[128] = "";
        memcpy(value, field->value, field->value_size);
        errno = 0;
        if (named(field, "content-length") && strtoull(value, NULL, 10) == ULLONG_MAX && errno == ERANGE)
            return false;
    }
    return true;
}

/* --- The head, line by line ----------------------------------------------------------------------------------------------------------- */

struct lines {
    struct response_field fields[FIELDS_MAX + 8];
    size_t count;
};

/* Every CR stands before an LF, every LF behind a CR, and only the last line is empty. */
static struct lines lines_of(const char *head, size_t size) {
    struct lines lines = {0};
    const char *end = head + size;
    bool first = true, over = false;
    while (head < end) {
        const char *feed = memchr(head, '\n', (size_t)(end - head));
        HOLDS(!over && feed && feed > head && feed[-1] == '\r');
        size_t line_size = (size_t)(feed - 1 - head);
        HOLDS(!memchr(head, '\r', line_size) && !memchr(head, '\0', line_size));
        const char *colon = memchr(head, ':', line_size);
        over = line_size == 0;
        if (!over && !first) {
            HOLDS(colon && line_size >= (size_t)(colon - head) + 2 && colon[1] == ' ');
            HOLDS(lines.count < sizeof lines.fields / sizeof *lines.fields);
            lines.fields[lines.count++] =
                (struct response_field){head, (size_t)(colon - head), colon + 2, line_size - (size_t)(colon - head) - 2};
        }
        first = false;
        head = feed + 1;
    }
    HOLDS(over);
    return lines;
}

static bool line_says(const struct response_field *line, const char *name, const char *value) {
    return line->name_size == strlen(name) && memcmp(line->name, name, line->name_size) == 0 && line->value_size == strlen(value) &&
           memcmp(line->value, value, line->value_size) == 0;
}

static size_t lines_named(const struct lines *lines, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++)
        count += lines->fields[i].name_size == strlen(name) && memcmp(lines->fields[i].name, name, lines->fields[i].name_size) == 0;
    return count;
}

/* Whether the line is the field, with its name in lower case. */
static bool line_is(const struct response_field *line, const struct response_field *field) {
    if (line->name_size != field->name_size || line->value_size != field->value_size)
        return false;
    for (size_t i = 0; i < field->name_size; i++) {
        char lower = field->name[i] >= 'A' && field->name[i] <= 'Z' ? (char)(field->name[i] + 32) : field->name[i];
        if (line->name[i] != lower)
            return false;
    }
    return memcmp(line->value, field->value, field->value_size) == 0;
}

static void check_head(const struct given *given, const struct response *response, const char *head, size_t size) {
    char status[32];
    snprintf(status, sizeof status, "HTTP/1.1 %u %s\r\n", given->status, given->how & HOW_REASON ? "A reason" : "");
    HOLDS(size > strlen(status) && memcmp(head, status, strlen(status)) == 0);
    struct lines lines = lines_of(head, size);
    size_t at = 0;
    if (count_of(given, "date") == 0)
        HOLDS(line_says(&lines.fields[at++], "date", DATE));
    for (size_t i = count_of(given, "server") != 0; i < given->defaults.field_count; i++)
        HOLDS(line_is(&lines.fields[at++], &given->defaults.fields[i]));
    size_t lengths = 0, codings = 0;
    for (size_t i = 0; i < given->field_count; i++) {
        const struct response_field *field = &given->fields[i];
        bool length = named(field, "content-length"), coding = named(field, "transfer-encoding");
        bool there = at < lines.count && line_is(&lines.fields[at], field);
        HOLDS(there || length || coding);
        if (length && lengths++ == 0)
            HOLDS(there == (given->status != 204));
        /* A second one that is as the first may look like being there, where it is the next field that is. */
        if (there && !(length && lengths > 1) && !(coding && codings > 0)) {
            codings += coding;
            at++;
        }
    }
    if (at < lines.count && line_says(&lines.fields[at], "connection", "close"))
        at++;
    if (at < lines.count && line_says(&lines.fields[at], "transfer-encoding", "chunked")) {
        HOLDS(response->framing == RESPONSE_CHUNKED && codings == 0);
        at++;
    }
    HOLDS(at == lines.count);

    codings = lines_named(&lines, "transfer-encoding");
    lengths = lines_named(&lines, "content-length");
    HOLDS(codings + lengths <= 1);
    HOLDS(given->status != 204 || codings + lengths == 0);
    HOLDS(!(given->how & HOW_OLD) || codings == 0);
    HOLDS(lines_named(&lines, "date") == (count_of(given, "date") != 0 ? count_of(given, "date") : 1));
    bool bare = given->how & HOW_HEAD || given->status == 204 || given->status == 304;
    HOLDS((response->framing == RESPONSE_BARE) == bare);
    HOLDS((response->framing == RESPONSE_BY_LENGTH) == (!bare && lengths == 1));
    HOLDS((response->framing == RESPONSE_CHUNKED) == (!bare && codings == 1));
    HOLDS((response->framing == RESPONSE_BY_CLOSE) == (!bare && lengths == 0 && given->how & HOW_OLD));
    HOLDS(response->keep_alive || lines_named(&lines, "connection") != 0);
}

/* --- The whole, as a client reads it -------------------------------------------------------------------------------------------------- */

struct client {
    llhttp_t llhttp;
    bool answers_head;
    const char *content; /* expected */
    size_t content_size, read;
    size_t heads, complete;
    bool keep_alive;
};

static int client_head(llhttp_t *llhttp) {
    struct client *client = llhttp->data;
    client->heads++;
    return client->answers_head;
}

static int client_content(llhttp_t *llhttp, const char *data, size_t size) {
    struct client *client = llhttp->data;
    HOLDS(size <= client->content_size - client->read && memcmp(data, client->content + client->read, size) == 0);
    client->read += size;
    return 0;
}

static int client_complete(llhttp_t *llhttp) {
    struct client *client = llhttp->data;
    client->complete++;
    client->keep_alive = llhttp_should_keep_alive(llhttp);
    return 0;
}

/* The bytes from the first head to the last piece are one response, or the beginning of one. */
static void check_client(const struct given *given, const struct response *response, const struct buffer *out,
                         const struct buffer *content) {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = client_head;
    settings.on_body = client_content;
    settings.on_message_complete = client_complete;
    struct client client = {.answers_head = given->how & HOW_HEAD, .content = buffer_bytes(content), .content_size = content->size};
    llhttp_init(&client.llhttp, HTTP_RESPONSE, &settings);
    client.llhttp.data = &client;
    HOLDS(llhttp_execute(&client.llhttp, buffer_bytes(out), out->size) == HPE_OK);
    HOLDS(client.heads == 1 && client.llhttp.status_code == given->status && client.read == content->size);
    if (response->complete)
        HOLDS(client.complete == (response->framing != RESPONSE_BY_CLOSE));
    else
        HOLDS(client.complete == (response->framing == RESPONSE_BARE || (response->framing == RESPONSE_BY_LENGTH && response->left == 0)));
    if (response->framing == RESPONSE_BY_CLOSE)
        HOLDS(llhttp_finish(&client.llhttp) == HPE_OK && client.complete == 1);
    HOLDS(client.complete == 0 || client.keep_alive == response->keep_alive);
}

/* --- Content -------------------------------------------------------------------------------------------------------------------------- */

/* Gives the pieces that the input announces; what is to be written goes to OUT, what of it is content to CONTENT as well. */
static void give_content(struct given *given, struct response *response, bool refused, struct buffer *out, struct buffer *content) {
    struct allocator allocator = allocator_default();
    bool length = !refused && response->framing == RESPONSE_BY_LENGTH;
    uint64_t left = response->left; /* as llhttp will read it, too */
    while (!response->complete && given->next < given->end && content->size < CONTENT_MAX) {
        unsigned announced = octet(given);
        size_t size = (announced & 0x7f) * (announced & 0x80 ? 33 : 1);
        bool last = given->next == given->end && !(given->how & HOW_ENDLESS);
        struct response_piece piece;
        enum response_fault fault = response_content(response, size, last, &piece);
        bool fits = given->how & HOW_HEAD || (length ? size <= left : size == 0 || response->framing != RESPONSE_BARE);
        HOLDS((fault == RESPONSE_CONTENT_TOO_LONG) == !fits);
        HOLDS(piece.before_size <= sizeof piece.before);
        HOLDS(fits || (!piece.write && piece.before_size + piece.after_size == 0 && !response->complete));
        if (!fits)
            continue;
        HOLDS(piece.write == (size != 0 && response->framing != RESPONSE_BARE));
        left -= length ? size : 0;
        HOLDS((fault == RESPONSE_CONTENT_TOO_SHORT) == (length && last && left != 0));
        HOLDS(response->complete == (last && fault == RESPONSE_OK));
        char *bytes = buffer_room(content, &allocator, size);
        HOLDS(bytes != NULL);
        for (size_t i = 0; i < size; i++)
            bytes[i] = "0\r\n\r\nHTTP/1.1 200 OK\r\n"[(content->size + i) % 22];
        buffer_added(content, piece.write ? size : 0);
        HOLDS(buffer_append(out, &allocator, piece.before, piece.before_size) == 0);
        HOLDS(buffer_append(out, &allocator, bytes, piece.write ? size : 0) == 0);
        HOLDS(buffer_append(out, &allocator, piece.after, piece.after_size) == 0);
    }
    HOLDS(!length || response->left == left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char before[] = "what waits";
    struct given given = given_by(data, size);
    struct allocator allocator = allocator_default();
    struct buffer out = {0}, content = {0};
    struct response response;
    size_t behind = given.how & HOW_BEHIND ? sizeof before : 0;
    HOLDS(buffer_append(&out, &allocator, before, behind) == 0);
    response_init(&response, given.how & HOW_KEEP_ALIVE, given.how & HOW_HEAD, given.how & HOW_OLD);
    enum response_fault fault = response_start(&response, &out, &allocator, given.status, "A reason", given.how & HOW_REASON ? 8 : 0,
                                               &given.defaults, given.fields, given.field_count);
    HOLDS(response.started && !response.complete && out.size >= behind && memcmp(buffer_bytes(&out), before, behind) == 0);
    buffer_take(&out, behind);
    HOLDS((fault == RESPONSE_STATUS_INVALID) == (given.status < 100 || given.status > 599));
    HOLDS((fault == RESPONSE_STATUS_INTERIM) == (given.status / 100 == 1));
    if (fault != RESPONSE_OK) {
        HOLDS(out.size == 0 && !response.keep_alive && response.framing == RESPONSE_BARE);
        give_content(&given, &response, true, &out, &content);
        HOLDS(out.size == 0);
    } else {
        check_head(&given, &response, buffer_bytes(&out), out.size);
        give_content(&given, &response, false, &out, &content);
        if (readable(&given))
            check_client(&given, &response, &out, &content);
    }
    buffer_free(&out, &allocator);
    buffer_free(&content, &allocator);
    given_free(&given);
    return 0;
}
