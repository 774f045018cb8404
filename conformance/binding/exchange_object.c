#define PY_SSIZE_T_CLEAN /* the "#" of a format counts in Py_ssize_t */
#include <Python.h>
#include <structmember.h>

#include "exchange_object.h"

#include "../exchange/writer.h"
#include "../player/outline.h"

/* A parsed file and the bytes it was parsed from, shared by its exchanges. */
struct source {
    size_t users;
    struct exchange_file *file;
    PyObject *data; /* bytes */
    PyObject *name; /* str */
};

struct exchange_object {
    PyObject ob_base;
    struct source *source;
    const struct exchange *exchange;
    char alone;
};

static void release(struct source *source) {
    if (--source->users)
        return;
    exchange_file_free(source->file);
    Py_DECREF(source->data);
    Py_DECREF(source->name);
    PyMem_Free(source);
}

static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    release(((struct exchange_object *)self)->source);
    type->tp_free(self);
    Py_DECREF(type);
}

struct player_exchange exchange_object_get(PyObject *object) {
    const struct exchange_object *self = (const struct exchange_object *)object;
    return (struct player_exchange){.exchange = self->exchange, .alone = self->alone};
}

PyObject *exchange_object_file(PyObject *object) { return ((struct exchange_object *)object)->source->name; }

static PyObject *text_of(const struct exchange_bytes *bytes) {
    return PyUnicode_DecodeUTF8(bytes->data, (Py_ssize_t)bytes->size, "surrogateescape");
}

static const struct exchange *exchange_of(PyObject *self) { return ((struct exchange_object *)self)->exchange; }

static PyObject *get_name(PyObject *self, void *closure) {
    (void)closure;
    return text_of(&exchange_of(self)->name);
}

static PyObject *get_session(PyObject *self, void *closure) {
    (void)closure;
    return exchange_of(self)->session.size ? text_of(&exchange_of(self)->session) : PyUnicode_FromStringAndSize("", 0);
}

static PyObject *get_line(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromUnsignedLong(exchange_of(self)->line);
}

static PyObject *get_text(PyObject *self, void *closure) {
    (void)closure;
    const struct exchange *exchange = exchange_of(self);
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(((struct exchange_object *)self)->source->data) + exchange->offset,
                                     (Py_ssize_t)exchange->length);
}

static PyObject *get_meta(PyObject *self, void *closure) {
    (void)closure;
    const struct exchange *exchange = exchange_of(self);
    PyObject *meta = PyDict_New();
    for (size_t i = 0; meta && i < exchange->meta_count; i++) {
        PyObject *key = text_of(&exchange->meta[i].key);
        PyObject *value = key ? text_of(&exchange->meta[i].value) : NULL;
        if (!value || !PyDict_SetDefault(meta, key, value)) /* its own come first */
            Py_CLEAR(meta);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return meta;
}

static PyObject *get_alone(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((struct exchange_object *)self)->alone);
}

static PyObject *get_sends(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromUnsignedLongLong(outline_sends(exchange_of(self)));
}

static int add_request(void *context, const struct request *request) {
    PyObject *pair = Py_BuildValue("(yy#)", request->method, request->target ? request->target : "", (Py_ssize_t)request->target_kept);
    return binding_append(context, pair) ? -2 : 0;
}

static PyObject *get_requests(PyObject *self, void *closure) {
    (void)closure;
    PyObject *requests = PyList_New(0);
    int failed = requests ? outline_requests(exchange_of(self), add_request, requests) : 0;
    if (failed == -1)
        PyErr_NoMemory();
    if (failed)
        Py_CLEAR(requests);
    return requests;
}

static const char *const CONDITIONS[] = {"response", "head", "body", "interim", "call", "closed", "frame", "message"};

/* The line of a frame, without its end. */
static PyObject *frame_of(const struct exchange_step *step) {
    struct writer writer;
    writer_init(&writer, NULL);
    writer_frame(&writer, step);
    PyObject *line =
        writer.out_of_memory ? PyErr_NoMemory() : PyUnicode_FromStringAndSize(writer.text.items, (Py_ssize_t)writer.text.count - 1);
    writer_free(&writer);
    return line;
}

