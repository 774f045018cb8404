/* recorder.c: the Recorder object: begins calls. Owns the writer, tells marked requests from calls, and says what receive and send are.
 *
 * Knows the records only through call_record().
 */
#include "state.h"
#include "value.h"

#include <string.h>

#define MARK "bridgecheck-next"

static const struct module_state *state_of(struct recorder *recorder) { return PyType_GetModuleState(Py_TYPE((PyObject *)recorder)); }

/* The items of a list or tuple; -1 for anything else. Borrowed references. */
static Py_ssize_t item_count(PyObject *sequence) {
    if (PyList_Check(sequence))
        return PyList_Size(sequence);
    return PyTuple_Check(sequence) ? PyTuple_Size(sequence) : -1;
}

static PyObject *item(PyObject *sequence, Py_ssize_t index) {
    return PyList_Check(sequence) ? PyList_GetItem(sequence, index) : PyTuple_GetItem(sequence, index);
}

static int is_mark(PyObject *name) {
    if (!PyBytes_Check(name) || PyBytes_Size(name) != (Py_ssize_t)sizeof MARK - 1)
        return 0;
    const char *text = PyBytes_AsString(name);
    for (size_t i = 0; i < sizeof MARK - 1; i++) {
        char letter = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 'a' - 'A') : text[i];
        if (letter != MARK[i])
            return 0;
    }
    return 1;
}

/* The token of a marked request, borrowed; NULL for any other scope. */
static PyObject *find_token(const struct module_state *state, PyObject *scope) {
    PyObject *type = PyDict_GetItemWithError(scope, state->names.type);
    if (type == NULL || !PyUnicode_Check(type) || (type != state->names.http && PyUnicode_CompareWithASCIIString(type, "http") != 0))
        return NULL;
    PyObject *headers = PyDict_GetItemWithError(scope, state->names.headers);
    Py_ssize_t count = headers == NULL ? 0 : item_count(headers);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = item(headers, i);
        if (item_count(pair) == 2 && is_mark(item(pair, 0)) && PyBytes_Check(item(pair, 1)))
            return item(pair, 1);
    }
    return NULL;
}

static uint16_t find_client_port(const struct module_state *state, PyObject *scope) {
    PyObject *client = PyDict_GetItemWithError(scope, state->names.client);
    if (client == NULL || item_count(client) != 2)
        return 0;
    PyObject *port = item(client, 1);
    long number = 0;
    if (PyLong_Check(port)) {
        number = PyLong_AsLong(port);
    } else if (PyUnicode_Check(port)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(port, &size);
        for (Py_ssize_t i = 0; text != NULL && i < size && number >= 0 && number <= 65535; i++)
            number = text[i] >= '0' && text[i] <= '9' ? number * 10 + (text[i] - '0') : -1;
    }
    PyErr_Clear();
    return number > 0 && number <= 65535 ? (uint16_t)number : 0;
}

/* What stands for all callables of the same making: a bound method's function, a closure's code, the type of built-in methods. A new
 * reference; NULL where each has to be asked itself (a functools.partial). */
static PyObject *kind_key(const struct module_state *state, PyObject *callable) {
    PyTypeObject *type = Py_TYPE(callable);
    PyObject *key = NULL;
    if (type == state->method_type)
        key = PyObject_GetAttr(callable, state->names.function);
    else if (type == state->function_type)
        key = PyObject_GetAttr(callable, state->names.code);
    else if (type == state->builtin_type)
        key = Py_NewRef((PyObject *)type);
    PyErr_Clear();
    return key;
}

/* The kind's name as a new reference, "" where it cannot be told. */
static PyObject *kind_of(struct recorder *recorder, PyObject *callable) {
    PyObject *key = kind_key(state_of(recorder), callable);
    if (key != NULL) {
        for (size_t i = 0; i < KINDS_MAX; i++) {
            if (recorder->kinds[i].key == key) {
                Py_DECREF(key);
                return Py_NewRef(recorder->kinds[i].name);
            }
        }
    }
    PyObject *name = PyObject_CallFunctionObjArgs(recorder->describe, callable, NULL);
    if (name == NULL || !PyUnicode_Check(name)) {
        PyErr_Clear();
        Py_XDECREF(name);
        Py_XDECREF(key);
        return PyUnicode_FromString("");
    }
    if (key != NULL) {
        struct callable_kind *kind = &recorder->kinds[recorder->next_kind++ % KINDS_MAX];
        struct callable_kind old = *kind;
        *kind = (struct callable_kind){.key = key, .name = Py_NewRef(name)};
        Py_XDECREF(old.key);
        Py_XDECREF(old.name);
    }
    return name;
}

