/* call.c: the Call object: one call of the app, and the records that its faces ask for.
 *
 * Every method takes what it records, returns None and raises nothing: the caller stands between the app and its server.
 */
#include "state.h"
#include "value.h"

#include <string.h>
#include <structmember.h>

/* Most records are far below this; a longer one is written a second time, into all the room there may be. */
#define ROOM (64u << 10)

/* The content that an event carries, and its hash where the trace will ask for it again. */
struct content {
    Py_buffer buffer;
    uint64_t hash;
    int held;
};

static void write_record(struct call *call, enum trace_kind kind, PyObject *value, PyObject *tail, const struct stream *stream,
                         const struct content *content) {
    struct trace_writer *writer = call->recorder->writer;
    if (trace_writer_generation(writer) != call->generation)
        return; /* begun in the parent of this process */
    struct trace_record record = {.kind = (uint16_t)kind, .client_port = call->client_port, .call = call->number};
    struct value_writer blank = {0};
    if (stream != NULL) {
        record.stream_total = stream->total;
        record.stream_hash = stream->hash;
    }
    if (content != NULL && content->held) {
        blank.known_data = content->buffer.buf;
        blank.known_size = (uint64_t)content->buffer.len;
        blank.known_hash = content->hash;
    }
    size_t tail_size = tail == NULL ? 0 : (size_t)PyBytes_Size(tail);
    /* Writing a value may allocate; a collection would run finalizers, and one of those may end another call inside this record. */
    int collecting = PyGC_Disable();
    static const size_t rooms[] = {ROOM, TRACE_VALUE_MAX};
    for (size_t attempt = 0;; attempt++) {
        int last = attempt == sizeof rooms / sizeof *rooms;
        size_t room = rooms[last ? 0 : attempt];
        unsigned char *start = trace_writer_reserve(writer, room);
        if (start == NULL)
            break;
        struct value_writer values = blank;
        values.at = start;
        values.end = start + room - tail_size;
        if (last)
            *values.at++ = '.';
        else if (value != NULL && value_write(&values, value) != 0)
            continue;
        if (tail != NULL)
            memcpy(values.at, PyBytes_AsString(tail), tail_size);
        record.payload = (uint32_t)((size_t)(values.at - start) + tail_size);
        trace_writer_publish(writer, &record);
        break;
    }
    if (collecting)
        PyGC_Enable();
}

void call_record(struct call *call, enum trace_kind kind, PyObject *value, PyObject *tail) {
    write_record(call, kind, value, tail, NULL, NULL);
}

static const struct module_state *state_of(struct call *call) { return PyType_GetModuleState(Py_TYPE((PyObject *)call->recorder)); }

/* The bytes of a bytes-like object; -1, perhaps with an exception, where it has none. */
static int hold(PyObject *body, Py_buffer *buffer) {
    if (PyBytes_Check(body) || PyByteArray_Check(body))
        return PyObject_GetBuffer(body, buffer, PyBUF_CONTIG_RO);
    if (!PyMemoryView_Check(body))
        return -1;
    if (PyObject_GetBuffer(body, buffer, PyBUF_CONTIG_RO) == 0)
        return 0;
    PyErr_Clear(); /* with strides, or released */
    PyObject *copy = PyObject_CallMethod(body, "tobytes", NULL);
    if (copy == NULL)
        return -1;
    int result = PyObject_GetBuffer(copy, buffer, PyBUF_CONTIG_RO); /* the buffer keeps the copy */
    Py_DECREF(copy);
    return result;
}

/* Count the event's body into the stream. A long body is hashed for its own record in the same pass: two chains of multiplications cost no
 * more than one. */
static void count_content(struct call *call, PyObject *event, struct stream *stream, struct content *content) {
    content->held = 0;
    if (!PyDict_Check(event))
        return;
    PyObject *body = PyDict_GetItemWithError(event, state_of(call)->names.body);
    if (body == NULL || hold(body, &content->buffer) != 0) {
        PyErr_Clear();
        return;
    }
    content->held = 1;
    const unsigned char *data = content->buffer.buf;
    uint64_t size = (uint64_t)content->buffer.len;
    if (size <= TRACE_BODY_INLINE || stream->total == 0) {
        content->hash = stream->hash = trace_hash(stream->hash, data, size);
    } else {
        uint64_t own = trace_hash_start(), whole = stream->hash;
        for (uint64_t i = 0; i < size; i++) {
            own = trace_hash(own, data + i, 1);
            whole = trace_hash(whole, data + i, 1);
        }
        content->hash = own;
        stream->hash = whole;
    }
    stream->total += size;
}

static void record_event(struct call *call, enum trace_kind kind, PyObject *event, struct stream *stream) {
    struct content content;
    count_content(call, event, stream, &content);
    write_record(call, kind, event, NULL, stream, &content);
    if (content.held)
        PyBuffer_Release(&content.buffer);
}

