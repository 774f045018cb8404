/* response.c: see response.h.
 *
 * A head is written into room for its longest form, in one pass that checks as it copies; a field that turns out not to be sent is written
 * over by the next. What depends on fields further behind is looked up before.
 */
#include "response.h"

#include <string.h>

/* What an octet of a field's name is in lower case; 0: it is none of a name's. */
static const unsigned char lower[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                 /* 0x */
                                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                 /* 1x */
                                     "\0!\0#$%&'\0\0*+\0-./"                                            /* 2x */
                                     "0123456789\0\0\0\0\0?"                                            /* 3x */
                                     "\0abcdefghijklmno"                                                /* 4x */
                                     "pqrstuvwxyz\0\0\0^_"                                              /* 5x */
                                     "`abcdefghijklmno"                                                 /* 6x */
                                     "pqrstuvwxyz\0|\0~\0"                                              /* 7x */
                                     "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f" /* 8x */
                                     "\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f" /* 9x */
                                     "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf" /* ax */
                                     "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf" /* bx */
                                     "\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf" /* cx */
                                     "\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf" /* dx */
                                     "\xe0\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef" /* ex */
                                     "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff" /* fx */;

/* Whether an octet is none of a field's value. */
static const bool control[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, [0x7f] = 1,
};

static const char ending[] = "\r\n0\r\n\r\n"; /* of a chunk, and of them all */

enum kind { KIND_OTHER, KIND_DATE, KIND_SERVER, KIND_CONNECTION, KIND_LENGTH, KIND_CODING };

static bool says(const char *bytes, size_t size, const char *word, size_t word_size) {
    if (size != word_size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower[(unsigned char)bytes[i]] != (unsigned char)word[i])
            return false;
    return true;
}

#define SAYS(bytes, size, word) says(bytes, size, word, sizeof(word) - 1)

static enum kind kind_of(const struct response_field *field) {
    switch (field->name_size) {
    case 4:
        return SAYS(field->name, 4, "date") ? KIND_DATE : KIND_OTHER;
    case 6:
        return SAYS(field->name, 6, "server") ? KIND_SERVER : KIND_OTHER;
    case 10:
        return SAYS(field->name, 10, "connection") ? KIND_CONNECTION : KIND_OTHER;
    case 14:
        return SAYS(field->name, 14, "content-length") ? KIND_LENGTH : KIND_OTHER;
    case 17:
        return SAYS(field->name, 17, "transfer-encoding") ? KIND_CODING : KIND_OTHER;
    default:
        return KIND_OTHER;
    }
}

static void strip(const char **bytes, size_t *size) {
    for (; *size > 0 && (**bytes == ' ' || **bytes == '\t'); (*size)--)
        ++*bytes;
    while (*size > 0 && ((*bytes)[*size - 1] == ' ' || (*bytes)[*size - 1] == '\t'))
        --*size;
}

/* Whether a list has the element close. */
static bool says_close(const char *list, size_t size) {
    const char *end = list + size;
    for (;;) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        size_t element_size = (size_t)((comma ? comma : end) - list);
        strip(&list, &element_size);
        if (SAYS(list, element_size, "close"))
            return true;
        if (!comma)
            return false;
        list = comma + 1;
    }
}

static bool read_length(const char *value, size_t size, uint64_t *length) {
    strip(&value, &size);
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        unsigned digit = (unsigned)(value[i] - '0');
        *length = *length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *length * 10 + digit;
    }
    return size != 0;
}

enum response_fault response_field_check(const struct response_field *field) {
    for (size_t i = 0; i < field->name_size; i++)
        if (lower[(unsigned char)field->name[i]] == 0)
            return RESPONSE_NAME_INVALID;
    for (size_t i = 0; i < field->value_size; i++)
        if (control[(unsigned char)field->value[i]])
            return RESPONSE_VALUE_INVALID;
    return RESPONSE_OK;
}

/* A head under way. */
struct head {
    char *at; /* where its next octet belongs */
    /* Which fields there are, looked up before anything is written. */
    bool app_date, app_server, app_length, operator_date;
    /* What was found while writing. */
    bool closes;   /* a field says close */
    bool coded;    /* transfer-encoding was written */
    bool measured; /* `length` was read */
    uint64_t length;
};