PyObject *exchange_object_words(const struct exchange_step *step) {
    PyObject *words = PyTuple_New((Py_ssize_t)step->word_count);
    for (size_t i = 0; words && i < step->word_count; i++) {
        PyObject *word = text_of(&step->words[i]);
        if (word)
            PyTuple_SET_ITEM(words, (Py_ssize_t)i, word);
        else
            Py_CLEAR(words);
    }
    return words;
}

static PyObject *process_of(const struct exchange_step *step) {
    PyObject *words = exchange_object_words(step), *space = words ? PyUnicode_FromString(" ") : NULL;
    PyObject *text = space ? PyUnicode_Join(space, words) : NULL;
    PyObject *kind = text ? PyUnicode_FromFormat("process %s%s%U", step->name.data, step->word_count ? " " : "", text) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(space);
    Py_XDECREF(words);
    return kind;
}

/* A step's words, as a person knows them from the file; for a send, only "send". */
static PyObject *kind_of(const struct exchange_step *step) {
    static const char *const KINDS[] = {
        [EXCHANGE_CONNECT] = "connect",   [EXCHANGE_ON] = "on",       [EXCHANGE_SEND] = "send",
        [EXCHANGE_ANSWERED] = "answered", [EXCHANGE_PAUSE] = "pause", [EXCHANGE_HALF_CLOSE] = "half-close",
        [EXCHANGE_CLOSE] = "close",       [EXCHANGE_RESET] = "reset", [EXCHANGE_WAIT] = "wait",
        [EXCHANGE_SAVE] = "save",
    };
    if (step->kind == EXCHANGE_WAIT)
        return PyUnicode_FromFormat("wait %s%s%s", CONDITIONS[step->condition], step->name.size ? " " : "", step->name.data);
    if (step->kind == EXCHANGE_FRAME)
        return frame_of(step);
    if (step->kind == EXCHANGE_PAUSE)
        return PyUnicode_FromFormat("pause %ums", step->milliseconds);
    if (step->kind == EXCHANGE_PROCESS)
        return process_of(step);
    if (step->name.size)
        return PyUnicode_FromFormat("%s %s", KINDS[step->kind], step->name.data);
    return PyUnicode_FromString(KINDS[step->kind]);
}

#define SHOWN_MAX (8u << 20) /* bytes of one step; a "*" piece may stand for far more than anyone wants to see */

static PyObject *shown_bytes(const struct exchange_step *step) {
    if (step->kind == EXCHANGE_FRAME && !step->piece_count)
        return PyBytes_FromStringAndSize(step->text.data, (Py_ssize_t)step->text.size);
    uint64_t size = 0;
    for (size_t i = 0; i < step->piece_count; i++)
        if (step->pieces[i].kind == EXCHANGE_PIECE_BYTES)
            size += step->pieces[i].bytes.size * step->pieces[i].count;
    if (size > SHOWN_MAX)
        size = SHOWN_MAX;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes)
        outline_bytes(step, PyBytes_AS_STRING(bytes), (size_t)size);
    return bytes;
}

static PyObject *get_steps(PyObject *self, void *closure) {
    (void)closure;
    const struct exchange *exchange = exchange_of(self);
    PyObject *steps = PyList_New(0);
    for (size_t i = 0; steps && i < exchange->step_count; i++) {
        const struct exchange_step *step = &exchange->steps[i];
        PyObject *kind = kind_of(step), *bytes = kind ? shown_bytes(step) : NULL;
        if (binding_append(steps, bytes ? Py_BuildValue("(IOO)", step->line, kind, bytes) : NULL))
            Py_CLEAR(steps);
        Py_XDECREF(kind);
        Py_XDECREF(bytes);
    }
    return steps;
}

