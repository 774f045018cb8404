#include "loop.h"

static uint64_t milliseconds(void) { return uv_hrtime() / 1000000u; }

int loop_open(struct loop *loop, struct state *state, PyObject *host, int fd, PyObject *step, PyObject *finish) {
    loop->fd = -1;
    loop->state = state;
    loop->host = Py_NewRef(host);
    loop->step = Py_NewRef(step);
    loop->finish = Py_NewRef(finish);
    if (!(loop->create_task = PyObject_GetAttrString(host, "create_task")) ||
        !(loop->create_future = PyObject_GetAttrString(host, "create_future")) ||
        !(loop->call_soon = PyObject_GetAttrString(host, "call_soon")) ||
        !(loop->call_later = PyObject_GetAttrString(host, "call_later")) || !(loop->context = PyContext_CopyCurrent()))
        return -1;
    PyObject *done = PyObject_CallMethod(host, "add_reader", "iO", fd, step);
    if (!done)
        return -1;
    Py_DECREF(done);
    loop->fd = fd;
    return 0;
}

int loop_finish_soon(struct loop *loop) {
    if (loop->finish_due || loop->fd < 0)
        return 0;
    PyObject *arguments[] = {NULL, loop->finish, loop->context};
    PyObject *handle =
        PyObject_Vectorcall(loop->call_soon, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, loop->state->context_keyword);
    if (!handle)
        return -1;
    Py_DECREF(handle);
    loop->finish_due = true;
    return 0;
}

static int cancel_timer(struct loop *loop) {
    PyObject *timer = loop->timer;
    loop->timer = NULL;
    if (!timer)
        return 0;
    PyObject *done = PyObject_CallMethod(timer, "cancel", NULL);
    Py_DECREF(timer);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

int loop_arm(struct loop *loop, const struct server *server) {
    int timeout = server_timeout(server);
    if (timeout < 0 || loop->fd < 0)
        return 0;
    if (timeout == 0)
        return loop_finish_soon(loop);
    uint64_t now = milliseconds(), at = now + (uint64_t)timeout;
    if (loop->timer && loop->timer_at > now && loop->timer_at <= at)
        return 0; /* it will look again by then */
    if (cancel_timer(loop) != 0)
        return -1;
    PyObject *delay = PyFloat_FromDouble(timeout / 1000.0);
    PyObject *arguments[] = {NULL, delay, loop->step, loop->context};
    if (delay)
        loop->timer =
            PyObject_Vectorcall(loop->call_later, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, loop->state->context_keyword);
    Py_XDECREF(delay);
    loop->timer_at = at;
    return loop->timer ? 0 : -1;
}

PyObject *loop_task(struct loop *loop, PyObject *coroutine, PyObject *context) {
    PyObject *arguments[] = {NULL, coroutine, context};
    PyObject *task = PyObject_Vectorcall(loop->create_task, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                         context ? loop->state->context_keyword : NULL);
    Py_DECREF(coroutine);
    return task;
}

static int leave(struct loop *loop) {
    int fd = loop->fd;
    loop->fd = -1;
    PyObject *done = fd >= 0 ? PyObject_CallMethod(loop->host, "remove_reader", "i", fd) : NULL;
    Py_XDECREF(done);
    return fd >= 0 && !done ? -1 : 0;
}

static void release(struct loop *loop) {
    Py_CLEAR(loop->create_task);
    Py_CLEAR(loop->create_future);
    Py_CLEAR(loop->call_soon);
    Py_CLEAR(loop->call_later);
    Py_CLEAR(loop->context);
    Py_CLEAR(loop->step);
    Py_CLEAR(loop->finish);
    Py_CLEAR(loop->host);
}

void loop_close(struct loop *loop) {
    if (leave(loop) != 0)
        PyErr_WriteUnraisable(loop->host);
    if (cancel_timer(loop) != 0)
        PyErr_WriteUnraisable(loop->host);
    release(loop);
}

void loop_abandon(struct loop *loop) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (leave(loop) != 0)
        PyErr_Clear();
    if (cancel_timer(loop) != 0)
        PyErr_Clear();
    release(loop);
    PyErr_Restore(type, value, trace);
}

int loop_visit(struct loop *loop, visitproc visit, void *arg) {
    Py_VISIT(loop->host);
    Py_VISIT(loop->create_task);
    Py_VISIT(loop->create_future);
    Py_VISIT(loop->context);
    Py_VISIT(loop->call_soon);
    Py_VISIT(loop->call_later);
    Py_VISIT(loop->step);
    Py_VISIT(loop->finish);
    Py_VISIT(loop->timer);
    return 0;
}
