/* cycle.h: one request and the call of the app that answers it, as a Python object.
 *
 * Owns the scope, the task and the futures that wait for it. The connection below holds one reference while it knows the cycle, the
 * server's list of running calls none. Knows the core by its one header; what an event means is in event.h.
 */
#ifndef BRIDGE_CYCLE_H
#define BRIDGE_CYCLE_H

#include <Python.h>

#include <stdbool.h>

#include "../core/server.h"
#include "call.h"

struct server_object;

struct cycle_object {
    PyObject_HEAD struct cycle cycle;
    struct server_object *server; /* owned */
    PyObject *scope;              /* owned, as all below */
    PyObject *receivers;          /* list of futures: calls of receive() that wait; NULL: none */
    PyObject *senders;            /* list of futures: calls of send() that wait for the client; NULL: none */
    struct call call;
    bool message;   /* something came for receive() since it last looked */
    bool forwarded; /* fields of a proxy may change the scope */
    bool refused;   /* the concurrency limit is reached: the app is not called */
    bool log_access;
};

extern PyType_Spec cycle_spec;

/* A new cycle with one reference, for the connection. NULL with an exception. Takes SCOPE. */
struct cycle_object *cycle_new(struct server_object *server, PyObject *scope);

static inline struct cycle_object *cycle_of(struct cycle *cycle) {
    return (struct cycle_object *)((char *)cycle - offsetof(struct cycle_object, cycle));
}

/* Wake what waits. Errors are unraisable. */
void cycle_arrived(struct cycle_object *cycle);
void cycle_drained(struct cycle_object *cycle);

#endif
