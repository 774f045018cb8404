#include "cycle.h"

#include <string.h>

#include "event.h"
#include "server_object.h"
#include "state.h"
#include "waiter.h"

struct cycle_object *cycle_new(struct server_object *server, PyObject *scope) {
    struct cycle_object *cycle = scope ? PyObject_GC_New(struct cycle_object, server->state->cycle_type) : NULL;
    if (!cycle) {
        Py_XDECREF(scope);
        return NULL;
    }
    memset((char *)cycle + sizeof(PyObject), 0, sizeof *cycle - sizeof(PyObject));
    cycle->server = (struct server_object *)Py_NewRef((PyObject *)server);
    cycle->scope = scope;
    PyObject_GC_Track(cycle);
    return cycle;
}

/* --- waiting -------------------------------------------------------------------------------------------------------------------------- */

void cycle_arrived(struct cycle_object *cycle) {
    cycle->message = true;
    waiters_wake(cycle->server->state, cycle->receivers, true);
}

void cycle_drained(struct cycle_object *cycle) { waiters_wake(cycle->server->state, cycle->senders, true); }

/* --- what the faces call -------------------------------------------------------------------------------------------------------------- */

static bool of_this_thread(const struct cycle_object *cycle) {
    if (cycle->server->thread == PyThread_get_thread_ident())
        return true;
    PyErr_SetString(PyExc_RuntimeError, "receive() and send() belong to the thread of the event loop that called the app");
    return false;
}

