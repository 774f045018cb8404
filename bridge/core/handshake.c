/* handshake.c: see handshake.h. */
#include "handshake.h"

#include <stdio.h>
#include <string.h>

#include "ascii.h"
#include "handshake_answer.h"

#define BITS_OWN 12 /* of both windows, where the client leaves the choice */

/* --- the fields of a request ---------------------------------------------------------------------------------------------------------- */

/* A text of somebody else's. */
struct span {
    const char *bytes;
    size_t size;
};

static struct span value_of(const struct request_head *head, size_t at) {
    return (struct span){head->text + head->fields[at].value, head->fields[at].value_size};
}

/* The next field NAME from *AT on; *AT goes behind it. False: there is none. */
static bool next_field(const struct request_head *head, const char *name, size_t *at, struct span *value) {
    size_t size = strlen(name);
    for (; *at < head->field_count; ++*at) {
        const struct request_field *field = &head->fields[*at];
        if (field->name_size == size && memcmp(head->text + field->name, name, size) == 0) {
            *value = value_of(head, (*at)++);
            return true;
        }
    }
    return false;
}

static bool last_field(const struct request_head *head, const char *name, struct span *value) {
    bool found = false;
    for (size_t at = 0; next_field(head, name, &at, value);)
        found = true;
    return found;
}

static bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

static bool lists_upgrade(struct span list) {
    for (size_t start = 0; start <= list.size;) {
        const char *comma = memchr(list.bytes + start, ',', list.size - start);
        size_t end = comma ? (size_t)(comma - list.bytes) : list.size, next = end + 1;
        while (start < end && is_blank(list.bytes[start]))
            start++;
        while (end > start && is_blank(list.bytes[end - 1]))
            end--;
        if (ascii_is(list.bytes + start, end - start, "upgrade"))
            return true;
        start = next;
    }
    return false;
}

bool handshake_wanted(const struct request_head *head) {
    struct span connection, upgrade;
    return head->upgrade_offered && last_field(head, "connection", &connection) && lists_upgrade(connection) &&
           last_field(head, "upgrade", &upgrade) && ascii_is(upgrade.bytes, upgrade.size, "websocket");
}

/* --- what is wrong with a request, in words ------------------------------------------------------------------------------------------- */

/* The reading of one request. */
struct reading {
    const struct request_head *head;
    const struct allocator *allocator;
    struct buffer words; /* why it is refused */
    unsigned status;     /* 0: it is not */
    const char *reason;
    const char *field; /* that such a response has beside the usual ones, with its end; "" */
    bool no_memory;
};

static void add(struct reading *reading, const char *bytes, size_t size) {
    if (buffer_append(&reading->words, reading->allocator, bytes, size) != 0)
        reading->no_memory = true;
}

static void add_text(struct reading *reading, const char *text) { add(reading, text, strlen(text)); }

/* Octets that a client sent, read as ISO 8859-1 and told in UTF-8. */
static void add_octets(struct reading *reading, struct span octets) {
    for (size_t i = 0; i < octets.size; i++) {
        unsigned char octet = (unsigned char)octets.bytes[i];
        char both[2] = {(char)(0xc0 | octet >> 6), (char)(0x80 | (octet & 0x3f))};
        add(reading, octet < 0x80 ? &octets.bytes[i] : both, octet < 0x80 ? 1 : 2);
    }
}

static void add_number(struct reading *reading, size_t number) {
    char digits[24];
    add(reading, digits, (size_t)snprintf(digits, sizeof digits, "%zu", number));
}

/* False, for `return refuse(…)`. */
static bool refuse(struct reading *reading, unsigned status, const char *reason) {
    reading->status = status;
    reading->reason = reason;
    add_text(reading, "Failed to open a WebSocket connection: ");
    return false;
}

static bool refuse_field(struct reading *reading, const char *how, const char *name) {
    refuse(reading, 400, "Bad Request");
    add_text(reading, how);
    add_text(reading, " ");
    add_text(reading, name);
    add_text(reading, " header");
    return false;
}

static bool refuse_value(struct reading *reading, const char *name, struct span value) {
    if (value.size == 0)
        return refuse_field(reading, "empty", name);
    refuse_field(reading, "invalid", name);
    add_text(reading, ": ");
    add_octets(reading, value);
    return false;
}

/* --- lists (RFC 9110 section 5.6.1, RFC 6455 section 9.1) ----------------------------------------------------------------------------- */

struct list {
    struct reading *reading;
    const char *name;
    struct span text;
    size_t at;
};

static bool is_token(char octet) {
    return (octet >= '0' && octet <= '9') || (ascii_lower(octet) >= 'a' && ascii_lower(octet) <= 'z') ||
           (octet != '\0' && strchr("!#$%&'*+-.^_`|~", octet));
}