/* Returns the size of the longest form; 0: larger than memory. */
static size_t look_up(struct head *head, size_t reason_size, const struct response_defaults *defaults, const struct response_field *fields,
                      size_t field_count) {
    size_t size = sizeof "HTTP/1.1 200 \r\ndate: \r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    *head = (struct head){0};
    size += reason_size + (defaults->date ? defaults->date_size : 0);
    for (size_t i = 0; i < defaults->field_count; i++) {
        size += defaults->fields[i].name_size + defaults->fields[i].value_size + sizeof ": \r\n";
        head->operator_date |= kind_of(&defaults->fields[i]) == KIND_DATE;
    }
    for (size_t i = 0; i < field_count; i++) {
        size += fields[i].name_size + fields[i].value_size + sizeof ": \r\n";
        if (size > SIZE_MAX / 2)
            return 0;
        enum kind kind = kind_of(&fields[i]);
        head->app_date |= kind == KIND_DATE;
        head->app_server |= kind == KIND_SERVER;
        head->app_length |= kind == KIND_LENGTH;
    }
    return size;
}

static void put(struct head *head, const char *bytes, size_t size) {
    if (size != 0)
        memcpy(head->at, bytes, size);
    head->at += size;
}

#define PUT(head, text) put(head, text, sizeof(text) - 1)

static void put_field(struct head *head, const char *name, size_t name_size, const char *value, size_t value_size) {
    put(head, name, name_size);
    PUT(head, ": ");
    put(head, value, value_size);
    PUT(head, "\r\n");
}

/* As put_field(), for what is not known to be valid, nor to be in lower case. */
static enum response_fault put_checked(struct head *head, const struct response_field *field) {
    unsigned char *at = (unsigned char *)head->at;
    bool bad = false;
    for (size_t i = 0; i < field->name_size; i++) {
        unsigned char octet = lower[(unsigned char)field->name[i]];
        bad |= octet == 0;
        *at++ = octet;
    }
    if (bad)
        return RESPONSE_NAME_INVALID;
    *at++ = ':';
    *at++ = ' ';
    for (size_t i = 0; i < field->value_size; i++) {
        unsigned char octet = (unsigned char)field->value[i];
        bad |= control[octet];
        *at++ = octet;
    }
    if (bad)
        return RESPONSE_VALUE_INVALID;
    *at++ = '\r';
    *at++ = '\n';
    head->at = (char *)at;
    return RESPONSE_OK;
}

static void put_status(struct head *head, unsigned status, const char *reason, size_t reason_size) {
    const char digits[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' '};
    PUT(head, "HTTP/1.1 ");
    put(head, digits, sizeof digits);
    put(head, reason, reason_size);
    PUT(head, "\r\n");
}

static void put_defaults(struct head *head, const struct response_defaults *defaults) {
    if (defaults->date && !head->app_date && !head->operator_date)
        put_field(head, "date", 4, defaults->date, defaults->date_size);
    for (size_t i = 0; i < defaults->field_count; i++) {
        const struct response_field *field = &defaults->fields[i];
        enum kind kind = kind_of(field);
        if (kind == KIND_LENGTH || kind == KIND_CODING || (kind == KIND_DATE && head->app_date) ||
            (kind == KIND_SERVER && head->app_server))
            continue;
        head->closes |= kind == KIND_CONNECTION && says_close(field->value, field->value_size);
        put_field(head, field->name, field->name_size, field->value, field->value_size);
    }
}

/* A field of the application's, unless it is none to be sent. MEASURABLE, CODABLE: content-length, transfer-encoding may be sent. */
static enum response_fault put_given(struct head *head, const struct response_field *field, bool measurable, bool codable) {
    char *line = head->at;
    enum response_fault fault = put_checked(head, field);
    if (fault != RESPONSE_OK)
        return fault;
    uint64_t length;
    switch (kind_of(field)) {
    case KIND_CONNECTION:
        head->closes |= says_close(field->value, field->value_size);
        return RESPONSE_OK;
    case KIND_LENGTH:
        if (!read_length(field->value, field->value_size, &length))
            return RESPONSE_LENGTH_INVALID;
        if (head->measured && length != head->length)
            return RESPONSE_LENGTHS_DIFFER;
        if (head->measured || !measurable)
            head->at = line;
        head->measured = true;
        head->length = length;
        return RESPONSE_OK;
    case KIND_CODING:
        if (codable && !head->coded && SAYS(field->value, field->value_size, "chunked"))
            head->coded = true;
        else
            head->at = line;
        return RESPONSE_OK;
    default:
        return RESPONSE_OK;
    }
}

void response_init(struct response *response, bool keep_alive, bool head, bool old) {
    *response = (struct response){.keep_alive = keep_alive, .head = head, .old = old, .framing = RESPONSE_BARE};
}