PyDoc_STRVAR(call_doc, "call() -> Awaitable\n\nCall the app with the scope and the faces of receive and send.");
static PyObject *cycle_call(PyObject *self, PyObject *unused) {
    (void)unused;
    struct cycle_object *cycle = (struct cycle_object *)self;
    struct server_object *server = cycle->server;
    if (!server->open)
        return PyErr_Format(PyExc_RuntimeError, "the server is closed");
    if (cycle->forwarded && server->forwarded && !cycle->refused) {
        PyObject *done = PyObject_CallOneArg(server->forwarded, cycle->scope);
        if (!done)
            return NULL;
        Py_DECREF(done);
    }
    PyObject *receive = PyMethod_New(server->receive, self), *send = PyMethod_New(server->send, self), *awaitable = NULL;
    if (receive && send) {
        PyObject *arguments[] = {NULL, cycle->scope, receive, send};
        awaitable = PyObject_Vectorcall(cycle->refused ? server->unavailable : server->app, arguments + 1,
                                        3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(receive);
    Py_XDECREF(send);
    return awaitable;
}

PyDoc_STRVAR(receive_doc, "receive() -> dict | None\n\nThe next event; None where it has to be waited for.");
static PyObject *cycle_receive(PyObject *self, PyObject *unused) {
    (void)unused;
    struct cycle_object *cycle = (struct cycle_object *)self;
    if (!of_this_thread(cycle))
        return NULL;
    cycle_wants_content(&cycle->cycle);
    if (!cycle->message && !cycle_is_over(&cycle->cycle))
        Py_RETURN_NONE;
    return event_received(cycle);
}

PyDoc_STRVAR(received_doc, "received() -> dict\n\nThe event that was waited for.");
static PyObject *cycle_received(PyObject *self, PyObject *unused) {
    (void)unused;
    return event_received((struct cycle_object *)self);
}

PyDoc_STRVAR(receiver_doc, "receiver() -> Future\n\nDone when there is something to receive. To be given to forget() in any case.");
static PyObject *cycle_receiver(PyObject *self, PyObject *unused) {
    (void)unused;
    struct cycle_object *cycle = (struct cycle_object *)self;
    return waiter_new(&cycle->server->loop, &cycle->receivers);
}

PyDoc_STRVAR(send_doc,
             "send(message) -> Future | None\n\nDo what the message says. A future where the client has to read first: then it is done by "
             "sent(), once the future is; to be given to forget() in any case.");
static PyObject *cycle_send(PyObject *self, PyObject *message) {
    struct cycle_object *cycle = (struct cycle_object *)self;
    if (!of_this_thread(cycle))
        return NULL;
    if (cycle_is_congested(&cycle->cycle))
        return waiter_new(&cycle->server->loop, &cycle->senders);
    if (event_sent(cycle, message) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sent_doc, "sent(message) -> None\n\nDo what the message says, however much waits for the client.");
static PyObject *cycle_sent(PyObject *self, PyObject *message) {
    if (event_sent((struct cycle_object *)self, message) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(forget_doc, "forget(future) -> None\n\nIt is no longer waited for.");
static PyObject *cycle_forget(PyObject *self, PyObject *future) {
    struct cycle_object *cycle = (struct cycle_object *)self;
    if (waiter_forget(cycle->receivers, future) != 0 || waiter_forget(cycle->senders, future) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(close_doc, "close() -> None\n\nClose the connection, once what was sent has gone.");
static PyObject *cycle_close_now(PyObject *self, PyObject *unused) {
    (void)unused;
    cycle_close(&((struct cycle_object *)self)->cycle);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(finish_doc, "finish() -> None\n\nThe call of the app has come to its end.");
static PyObject *cycle_finish(PyObject *self, PyObject *unused) {
    (void)unused;
    struct cycle_object *cycle = (struct cycle_object *)self;
    cycle_finished(&cycle->cycle);
    call_done(cycle->server, &cycle->call);
    Py_RETURN_NONE;
}

static PyObject *get_started(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((struct cycle_object *)self)->cycle.response.started);
}

static PyObject *get_over(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(cycle_is_over(&((struct cycle_object *)self)->cycle));
}

static PyMethodDef methods[] = {
    {"call", cycle_call, METH_NOARGS, call_doc},
    {"receive", cycle_receive, METH_NOARGS, receive_doc},
    {"receiver", cycle_receiver, METH_NOARGS, receiver_doc},
    {"received", cycle_received, METH_NOARGS, received_doc},
    {"send", cycle_send, METH_O, send_doc},
    {"sent", cycle_sent, METH_O, sent_doc},
    {"forget", cycle_forget, METH_O, forget_doc},
    {"close", cycle_close_now, METH_NOARGS, close_doc},
    {"finish", cycle_finish, METH_NOARGS, finish_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"started", get_started, NULL, "whether the app has sent its response's start", NULL},
    {"over", get_over, NULL, "whether the response is complete, or the client gone", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

static int cycle_traverse(PyObject *self, visitproc visit, void *arg) {
    struct cycle_object *cycle = (struct cycle_object *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)cycle->server);
    Py_VISIT(cycle->scope);
    Py_VISIT(cycle->call.task);
    Py_VISIT(cycle->receivers);
    Py_VISIT(cycle->senders);
    return 0;
}

/* The server stays: the core's cycle needs its allocator to the last. */
static int cycle_clear(PyObject *self) {
    struct cycle_object *cycle = (struct cycle_object *)self;
    Py_CLEAR(cycle->scope);
    Py_CLEAR(cycle->call.task);
    Py_CLEAR(cycle->receivers);
    Py_CLEAR(cycle->senders);
    return 0;
}

/* The connection holds a reference while it knows the cycle, so here nothing knows it any more. */
static void cycle_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    struct cycle_object *cycle = (struct cycle_object *)self;
    PyObject_GC_UnTrack(self);
    call_done(cycle->server, &cycle->call); /* a task that was cancelled before its first step never says so */
    cycle_clear(self);
    Py_DECREF((PyObject *)cycle->server);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"One request, and the call of the app that answers it."},
    {Py_tp_dealloc, cycle_dealloc},
    {Py_tp_traverse, cycle_traverse},
    {Py_tp_clear, cycle_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec cycle_spec = {
    .name = "bridgecheck.bridge._bridge.Cycle",
    .basicsize = sizeof(struct cycle_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