static bool stands(const struct list *list, char octet) { return list->at < list->text.size && list->text.bytes[list->at] == octet; }

static void skip_blanks(struct list *list) {
    while (list->at < list->text.size && is_blank(list->text.bytes[list->at]))
        list->at++;
}

static bool expected(struct list *list, const char *what, size_t at) {
    refuse_field(list->reading, "invalid", list->name);
    add_text(list->reading, ": ");
    add_text(list->reading, what);
    add_text(list->reading, " at ");
    add_number(list->reading, at);
    add_text(list->reading, " in ");
    add_octets(list->reading, list->text);
    return false;
}

static bool read_token(struct list *list, struct span *token) {
    size_t start = list->at;
    while (list->at < list->text.size && is_token(list->text.bytes[list->at]))
        list->at++;
    *token = (struct span){list->text.bytes + start, list->at - start};
    return token->size > 0;
}

/* Where the next item begins; false at the list's end. Behind the FIRST item there must be a comma. */
static bool next_item(struct list *list, bool first, bool *fails) {
    *fails = false;
    if (!first) {
        skip_blanks(list);
        if (list->at == list->text.size)
            return false;
        if (!stands(list, ',')) {
            *fails = true;
            expected(list, "expected comma", list->at);
            return false;
        }
    }
    while (stands(list, ',')) {
        list->at++;
        skip_blanks(list);
    }
    return first || list->at < list->text.size;
}

/* Whether all fields NAME are lists of what READ reads. */
static bool read_lists(struct reading *reading, const char *name, const char *title, bool (*read)(struct list *, void *), void *context) {
    struct span value;
    for (size_t at = 0; next_field(reading->head, name, &at, &value);) {
        struct list list = {.reading = reading, .name = title, .text = value};
        bool fails = false;
        for (bool first = true; next_item(&list, first, &fails); first = false)
            if (!read(&list, context))
                return false;
        if (fails)
            return false;
    }
    return true;
}

static bool read_token_item(struct list *list, void *unused) {
    struct span token;
    (void)unused;
    return read_token(list, &token) || expected(list, "expected token", list->at);
}

/* --- Upgrade -------------------------------------------------------------------------------------------------------------------------- */

struct protocols {
    size_t count;
    bool others;
    struct buffer *told; /* all of them, with commas between */
};

static bool read_protocol_item(struct list *list, void *context) {
    struct protocols *protocols = context;
    struct span name, version;
    size_t start = list->at;
    if (!read_token(list, &name))
        return expected(list, "expected protocol", list->at);
    if (stands(list, '/')) {
        list->at++;
        if (!read_token(list, &version))
            list->at--;
    }
    struct span whole = {list->text.bytes + start, list->at - start};
    protocols->others |= !ascii_is(whole.bytes, whole.size, "websocket");
    const struct allocator *allocator = list->reading->allocator;
    if (buffer_append(protocols->told, allocator, ", ", protocols->count > 0 ? 2 : 0) != 0 ||
        buffer_append(protocols->told, allocator, whole.bytes, whole.size) != 0)
        list->reading->no_memory = true;
    protocols->count++;
    return true;
}

static bool read_upgrade(struct reading *reading) {
    struct buffer told = {0};
    struct protocols protocols = {.told = &told};
    bool fits = read_lists(reading, "upgrade", "Upgrade", read_protocol_item, &protocols);
    if (fits && (protocols.count != 1 || protocols.others)) {
        fits = refuse(reading, 426, "Upgrade Required");
        add_text(reading, "invalid Upgrade header: ");
        add(reading, buffer_bytes(&told), told.size);
        reading->field = "Upgrade: websocket\r\n";
    }
    buffer_free(&told, reading->allocator);
    return fits;
}

/* --- key and version ------------------------------------------------------------------------------------------------------------------ */

/* The only field NAME. */
static bool read_single(struct reading *reading, const char *name, const char *title, bool needed, struct span *value) {
    struct span second;
    size_t at = 0;
    if (!next_field(reading->head, name, &at, value))
        return !needed || refuse_field(reading, "missing", title);
    static const char MULTIPLE[] = "multiple values";
    return !next_field(reading->head, name, &at, &second) || refuse_value(reading, title, (struct span){MULTIPLE, sizeof MULTIPLE - 1});
}

