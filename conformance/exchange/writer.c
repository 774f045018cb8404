/* writer.c: see writer.h. A piece begins as "+" and becomes ">" when its line ends with CR LF. */
#include "writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_MAX 4 /* characters of one octet */

void writer_init(struct writer *writer, const struct exchange_allocator *allocator) {
    struct arena standard;
    arena_init(&standard, allocator);
    *writer = (struct writer){.allocator = standard.allocator};
}

void writer_free(struct writer *writer) { growing_free(&writer->text, &writer->allocator); }

static void put(struct writer *writer, const char *text, size_t size) {
    if (writer->out_of_memory || size == 0)
        return;
    char *room = growing_add(&writer->text, &writer->allocator, size, 1);
    if (room)
        memcpy(room, text, size);
    else
        writer->out_of_memory = true;
}

/* One octet as it is written; returns how many characters that takes. */
static size_t escape(char octet, char text[ESCAPED_MAX + 1]) {
    static const char escapes[] = {'r', '\r', 'n', '\n', 't', '\t', '0', '\0', '\\', '\\', '$', '$'};
    for (size_t i = 0; i < sizeof escapes; i += 2)
        if (octet == escapes[i + 1])
            return (size_t)sprintf(text, "\\%c", escapes[i]);
    if (octet < ' ' || octet > '~')
        return (size_t)sprintf(text, "\\x%02x", (unsigned char)octet);
    text[0] = octet;
    return 1;
}

/* A space at the end of a line would not be seen. */
static void put_line_end(struct writer *writer) {
    char *text = writer->text.items;
    if (!writer->out_of_memory && text[writer->text.count - 1] == ' ') {
        writer->text.count--;
        put(writer, "\\x20", 4);
    }
    put(writer, "\n", 1);
}

static void open_piece(struct writer *writer) {
    if (writer->in_piece)
        return;
    writer->in_piece = true;
    writer->mark = writer->text.count;
    writer->width = 0;
    put(writer, "+ ", 2);
}

static void close_piece(struct writer *writer, char mark) {
    writer->in_piece = false;
    if (!writer->out_of_memory) {
        char *text = writer->text.items;
        text[writer->mark] = mark;
        writer->text.count -= writer->width == 0; /* ">" alone is an empty line */
    }
    put_line_end(writer);
}

/* Room for WIDTH characters more in this piece or the next one. */
static void make_room(struct writer *writer, size_t width, size_t maximum) {
    if (writer->in_piece && width > maximum - (writer->width < maximum ? writer->width : maximum))
        close_piece(writer, '+');
    open_piece(writer);
    writer->width += width;
}

static size_t width_of(const char *data, size_t size) {
    char text[ESCAPED_MAX + 1];
    size_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += escape(data[i], text);
    return width;
}

/* SIZE bytes, which hold no CR LF. LAST: a CR LF follows. */
static void put_bytes(struct writer *writer, const char *data, size_t size, bool last) {
    size_t maximum = WRITER_PIECE_MAX, before = writer->in_piece ? writer->width : 0;
    if (last && size <= WRITER_LINE_MAX && before + width_of(data, size) <= WRITER_LINE_MAX)
        maximum = WRITER_LINE_MAX;
    for (size_t i = 0; i < size; i++) {
        char text[ESCAPED_MAX + 1];
        size_t width = escape(data[i], text);
        make_room(writer, width, maximum);
        put(writer, text, width);
    }
}

static void put_value(struct writer *writer, const struct exchange_bytes *name) {
    make_room(writer, name->size + 3, WRITER_PIECE_MAX);
    put(writer, "${", 2);
    put(writer, name->data, name->size);
    put(writer, "}", 1);
}

static void put_repeated(struct writer *writer, const struct exchange_piece *piece) {
    char text[32];
    put(writer, text, (size_t)snprintf(text, sizeof text, "* %" PRIu64 " ", piece->count));
    for (size_t i = 0; i < piece->bytes.size; i++)
        put(writer, text, escape(piece->bytes.data[i], text));
    put_line_end(writer);
}

