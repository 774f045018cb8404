#define PY_SSIZE_T_CLEAN
#include "session_object.h"

#include <stddef.h>
#include <string.h>

#include "field.h"
#include "server_object.h"
#include "state.h"
#include "waiter.h"

static struct session_object *object_of(struct session *session) {
    return (struct session_object *)((char *)session - offsetof(struct session_object, session));
}

/* --- events --------------------------------------------------------------------------------------------------------------------------- */

/* Takes EVENT, which may be NULL with an exception. */
static int push(struct session_object *object, PyObject *event) {
    int error = event ? PyList_Append(object->events, event) : -1;
    Py_XDECREF(event);
    if (error == 0)
        waiters_wake(object->server->state, object->receivers, false);
    return error;
}

static PyObject *disconnect_event(struct state *state, unsigned code, const char *reason, size_t reason_size) {
    PyObject *event = Py_BuildValue("{OOOI}", state->type, state->websocket_disconnect, state->code, code);
    PyObject *text = event && reason ? PyUnicode_DecodeUTF8(reason, (Py_ssize_t)reason_size, "replace") : NULL;
    if (event && reason && (!text || PyDict_SetItem(event, state->reason, text) != 0))
        Py_CLEAR(event);
    Py_XDECREF(text);
    return event;
}

/* --- the handler of the core: no exception is pending when it returns ----------------------------------------------------------------- */

static void on_offered(void *owner, struct connection *connection) {
    struct peer *peer = connection->user;
    server_trace(owner, peer, "%sUpgrading to WebSocket");
    server_trace(owner, peer, "%sWebSocket connection made");
    peer->websocket = true;
}

static struct session *on_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct server_object *server = owner;
    const struct peer *peer = connection->user;
    struct state *state = server->state;
    bool forwarded = false;
    PyObject *scope = scope_websocket(state, &server->parts, server->websockets.asgi, peer->template, head, &forwarded);
    PyObject *offered = scope ? PyDict_GetItemWithError(scope, state->subprotocols) : NULL;
    PyObject *events = offered ? Py_BuildValue("[{OO}]", state->type, state->websocket_connect) : NULL;
    struct session_object *object = events ? PyObject_GC_New(struct session_object, state->session_type) : NULL;
    if (!object) {
        PyErr_WriteUnraisable((PyObject *)server);
        Py_XDECREF(scope);
        Py_XDECREF(events);
        return NULL;
    }
    memset((char *)object + sizeof(PyObject), 0, sizeof *object - sizeof(PyObject));
    object->server = (struct server_object *)Py_NewRef((PyObject *)server);
    object->scope = scope;
    object->offered = Py_NewRef(offered);
    object->events = events;
    object->forwarded = forwarded;
    PyObject_GC_Track(object);
    return &object->session;
}

static void on_refused(void *owner, unsigned status, const char *reason) {
    struct server_object *server = owner;
    PyObject *done = PyObject_CallFunction(server->websockets.refused, "Is", status, reason);
    if (!done)
        PyErr_WriteUnraisable((PyObject *)server);
    Py_XDECREF(done);
}

static void on_run(struct session *session) {
    struct session_object *object = object_of(session);
    struct server_object *server = object->server;
    if (call_start(server, &object->call, server->websockets.run, (PyObject *)object, false) != 0) {
        PyErr_WriteUnraisable((PyObject *)server);
        session_finished(session);
    }
}

static int on_message(struct session *session, bool text, const char *data, size_t size) {
    struct session_object *object = object_of(session);
    struct state *state = object->server->state;
    PyObject *content = text ? PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, NULL) : PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    PyObject *event = content ? PyDict_New() : NULL;
    if (event && (PyDict_SetItem(event, state->type, state->websocket_receive) != 0 ||
                  PyDict_SetItem(event, text ? state->text : state->bytes, content) != 0))
        Py_CLEAR(event);
    Py_XDECREF(content);
    if (push(object, event) == 0)
        return 0;
    PyErr_WriteUnraisable((PyObject *)object);
    return -1;
}

static void on_broken_text(struct session *session, const char *data, size_t size) {
    struct session_object *object = object_of(session);
    PyObject *done = PyObject_CallFunction(object->server->websockets.broken_text, "y#", data, (Py_ssize_t)size);
    if (!done)
        PyErr_WriteUnraisable((PyObject *)object);
    Py_XDECREF(done);
}

static void on_closed(struct session *session, unsigned code, const char *reason, size_t reason_size) {
    struct session_object *object = object_of(session);
    if (push(object, disconnect_event(object->server->state, code, reason, reason_size)) != 0)
        PyErr_WriteUnraisable((PyObject *)object);
}