static bool read_key(struct reading *reading, struct handshake *handshake) {
    static const char TITLE[] = "Sec-WebSocket-Key";
    struct span key;
    if (!read_single(reading, "sec-websocket-key", TITLE, true, &key))
        return false;
    size_t count;
    const char *fault = base64_fault(key.bytes, key.size, &count);
    if (!fault && count == 16 && key.size == CLIENT_KEY_SIZE) {
        accept_key(key.bytes, handshake->accept);
        return true;
    }
    refuse_value(reading, TITLE, key);
    if (fault) {
        const char *number = strstr(fault, "%zu");
        add_text(reading, "; ");
        add(reading, fault, number ? (size_t)(number - fault) : strlen(fault));
        if (number) {
            add_number(reading, count);
            add_text(reading, number + strlen("%zu"));
        }
    }
    return false;
}

static bool read_version(struct reading *reading) {
    static const char TITLE[] = "Sec-WebSocket-Version";
    struct span version;
    reading->field = "Sec-WebSocket-Version: 13\r\n";
    if (!read_single(reading, "sec-websocket-version", TITLE, true, &version))
        return false;
    if (version.size != 2 || memcmp(version.bytes, "13", 2) != 0)
        return refuse_value(reading, TITLE, version);
    reading->field = "";
    return true;
}

/* --- permessage-deflate --------------------------------------------------------------------------------------------------------------- */

/* What a client offers, and whether it can be taken. */
struct offer {
    bool declined;
    bool server_restarts, client_restarts;
    int server_bits, client_bits; /* 0: not said */
    bool client_bits_free;        /* said without a number */
};

/* The number of a window's bits, 8 to 15; 0: it is none. */
static int bits_of(struct span value) {
    if (value.size == 1 && (value.bytes[0] == '8' || value.bytes[0] == '9'))
        return value.bytes[0] - '0';
    if (value.size == 2 && value.bytes[0] == '1' && value.bytes[1] >= '0' && value.bytes[1] <= '5')
        return 10 + value.bytes[1] - '0';
    return 0;
}

static void take_flag(struct offer *offer, bool *flag, const struct span *value) {
    offer->declined |= *flag || value;
    *flag = true;
}

static void take_parameter(struct offer *offer, struct span name, const struct span *value) {
#define IS(word) (name.size == sizeof(word) - 1 && memcmp(name.bytes, word, name.size) == 0)
    if (IS("server_no_context_takeover")) {
        take_flag(offer, &offer->server_restarts, value);
    } else if (IS("client_no_context_takeover")) {
        take_flag(offer, &offer->client_restarts, value);
    } else if (IS("server_max_window_bits")) {
        offer->declined |= offer->server_bits != 0 || !value || bits_of(*value) == 0;
        offer->server_bits = value ? bits_of(*value) : 0;
    } else if (IS("client_max_window_bits")) {
        offer->declined |= offer->client_bits != 0 || offer->client_bits_free || (value && bits_of(*value) == 0);
        offer->client_bits = value ? bits_of(*value) : 0;
        offer->client_bits_free = !value;
    } else {
        offer->declined = true;
    }
#undef IS
}

/* A quoted value has to be a token when it is unquoted; unquoted into ROOM as far as that goes. */
static bool read_quoted(struct list *list, char *room, size_t room_size, struct span *value) {
    size_t start = list->at++, size = 0;
    bool token = true;
    for (; list->at < list->text.size && list->text.bytes[list->at] != '"'; list->at++) {
        char octet = list->text.bytes[list->at];
        if (octet == '\\') {
            if (++list->at == list->text.size)
                break;
            octet = list->text.bytes[list->at];
        } else if ((unsigned char)octet >= 0x7f) {
            list->at = list->text.size;
            break;
        }
        token &= is_token(octet);
        if (size < room_size)
            room[size] = octet;
        size++;
    }
    if (list->at >= list->text.size)
        return expected(list, "expected quoted string", start);
    list->at++;
    if (!token || size == 0)
        return expected(list, "invalid quoted header content", start);
    *value = (struct span){room, size < room_size ? size : room_size};
    return true;
}