static void record_exception(struct call *call, enum trace_kind kind, PyObject *exception) {
    PyObject *value = value_of_exception(exception);
    if (value == NULL)
        return;
    call_record(call, kind, value, NULL);
    Py_DECREF(value);
}

/* GeneratorExit in a face is the end of an awaitable that no one will resume, not something the app or the server said. */
static int is_abandoned(PyObject *exception) { return PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit); }

/* The next loop turn calls this object; without a loop that can, the call settles at once. */
static void next_turn(struct call *call) {
    if (call->loop != Py_None) {
        PyObject *handle = PyObject_CallMethodObjArgs(call->loop, state_of(call)->names.call_soon, (PyObject *)call, NULL);
        if (handle != NULL) {
            Py_DECREF(handle);
            return;
        }
        PyErr_Clear(); /* the loop is closed */
    }
    call_record(call, TRACE_SETTLED, NULL, NULL);
}

static PyObject *call_turn(PyObject *self, PyObject *Py_UNUSED(arguments), PyObject *Py_UNUSED(keywords)) {
    struct call *call = (struct call *)self;
    if (++call->turns < 2)
        next_turn(call);
    else
        call_record(call, TRACE_SETTLED, NULL, NULL);
    Py_RETURN_NONE;
}

static PyObject *call_received(PyObject *self, PyObject *event) {
    struct call *call = (struct call *)self;
    record_event(call, TRACE_RECEIVED, event, &call->received);
    Py_RETURN_NONE;
}

static PyObject *call_receive_raised(PyObject *self, PyObject *exception) {
    if (!is_abandoned(exception))
        record_exception((struct call *)self, TRACE_RECEIVE_RAISED, exception);
    Py_RETURN_NONE;
}

static PyObject *call_sending(PyObject *self, PyObject *event) {
    struct call *call = (struct call *)self;
    record_event(call, TRACE_SEND, event, &call->sent);
    Py_RETURN_NONE;
}

static PyObject *call_sent(PyObject *self, PyObject *result) {
    call_record((struct call *)self, TRACE_SENT, result, NULL);
    Py_RETURN_NONE;
}

static PyObject *call_send_raised(PyObject *self, PyObject *exception) {
    if (!is_abandoned(exception))
        record_exception((struct call *)self, TRACE_SEND_RAISED, exception);
    Py_RETURN_NONE;
}

static PyObject *call_returned(PyObject *self, PyObject *result) {
    struct call *call = (struct call *)self;
    call_record(call, TRACE_RETURNED, result, NULL);
    next_turn(call);
    Py_RETURN_NONE;
}

static PyObject *call_raised(PyObject *self, PyObject *exception) {
    struct call *call = (struct call *)self;
    record_exception(call, TRACE_RAISED, exception);
    if (is_abandoned(exception)) /* thrown by a collector: in any thread, and the loop may not run any more */
        call_record(call, TRACE_SETTLED, NULL, NULL);
    else
        next_turn(call);
    Py_RETURN_NONE;
}

static int call_traverse(PyObject *self, visitproc visit, void *arg) {
    struct call *call = (struct call *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(call->recorder);
    Py_VISIT(call->loop);
    Py_VISIT(call->server_receive);
    Py_VISIT(call->server_send);
    return 0;
}

static int call_clear(PyObject *self) {
    struct call *call = (struct call *)self;
    Py_CLEAR(call->server_receive);
    Py_CLEAR(call->server_send);
    return 0;
}

static void call_dealloc(PyObject *self) {
    struct call *call = (struct call *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    call_clear(self);
    Py_XDECREF(call->loop);
    Py_XDECREF(call->token);
    Py_DECREF(call->recorder);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef call_methods[] = {
    {"received", call_received, METH_O, "receive() returned this event."},
    {"receive_raised", call_receive_raised, METH_O, "receive() raised this."},
    {"sending", call_sending, METH_O, "The app sends this event."},
    {"sent", call_sent, METH_O, "send() returned this."},
    {"send_raised", call_send_raised, METH_O, "send() raised this."},
    {"returned", call_returned, METH_O, "The app returned this: the end of the call."},
    {"raised", call_raised, METH_O, "This left the app: the end of the call."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef call_members[] = {
    {"uncommon", T_INT, offsetof(struct call, uncommon), READONLY, "0, or PLAIN_RECEIVE, PLAIN_SEND, MARKED."},
    {"server_receive", T_OBJECT_EX, offsetof(struct call, server_receive), READONLY, "What the server handed over."},
    {"server_send", T_OBJECT_EX, offsetof(struct call, server_send), READONLY, "What the server handed over."},
    {"token", T_OBJECT_EX, offsetof(struct call, token), READONLY, "The token of a marked request, else None."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_doc,
     "One call of the app; a base for the faces, made by Recorder.begin() only. Calling it is a turn of the loop on the way to settled."},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_call, call_turn},
    {Py_tp_methods, call_methods},
    {Py_tp_members, call_members},
    {0, NULL},
};

PyType_Spec call_spec = {
    .name = "bridgecheck_observer._recorder.Call",
    .basicsize = sizeof(struct call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};