static void on_drained(struct session *session) {
    struct session_object *object = object_of(session);
    waiters_wake(object->server->state, object->senders, true);
}

static void on_release(struct session *session) { Py_DECREF((PyObject *)object_of(session)); }

const struct session_handler session_object_handler = {
    .offered = on_offered,
    .request = on_request,
    .refused = on_refused,
    .run = on_run,
    .message = on_message,
    .broken_text = on_broken_text,
    .closed = on_closed,
    .drained = on_drained,
    .release = on_release,
};

/* --- what bridge/websocket.py calls --------------------------------------------------------------------------------------------------- */

static struct session_object *usable(PyObject *self) {
    struct session_object *object = (struct session_object *)self;
    if (object->server->thread == PyThread_get_thread_ident())
        return object;
    PyErr_SetString(PyExc_RuntimeError, "receive() and send() belong to the thread of the event loop that called the app");
    return NULL;
}

PyDoc_STRVAR(call_doc, "call() -> Awaitable\n\nCall the app with the scope and the faces of receive and send.");
static PyObject *session_call(PyObject *self, PyObject *unused) {
    (void)unused;
    struct session_object *object = (struct session_object *)self;
    struct server_object *server = object->server;
    if (!server->open)
        return PyErr_Format(PyExc_RuntimeError, "the server is closed");
    if (object->forwarded && server->forwarded) {
        PyObject *done = PyObject_CallOneArg(server->forwarded, object->scope);
        if (!done)
            return NULL;
        Py_DECREF(done);
    }
    PyObject *receive = PyMethod_New(server->websockets.receive, self), *send = PyMethod_New(server->websockets.send, self);
    PyObject *awaitable = receive && send ? PyObject_CallFunctionObjArgs(server->app, object->scope, receive, send, NULL) : NULL;
    Py_XDECREF(receive);
    Py_XDECREF(send);
    return awaitable;
}

PyDoc_STRVAR(receive_doc, "receive() -> dict | None\n\nThe next event; None where it has to be waited for.");
static PyObject *session_receive(PyObject *self, PyObject *unused) {
    (void)unused;
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    if (PyList_GET_SIZE(object->events) == 0)
        Py_RETURN_NONE;
    PyObject *event = Py_NewRef(PyList_GET_ITEM(object->events, 0));
    if (PyList_SetSlice(object->events, 0, 1, NULL) != 0)
        Py_CLEAR(event);
    else if (PyList_GET_SIZE(object->events) == 0)
        session_wants(&object->session);
    return event;
}

PyDoc_STRVAR(receiver_doc, "receiver() -> Future\n\nDone when there is something to receive. To be given to forget() in any case.");
static PyObject *session_receiver(PyObject *self, PyObject *unused) {
    (void)unused;
    struct session_object *object = (struct session_object *)self;
    return waiter_new(&object->server->loop, &object->receivers);
}

PyDoc_STRVAR(sender_doc,
             "sender() -> Future | None\n\nDone when the client has read; None where there is no need to wait. To be given to forget() "
             "in any case.");
static PyObject *session_sender(PyObject *self, PyObject *unused) {
    (void)unused;
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    if (!session_is_congested(&object->session))
        Py_RETURN_NONE;
    return waiter_new(&object->server->loop, &object->senders);
}