static void replace(PyObject **place, PyObject *value) {
    PyObject *old = *place;
    *place = Py_NewRef(value);
    Py_XDECREF(old);
}

static PyObject *make_properties(PyObject *receive, PyObject *send, PyObject *loop, int main_thread) {
    unsigned char place[4096];
    struct value_writer values = {.at = place, .end = place + sizeof place};
    PyObject *loop_name = loop == Py_None ? PyUnicode_FromString("") : value_type_name(Py_TYPE(loop));
    PyObject *properties = loop_name == NULL ? NULL
                                             : Py_BuildValue("{sOsOsOsOss}", "receive", receive, "send", send, "main thread",
                                                             main_thread ? Py_True : Py_False, "loop", loop_name, "recorder", "c");
    if (properties == NULL || value_write(&values, properties) != 0) {
        values.at = place;
        *values.at++ = '.';
    }
    PyErr_Clear();
    Py_XDECREF(properties);
    Py_XDECREF(loop_name);
    return PyBytes_FromStringAndSize((const char *)place, values.at - place);
}

/* Borrowed; NULL with an exception when out of memory. */
static PyObject *properties_of(struct recorder *recorder, PyObject *receive, PyObject *send, PyObject *loop) {
    int main_thread = PyThread_get_thread_ident() == recorder->main_thread;
    PyObject *loop_type = (PyObject *)Py_TYPE(loop);
    if (recorder->properties.bytes == NULL || recorder->properties.receive != receive || recorder->properties.send != send ||
        recorder->properties.loop_type != loop_type || recorder->properties.main_thread != main_thread) {
        PyObject *bytes = make_properties(receive, send, loop, main_thread);
        if (bytes == NULL)
            return NULL;
        replace(&recorder->properties.bytes, bytes);
        Py_DECREF(bytes);
        replace(&recorder->properties.receive, receive);
        replace(&recorder->properties.send, send);
        replace(&recorder->properties.loop_type, loop_type);
        recorder->properties.main_thread = main_thread;
    }
    return recorder->properties.bytes;
}

static PyObject *recorder_begin(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    struct recorder *recorder = (struct recorder *)self;
    const struct module_state *state = state_of(recorder);
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "begin() takes scope, receive and send");
        return NULL;
    }
    PyObject *scope = arguments[0], *properties;
    PyObject *receive = NULL, *send = NULL;
    struct call *call = (struct call *)PyType_GenericAlloc(recorder->call_type, 0);
    if (call == NULL)
        return NULL;
    call->recorder = (struct recorder *)Py_NewRef(self);
    call->server_receive = Py_NewRef(arguments[1]);
    call->server_send = Py_NewRef(arguments[2]);
    call->token = Py_NewRef(Py_None);
    call->loop = PyObject_CallNoArgs(state->get_running_loop);
    if (call->loop == NULL) {
        PyErr_Clear();
        call->loop = Py_NewRef(Py_None);
    }
    call->received.hash = call->sent.hash = trace_hash_start();
    call->generation = trace_writer_generation(recorder->writer);
    if ((receive = kind_of(recorder, arguments[1])) == NULL || (send = kind_of(recorder, arguments[2])) == NULL)
        goto failed;
    call->uncommon =
        (receive == recorder->coroutine_function ? 0 : PLAIN_RECEIVE) | (send == recorder->coroutine_function ? 0 : PLAIN_SEND);
    if (PyDict_Check(scope)) {
        PyObject *token = find_token(state, scope);
        call->client_port = find_client_port(state, scope);
        if (token != NULL) {
            call->uncommon |= MARKED;
            replace(&call->token, token);
        }
        PyErr_Clear();
    }
    if (call->uncommon & MARKED) {
        call_record(call, TRACE_MARKED, call->token, NULL);
    } else {
        call->number = trace_writer_next_call(recorder->writer);
        if ((properties = properties_of(recorder, receive, send, call->loop)) == NULL)
            goto failed;
        call_record(call, TRACE_CALL, scope, properties);
    }
    Py_DECREF(receive);
    Py_DECREF(send);
    return (PyObject *)call;