static PyObject *get_process(PyObject *self, void *closure) {
    (void)closure;
    const struct exchange *exchange = exchange_of(self);
    PyObject *steps = PyList_New(0);
    for (size_t i = 0; steps && i < exchange->step_count; i++) {
        const struct exchange_step *step = &exchange->steps[i];
        if (step->kind != EXCHANGE_PROCESS)
            continue;
        PyObject *words = exchange_object_words(step);
        if (binding_append(steps, words ? Py_BuildValue("(IsO)", step->line, step->name.data, words) : NULL))
            Py_CLEAR(steps);
        Py_XDECREF(words);
    }
    return steps;
}

static PyObject *repr(PyObject *self) {
    PyObject *name = get_name(self, NULL);
    PyObject *text = name ? PyUnicode_FromFormat("<Exchange %U>", name) : NULL;
    Py_XDECREF(name);
    return text;
}

static PyGetSetDef ATTRIBUTES[] = {
    {"name", get_name, NULL, NULL, NULL},   {"session", get_session, NULL, NULL, NULL},
    {"line", get_line, NULL, NULL, NULL},   {"text", get_text, NULL, NULL, NULL},
    {"meta", get_meta, NULL, NULL, NULL},   {"alone", get_alone, NULL, NULL, NULL},
    {"sends", get_sends, NULL, NULL, NULL}, {"requests", get_requests, NULL, NULL, NULL},
    {"steps", get_steps, NULL, NULL, NULL}, {"process", get_process, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot SLOTS[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_repr, repr},
    {Py_tp_getset, ATTRIBUTES},
    {Py_tp_doc, "One exchange, as parsed. Immutable; playable any number of times."},
    {0, NULL},
};

PyType_Spec exchange_object_spec = {
    .name = "bridgecheck.conformance._player.Exchange",
    .basicsize = sizeof(struct exchange_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = SLOTS,
};

static void raise_error(struct binding_state *state, PyObject *file, const struct exchange_error *error) {
    PyObject *text = PyUnicode_FromFormat("%U:%u:%u: %s", file, error->line, error->column, error->message);
    PyObject *raised = text ? PyObject_CallOneArg(state->exchange_error, text) : NULL;
    PyObject *line = PyLong_FromUnsignedLong(error->line), *column = PyLong_FromUnsignedLong(error->column);
    PyObject *message = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    if (raised && line && column && message && !PyObject_SetAttr(raised, state->file, file) &&
        !PyObject_SetAttr(raised, state->line, line) && !PyObject_SetAttr(raised, state->column, column) &&
        !PyObject_SetAttr(raised, state->message, message))
        PyErr_SetObject(state->exchange_error, raised);
    Py_XDECREF(message);
    Py_XDECREF(column);
    Py_XDECREF(line);
    Py_XDECREF(raised);
    Py_XDECREF(text);
}

static PyObject *make(struct binding_state *state, struct source *source, const struct exchange *exchange) {
    struct exchange_object *self = (struct exchange_object *)state->exchange_type->tp_alloc(state->exchange_type, 0);
    if (!self)
        return NULL;
    self->source = source;
    source->users++;
    self->exchange = exchange;
    self->alone = outline_alone(exchange);
    return (PyObject *)self;
}

PyObject *exchange_object_parse(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"data", "file", NULL};
    struct binding_state *state = PyModule_GetState(module);
    PyObject *data, *name;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "SU:parse", names, &data, &name))
        return NULL;
    struct exchange_error error = {0};
    struct exchange_file *file = NULL;
    if (exchange_parse(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), NULL, &file, &error)) {
        raise_error(state, name, &error);
        return NULL;
    }
    struct source *source = PyMem_Malloc(sizeof *source);
    if (!source) {
        exchange_file_free(file);
        return PyErr_NoMemory();
    }
    *source = (struct source){.users = 1, .file = file, .data = Py_NewRef(data), .name = Py_NewRef(name)};
    PyObject *exchanges = PyList_New(0);
    for (size_t i = 0; exchanges && i < file->exchange_count; i++)
        if (binding_append(exchanges, make(state, source, &file->exchanges[i])))
            Py_CLEAR(exchanges);
    release(source);
    return exchanges;
}