static const char *find_line_end(const char *data, size_t size) {
    const char *end = data + size;
    while (end - data >= 2 && (data = memchr(data, '\r', (size_t)(end - data - 1)))) {
        if (data[1] == '\n')
            return data;
        data++;
    }
    return NULL;
}

static void put_lines(struct writer *writer, const char *data, size_t size) {
    const char *line_end;
    while (size != 0 && (line_end = find_line_end(data, size))) {
        size_t line = (size_t)(line_end - data);
        put_bytes(writer, data, line, true);
        open_piece(writer);
        close_piece(writer, '>');
        data += line + 2;
        size -= line + 2;
    }
    put_bytes(writer, data, size, false);
}

static void end_pieces(struct writer *writer) {
    if (writer->in_piece)
        close_piece(writer, '+');
}

void writer_bytes(struct writer *writer, const char *data, size_t size) {
    put_lines(writer, data, size);
    end_pieces(writer);
}

void writer_pieces(struct writer *writer, const struct exchange_piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct exchange_piece *piece = &pieces[i];
        if (piece->kind != EXCHANGE_PIECE_BYTES) {
            put_value(writer, &piece->bytes);
        } else if (piece->count == 1) {
            put_lines(writer, piece->bytes.data, piece->bytes.size);
        } else {
            end_pieces(writer);
            put_repeated(writer, piece);
        }
    }
    end_pieces(writer);
}

void writer_statement(struct writer *writer, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    size_t size = (size_t)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(writer, text, size < sizeof text ? size : sizeof text - 1);
    put(writer, "\n", 1);
}

void writer_quoted(struct writer *writer, const char *data, size_t size) {
    put(writer, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        char text[ESCAPED_MAX + 1];
        if (data[i] == '"')
            put(writer, "\\\"", 2);
        else
            put(writer, text, escape(data[i], text));
    }
    put(writer, "\"", 1);
}

static void put_word(struct writer *writer, const char *word) { put(writer, word, strlen(word)); }

void writer_frame(struct writer *writer, const struct exchange_step *step) {
    static const char *const opcodes[16] = {[EXCHANGE_OPCODE_CONTINUATION] = "continuation",
                                            [EXCHANGE_OPCODE_TEXT] = "text",
                                            [EXCHANGE_OPCODE_BINARY] = "binary",
                                            [EXCHANGE_OPCODE_CLOSE] = "close",
                                            [EXCHANGE_OPCODE_PING] = "ping",
                                            [EXCHANGE_OPCODE_PONG] = "pong"};
    const struct exchange_frame *frame = &step->frame;
    const unsigned char *payload = (const unsigned char *)step->text.data;
    size_t size = step->text.size;
    char text[32];
    put_word(writer, "frame ");
    if (opcodes[frame->opcode])
        put_word(writer, opcodes[frame->opcode]);
    else
        put(writer, text, (size_t)snprintf(text, sizeof text, "opcode %u", frame->opcode));
    put_word(writer, frame->more ? " more" : "");
    put_word(writer, frame->reserved & EXCHANGE_RSV1 ? " rsv1" : "");
    put_word(writer, frame->reserved & EXCHANGE_RSV2 ? " rsv2" : "");
    put_word(writer, frame->reserved & EXCHANGE_RSV3 ? " rsv3" : "");
    put_word(writer, frame->length_size == 2 ? " length16" : frame->length_size == 8 ? " length64" : "");
    put_word(writer, frame->unmasked ? " unmasked" : "");
    if (frame->opcode == EXCHANGE_OPCODE_CLOSE && size >= 2) {
        put(writer, text, (size_t)snprintf(text, sizeof text, " %u", (unsigned)payload[0] << 8 | payload[1]));
        payload += 2;
        size -= 2;
    }
    if (size > 0) {
        put(writer, " ", 1);
        writer_quoted(writer, (const char *)payload, size);
    }
    put(writer, "\n", 1);
}