failed:
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_DECREF(call);
    return NULL;
}

static PyObject *recorder_is_marked(PyObject *self, PyObject *scope) {
    return PyBool_FromLong(PyDict_Check(scope) && find_token(state_of((struct recorder *)self), scope) != NULL);
}

static PyObject *recorder_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"folder", "doorbell", "call_type", "describe", "coroutine_function", "main_thread", "file_size", NULL};
    const char *folder, *doorbell;
    PyObject *call_type, *describe, *coroutine_function;
    unsigned long main_thread;
    unsigned long long file_size = TRACE_FILE_SIZE;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "zzOOUk|K", names, &folder, &doorbell, &call_type, &describe, &coroutine_function,
                                     &main_thread, &file_size))
        return NULL;
    const struct module_state *state = PyType_GetModuleState(type);
    if (!PyType_Check(call_type) || !PyType_IsSubtype((PyTypeObject *)call_type, state->call_type))
        return PyErr_Format(PyExc_TypeError, "call_type must be Call or a subclass of it");
    struct trace_writer *writer = trace_writer_new(folder, doorbell, file_size);
    if (writer == NULL)
        return PyErr_Format(PyExc_ValueError, "no memory for a trace writer, or files of %llu bytes are too small", file_size);
    struct recorder *recorder = (struct recorder *)PyType_GenericAlloc(type, 0);
    if (recorder == NULL) {
        trace_writer_free(writer);
        return NULL;
    }
    recorder->writer = writer;
    recorder->call_type = (PyTypeObject *)Py_NewRef(call_type);
    recorder->describe = Py_NewRef(describe);
    recorder->coroutine_function = Py_NewRef(coroutine_function);
    recorder->main_thread = main_thread;
    return (PyObject *)recorder;
}

static int recorder_traverse(PyObject *self, visitproc visit, void *arg) {
    struct recorder *recorder = (struct recorder *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(recorder->call_type);
    Py_VISIT(recorder->describe);
    for (size_t i = 0; i < KINDS_MAX; i++)
        Py_VISIT(recorder->kinds[i].key);
    Py_VISIT(recorder->properties.loop_type);
    return 0;
}

static int recorder_clear(PyObject *self) {
    struct recorder *recorder = (struct recorder *)self;
    for (size_t i = 0; i < KINDS_MAX; i++) {
        Py_CLEAR(recorder->kinds[i].key);
        Py_CLEAR(recorder->kinds[i].name);
    }
    Py_CLEAR(recorder->properties.bytes);
    Py_CLEAR(recorder->properties.receive);
    Py_CLEAR(recorder->properties.send);
    Py_CLEAR(recorder->properties.loop_type);
    return 0;
}

static void recorder_dealloc(PyObject *self) {
    struct recorder *recorder = (struct recorder *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    recorder_clear(self);
    Py_DECREF(recorder->call_type);
    Py_DECREF(recorder->describe);
    Py_DECREF(recorder->coroutine_function);
    trace_writer_free(recorder->writer);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef recorder_methods[] = {
    {"begin", (PyCFunction)(void (*)(void))recorder_begin, METH_FASTCALL,
     "begin(scope, receive, send) -> Call: the app is called, or, for a marked request (Call.uncommon & MARKED), is not."},
    {"is_marked", recorder_is_marked, METH_O, "is_marked(scope): whether begin() would take it for a marked request."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot recorder_slots[] = {
    {Py_tp_doc, "Recorder(folder, doorbell, call_type, describe, coroutine_function, main_thread, file_size=...): this process's trace."},
    {Py_tp_new, recorder_new},
    {Py_tp_dealloc, recorder_dealloc},
    {Py_tp_traverse, recorder_traverse},
    {Py_tp_clear, recorder_clear},
    {Py_tp_methods, recorder_methods},
    {0, NULL},
};

PyType_Spec recorder_spec = {
    .name = "bridgecheck_observer._recorder.Recorder",
    .basicsize = sizeof(struct recorder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = recorder_slots,
};
