#include "call.h"

#include "server_object.h"

int call_start(struct server_object *server, struct call *call, PyObject *face, PyObject *subject, bool isolated) {
    /* What had to wait in a pipeline is started from within another request's app: what that put into its context is none of this one's. */
    PyObject *context = isolated && server->new_context ? PyObject_CallNoArgs(server->new_context)
                        : server->stepping              ? NULL
                                                        : PyContext_Copy(server->loop.context);
    PyObject *coroutine = context || !PyErr_Occurred() ? PyObject_CallOneArg(face, subject) : NULL;
    call->task = coroutine ? loop_task(&server->loop, coroutine, context) : NULL;
    Py_XDECREF(context);
    if (!call->task)
        return -1;
    call->running = true;
    call->next = server->running;
    if (call->next)
        call->next->previous = call;
    server->running = call;
    server->tasks++;
    return 0;
}

void call_done(struct server_object *server, struct call *call) {
    if (!call->running)
        return;
    call->running = false;
    *(call->previous ? &call->previous->next : &server->running) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    server->tasks--;
    Py_CLEAR(call->task);
}