static bool read_extension_item(struct list *list, void *context) {
    struct handshake *handshake = context;
    struct span name, parameter, value;
    char room[8];
    if (!read_token(list, &name))
        return expected(list, "expected token", list->at);
    struct offer offer = {.declined = handshake->terms.agreed || name.size != sizeof HANDSHAKE_EXTENSION - 1 ||
                                      memcmp(name.bytes, HANDSHAKE_EXTENSION, name.size) != 0};
    skip_blanks(list);
    while (stands(list, ';')) {
        list->at++;
        skip_blanks(list);
        if (!read_token(list, &parameter))
            return expected(list, "expected token", list->at);
        skip_blanks(list);
        bool valued = stands(list, '=');
        if (valued) {
            list->at++;
            skip_blanks(list);
            if (stands(list, '"')) {
                if (!read_quoted(list, room, sizeof room, &value))
                    return false;
            } else if (!read_token(list, &value)) {
                return expected(list, "expected token", list->at);
            }
            skip_blanks(list);
        }
        take_parameter(&offer, parameter, valued ? &value : NULL);
    }
    int server_bits = offer.server_bits != 0 && offer.server_bits < BITS_OWN ? offer.server_bits : BITS_OWN;
    if (offer.declined || server_bits == 8) /* zlib does not compress with so small a window */
        return true;
    int client_bits = offer.client_bits != 0 && offer.client_bits < BITS_OWN ? offer.client_bits : BITS_OWN;
    handshake->bits_offered = offer.client_bits != 0 || offer.client_bits_free;
    handshake->terms = (struct compression_terms){.agreed = true,
                                                  .client_restarts = offer.client_restarts,
                                                  .server_restarts = offer.server_restarts,
                                                  .client_bits = handshake->bits_offered ? client_bits : COMPRESSION_BITS_MAX,
                                                  .server_bits = server_bits};
    return true;
}

/* --- the whole request ---------------------------------------------------------------------------------------------------------------- */

static bool read_line(struct reading *reading, size_t size, unsigned status, const char *reason) {
    if (size <= HANDSHAKE_LINE_MAX)
        return true;
    refuse(reading, status, reason);
    add_text(reading, "read ");
    add_number(reading, size);
    add_text(reading, " bytes, expected no more than ");
    add_number(reading, HANDSHAKE_LINE_MAX);
    add_text(reading, " bytes");
    return false;
}

static bool read_size(struct reading *reading) {
    static const char TOO_LARGE[] = "Request Header Fields Too Large";
    const struct request_head *head = reading->head;
    size_t method_size = strlen(request_method_name(head->method));
    if (!read_line(reading, method_size + head->target_size + sizeof "  HTTP/1.1\r\n" - 1, 414, "URI Too Long"))
        return false;
    for (size_t i = 0; i < head->field_count; i++) {
        if (!read_line(reading, head->fields[i].name_size + head->fields[i].value_size + sizeof ": \r\n" - 1, 431, TOO_LARGE))
            return false;
        if (i == HANDSHAKE_FIELDS_MAX) {
            refuse(reading, 431, TOO_LARGE);
            add_text(reading, "expected no more than 128 headers");
            return false;
        }
    }
    if (head->has_content) {
        refuse(reading, 400, "Bad Request");
        add_text(reading, "unsupported request body");
        return false;
    }
    return true;
}

static bool read_method(struct reading *reading) {
    if (reading->head->method == HTTP_GET)
        return true;
    refuse(reading, 405, "Method Not Allowed");
    add_text(reading, "unsupported HTTP method: ");
    add_text(reading, request_method_name(reading->head->method));
    reading->field = "Allow: GET\r\n";
    return false;
}

static bool read_all(struct reading *reading, struct handshake *handshake, bool compresses) {
    struct span origin;
    return read_size(reading) && read_method(reading) && read_lists(reading, "connection", "Connection", read_token_item, NULL) &&
           read_upgrade(reading) && read_key(reading, handshake) && read_version(reading) &&
           read_single(reading, "origin", "Origin", false, &origin) &&
           (!compresses || read_lists(reading, "sec-websocket-extensions", "Sec-WebSocket-Extensions", read_extension_item, handshake)) &&
           read_lists(reading, "sec-websocket-protocol", "Sec-WebSocket-Protocol", read_token_item, NULL);
}

enum handshake_result handshake_read(struct handshake *handshake, const struct request_head *head, bool compresses, struct buffer *out,
                                     const struct allocator *allocator, const struct date *date, unsigned *status, const char **reason) {
    struct reading reading = {.head = head, .allocator = allocator, .field = ""};
    *handshake = (struct handshake){0};
    enum handshake_result result = HANDSHAKE_OK;
    if (!read_all(&reading, handshake, compresses)) {
        add_text(&reading, ".\n");
        if (reading.status == 426)
            add_text(&reading, "\nYou cannot access a WebSocket server directly with a browser. You need a WebSocket client.\n");
        *status = reading.status;
        *reason = reading.reason;
        const struct handshake_fault fault = {reading.status, reading.reason, reading.field, &reading.words};
        bool answered = !reading.no_memory && handshake_answer_fault(&fault, out, allocator, date) == RESPONSE_OK;
        result = answered ? HANDSHAKE_REFUSED : HANDSHAKE_NO_MEMORY;
    } else if (reading.no_memory) {
        result = HANDSHAKE_NO_MEMORY;
    }
    buffer_free(&reading.words, allocator);
    return result;
}