PyDoc_STRVAR(forget_doc, "forget(future) -> None\n\nIt is no longer waited for.");
static PyObject *session_forget(PyObject *self, PyObject *future) {
    struct session_object *object = (struct session_object *)self;
    if (waiter_forget(object->receivers, future) != 0 || waiter_forget(object->senders, future) != 0)
        return NULL;
    if (PyList_GET_SIZE(object->events) > 0) /* it may have been woken for one, and cancelled: the next waits no longer */
        waiters_wake(object->server->state, object->receivers, false);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(push_doc, "push(event) -> None\n\nreceive() gives it behind the events that wait.");
static PyObject *session_push(PyObject *self, PyObject *event) {
    if (push((struct session_object *)self, Py_NewRef(event)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Raises; FIELDS is what a fault is about. */
static PyObject *raise_fault(enum response_fault fault, const struct response_field *field) {
    switch (fault) {
    case RESPONSE_NAME_INVALID:
        PyErr_SetString(PyExc_RuntimeError, "Invalid HTTP header name.");
        break;
    case RESPONSE_LENGTHS_DIFFER:
        PyErr_SetString(PyExc_RuntimeError, "Response content and Content-Length differ");
        break;
    case RESPONSE_NO_MEMORY:
        PyErr_NoMemory();
        break;
    default: {
        PyObject *name = PyUnicode_DecodeLatin1(field->name, (Py_ssize_t)field->name_size, NULL);
        PyObject *value = name ? PyUnicode_DecodeLatin1(field->value, (Py_ssize_t)field->value_size, NULL) : NULL;
        if (value)
            PyErr_Format(PyExc_RuntimeError, "invalid %U header: %U", name, value);
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    }
    return NULL;
}

PyDoc_STRVAR(accept_doc, "accept(fields, subprotocol) -> None\n\nTake the WebSocket up: a list of pairs of bytes, and bytes or None.");
static PyObject *session_object_accept(PyObject *self, PyObject *arguments) {
    PyObject *pairs;
    const char *protocol;
    Py_ssize_t protocol_size;
    if (!PyArg_ParseTuple(arguments, "O!z#:accept", &PyList_Type, &pairs, &protocol, &protocol_size))
        return NULL;
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    struct field_list fields;
    enum response_fault fault = RESPONSE_OK;
    PyObject *result = NULL;
    if (field_list_read(&fields, Py_NewRef(pairs)) == 0) {
        size_t at = 0;
        if (object->session.connection && !object->session.complete)
            fault = session_accept(&object->session, fields.at, fields.count, protocol, (size_t)protocol_size, &at);
        const struct response_field named = {"Sec-WebSocket-Protocol", 22, protocol, (size_t)protocol_size};
        result = fault == RESPONSE_OK ? Py_NewRef(Py_None) : raise_fault(fault, at < fields.count ? &fields.at[at] : &named);
    }
    field_list_free(&fields);
    return result;
}

PyDoc_STRVAR(refuse_doc, "refuse(status, reason, fields, content) -> None\n\nSend a response in the place of a WebSocket, and close.");
static PyObject *session_object_refuse(PyObject *self, PyObject *arguments) {
    unsigned status;
    const char *reason, *content;
    Py_ssize_t reason_size, content_size;
    PyObject *pairs;
    if (!PyArg_ParseTuple(arguments, "Is#O!y#:refuse", &status, &reason, &reason_size, &PyList_Type, &pairs, &content, &content_size))
        return NULL;
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    struct field_list fields;
    enum response_fault fault = RESPONSE_OK;
    PyObject *result = NULL;
    if (field_list_read(&fields, Py_NewRef(pairs)) == 0) {
        size_t at = 0;
        if (object->session.connection && !object->session.complete)
            fault = session_refuse(&object->session, status, reason, (size_t)reason_size, fields.at, fields.count, content,
                                   (size_t)content_size, &at);
        result = fault == RESPONSE_OK ? Py_NewRef(Py_None) : raise_fault(fault, &fields.at[at < fields.count ? at : 0]);
    }
    field_list_free(&fields);
    return result;
}

static PyObject *told(enum session_fault fault) {
    if (fault == SESSION_NO_MEMORY)
        return PyErr_NoMemory();
    return PyBool_FromLong(fault == SESSION_OK);
}

PyDoc_STRVAR(send_doc, "send(data) -> bool\n\nA message: str as text, anything of bytes as binary. False: it is closed.");
static PyObject *session_object_send(PyObject *self, PyObject *data) {
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    if (!object->session.open)
        Py_RETURN_FALSE;
    if (PyUnicode_Check(data)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(data, &size);
        return text ? told(session_send(&object->session, true, text, (size_t)size)) : NULL;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    PyObject *result = told(session_send(&object->session, false, view.buf, (size_t)view.len));
    PyBuffer_Release(&view);
    return result;
}

PyDoc_STRVAR(close_doc, "close(code, reason) -> bool\n\nA close frame, with bytes for a reason, both valid. False: it is closed already.");
static PyObject *session_object_close(PyObject *self, PyObject *arguments) {
    unsigned code;
    const char *reason;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "Iy#:close", &code, &reason, &size))
        return NULL;
    struct session_object *object = usable(self);
    if (!object)
        return NULL;
    if (!close_code_valid(code) || size > (Py_ssize_t)CLOSE_REASON_MAX)
        return PyErr_Format(PyExc_ValueError, "no close frame holds this");
    return told(session_close(&object->session, code, reason, (size_t)size));
}

PyDoc_STRVAR(finish_doc, "finish() -> None\n\nThe call of the app has come to its end.");
static PyObject *session_finish(PyObject *self, PyObject *unused) {
    (void)unused;
    struct session_object *object = (struct session_object *)self;
    session_finished(&object->session);
    call_done(object->server, &object->call);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"call", session_call, METH_NOARGS, call_doc},
    {"receive", session_receive, METH_NOARGS, receive_doc},
    {"receiver", session_receiver, METH_NOARGS, receiver_doc},
    {"sender", session_sender, METH_NOARGS, sender_doc},
    {"forget", session_forget, METH_O, forget_doc},
    {"push", session_push, METH_O, push_doc},
    {"accept", session_object_accept, METH_VARARGS, accept_doc},
    {"refuse", session_object_refuse, METH_VARARGS, refuse_doc},
    {"send", session_object_send, METH_O, send_doc},
    {"close", session_object_close, METH_VARARGS, close_doc},
    {"finish", session_finish, METH_NOARGS, finish_doc},
    {NULL, NULL, 0, NULL},
};

/* --- what it tells -------------------------------------------------------------------------------------------------------------------- */

/* CLOSURE: where the flag stands in the core's session. */
static bool *flag_of(PyObject *self, void *closure) {
    return (bool *)((char *)&((struct session_object *)self)->session + (size_t)(uintptr_t)closure);
}

static PyObject *get_flag(PyObject *self, void *closure) { return PyBool_FromLong(*flag_of(self, closure)); }

static int set_flag(PyObject *self, PyObject *value, void *closure) {
    int truth = value ? PyObject_IsTrue(value) : -1;
    if (truth < 0)
        return -1;
    *flag_of(self, closure) = truth;
    return 0;
}

static PyObject *get_closing(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(session_is_closing(&((struct session_object *)self)->session));
}

static PyObject *get_scope(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((struct session_object *)self)->scope);
}

static PyObject *get_offered(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((struct session_object *)self)->offered);
}

static PyObject *get_denial(PyObject *self, void *unused) {
    (void)unused;
    PyObject *denial = ((struct session_object *)self)->denial;
    return Py_NewRef(denial ? denial : Py_None);
}

static int set_denial(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    struct session_object *object = (struct session_object *)self;
    Py_XSETREF(object->denial, Py_XNewRef(value));
    object->session.denying = true;
    return 0;
}

#define FLAG(name) (void *)offsetof(struct session, name)

static PyGetSetDef attributes[] = {
    {"disconnected", get_flag, NULL, "whether the connection is gone", FLAG(disconnected)},
    {"complete", get_flag, set_flag, "whether the handshake is answered, or the connection gone", FLAG(complete)},
    {"close_sent", get_flag, set_flag, "whether the app or the server has closed it", FLAG(close_sent)},
    {"open", get_flag, NULL, "whether messages may be sent", FLAG(open)},
    {"closing", get_closing, NULL, "whether nothing that is sent reaches the client", NULL},
    {"scope", get_scope, NULL, "what the app was called with", NULL},
    {"offered", get_offered, NULL, "the client's subprotocols", NULL},
    {"denial", get_denial, set_denial, "what the app has said so far of a response that refuses; None: nothing", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

static int session_traverse(PyObject *self, visitproc visit, void *arg) {
    struct session_object *object = (struct session_object *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)object->server);
    Py_VISIT(object->scope);
    Py_VISIT(object->offered);
    Py_VISIT(object->events);
    Py_VISIT(object->denial);
    Py_VISIT(object->receivers);
    Py_VISIT(object->senders);
    Py_VISIT(object->call.task);
    return 0;
}

/* The server and the list of events stay: the core may tell it of its end to the last. */
static int session_clear(PyObject *self) {
    struct session_object *object = (struct session_object *)self;
    Py_CLEAR(object->scope);
    Py_CLEAR(object->offered);
    Py_CLEAR(object->denial);
    Py_CLEAR(object->receivers);
    Py_CLEAR(object->senders);
    Py_CLEAR(object->call.task);
    return PyList_SetSlice(object->events, 0, PyList_GET_SIZE(object->events), NULL);
}

/* The connection holds a reference while it knows the session, so here nothing knows it any more. */
static void session_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    struct session_object *object = (struct session_object *)self;
    PyObject_GC_UnTrack(self);
    call_done(object->server, &object->call); /* a task that was cancelled before its first step never says so */
    session_clear(self);
    Py_DECREF(object->events);
    Py_DECREF((PyObject *)object->server);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"One WebSocket, and the call of the app that serves it."},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec session_spec = {
    .name = "bridgecheck.bridge._bridge.Session",
    .basicsize = sizeof(struct session_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