enum response_fault response_start(struct response *response, struct buffer *out, const struct allocator *allocator, unsigned status,
                                   const char *reason, size_t reason_size, const struct response_defaults *defaults,
                                   const struct response_field *fields, size_t field_count) {
    /* So it stays if it fails, and RESPONSE_BARE. */
    bool keep_alive = response->keep_alive;
    response->started = true;
    response->keep_alive = false;
    if (status < 100 || status > 599)
        return RESPONSE_STATUS_INVALID;
    if (status < 200)
        return RESPONSE_STATUS_INTERIM;

    struct head head;
    size_t size = look_up(&head, reason_size, defaults, fields, field_count);
    char *room = size != 0 ? buffer_room(out, allocator, size) : NULL;
    if (!room)
        return RESPONSE_NO_MEMORY;
    enum response_framing framing = RESPONSE_CHUNKED;
    if (response->head || status == 204 || status == 304)
        framing = RESPONSE_BARE;
    else if (head.app_length)
        framing = RESPONSE_BY_LENGTH;
    else if (response->old)
        framing = RESPONSE_BY_CLOSE;

    head.at = room;
    put_status(&head, status, reason, reason_size);
    put_defaults(&head, defaults);
    for (size_t i = 0; i < field_count; i++) {
        enum response_fault fault = put_given(&head, &fields[i], status != 204, status != 204 && !head.app_length && !response->old);
        if (fault != RESPONSE_OK) {
            response->fault_field = i;
            return fault;
        }
    }
    keep_alive &= !head.closes && framing != RESPONSE_BY_CLOSE;
    if (!keep_alive && !head.closes)
        PUT(&head, "connection: close\r\n");
    if (framing == RESPONSE_CHUNKED && !head.coded)
        PUT(&head, "transfer-encoding: chunked\r\n");
    PUT(&head, "\r\n");
    buffer_added(out, (size_t)(head.at - room));

    response->keep_alive = keep_alive;
    response->framing = framing;
    response->left = framing == RESPONSE_BY_LENGTH ? head.length : 0;
    return RESPONSE_OK;
}

/* "1f40\r\n" */
static size_t put_chunk_size(char *at, size_t size) {
    size_t digits = 1;
    while (digits < 2 * sizeof size && size >> (4 * digits) != 0)
        digits++;
    for (size_t i = 0; i < digits; i++)
        at[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
    at[digits] = '\r';
    at[digits + 1] = '\n';
    return digits + 2;
}

enum response_fault response_content(struct response *response, size_t size, bool last, struct response_piece *piece) {
    piece->before_size = 0;
    piece->write = false;
    piece->after = "";
    piece->after_size = 0;
    if (response->head) {
        response->complete = last;
        return RESPONSE_OK;
    }
    switch (response->framing) {
    case RESPONSE_BARE:
        if (size != 0)
            return RESPONSE_CONTENT_TOO_LONG;
        break;
    case RESPONSE_BY_LENGTH:
        if (size > response->left)
            return RESPONSE_CONTENT_TOO_LONG;
        response->left -= size;
        break;
    case RESPONSE_CHUNKED:
        if (size != 0)
            piece->before_size = put_chunk_size(piece->before, size);
        piece->after = size != 0 ? ending : ending + 2;
        piece->after_size = (size != 0 ? 2 : 0) + (last ? sizeof ending - 1 - 2 : 0);
        break;
    case RESPONSE_BY_CLOSE:
        break;
    }
    piece->write = size != 0;
    if (last && response->left != 0)
        return RESPONSE_CONTENT_TOO_SHORT;
    response->complete = last;
    return RESPONSE_OK;
}

int response_plain(struct buffer *out, const struct allocator *allocator, unsigned status, const char *reason,
                   const struct response_defaults *defaults, const char *text) {
    size_t size = strlen(text);
    char length[20];
    size_t start = sizeof length;
    for (size_t rest = size; start == sizeof length || rest != 0; rest /= 10)
        length[--start] = (char)('0' + rest % 10);
    const struct response_field fields[] = {{"content-type", 12, "text/plain; charset=utf-8", 25},
                                            {"content-length", 14, length + start, sizeof length - start},
                                            {"connection", 10, "close", 5}};
    struct response response;
    size_t before = out->size;
    response_init(&response, false, false, false);
    if (response_start(&response, out, allocator, status, reason, strlen(reason), defaults, fields, sizeof fields / sizeof *fields) !=
            RESPONSE_OK ||
        buffer_append(out, allocator, text, size) != 0) {
        out->size = before;
        return -1;
    }
    return 0;
}
