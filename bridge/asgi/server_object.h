/* server_object.h: the Python face of a server, `_bridge.Server`, and the handler of the core's connections: requests become cycles.
 *
 * Owns the core's server and the app with all that its requests need, from __init__() to close(). One thread owns a server: a call from
 * another raises RuntimeError.
 */
#ifndef BRIDGE_SERVER_OBJECT_H
#define BRIDGE_SERVER_OBJECT_H

#include <Python.h>

#include <stdbool.h>

#include "../core/server.h"
#include "call.h"
#include "cycle.h"
#include "loop.h"
#include "scope.h"
#include "state.h"

#define STATUSES 500 /* 100 to 599 */

/* What the connections have in `user`. */
struct peer {
    PyObject *template; /* of their scopes */
    bool log_access;
    bool websocket; /* one was asked for */
};

struct phrase {
    const char *text; /* in `phrases` */
    size_t size;
};

struct server_object {
    PyObject_HEAD struct state *state; /* the module's, which the type keeps alive */
    unsigned long thread;
    struct server core;
    struct loop loop;
    bool open;     /* `core` is there */
    bool stepping; /* within a step or the end of a turn: no app is being run */

    PyObject *app, *unavailable;    /* what is called, or where the concurrency limit is reached */
    PyObject *run, *receive, *send; /* the faces */
    PyObject *phrases;              /* {status: text} */
    PyObject *statuses;             /* {status: status}: whatever equals one of these is one */
    PyObject *logger, *access_logger, *log_access;
    PyObject *forwarded;          /* NULL: fields of a proxy are like any other */
    PyObject *new_context;        /* contextvars.Context, where each task gets one of its own; else NULL */
    PyObject *default_fields;     /* list of pairs of bytes, to which `fields` point */
    struct scope_parts parts;     /* owned */
    Py_ssize_t limit_concurrency; /* -1: none */

    struct phrase phrase[STATUSES];
    struct response_field fields[SERVER_DEFAULTS_MAX];
    struct call *running; /* list; not owned: each holds itself by its task */
    Py_ssize_t tasks;

    struct websockets {
        PyObject *run, *receive, *send;  /* the faces; NULL: no WebSocket is served */
        PyObject *refused, *broken_text; /* what is told */
        PyObject *asgi;                  /* {"version", "spec_version"}, copied into each scope */
    } websockets;
};

extern PyType_Spec server_spec;

/* A line about the connection, where the log is as verbose as that. WHAT: "%sHTTP connection made", with a place for who it is. */
void server_trace(struct server_object *server, const struct peer *peer, const char *what);

#endif
