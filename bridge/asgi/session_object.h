/* session_object.h: one WebSocket and the call of the app that serves it, as a Python object, and the handler of the core's sessions.
 *
 * Owns the scope, the events that wait for receive(), and the futures that wait. The connection below holds one reference while it knows
 * the session. What a message of the app's means is in bridge/websocket.py, which has what is here for its means.
 */
#ifndef BRIDGE_SESSION_OBJECT_H
#define BRIDGE_SESSION_OBJECT_H

#include <Python.h>

#include <stdbool.h>

#include "../core/server.h"
#include "call.h"

struct server_object;

struct session_object {
    PyObject_HEAD struct session session;
    struct server_object *server; /* owned, as all below */
    PyObject *scope;
    PyObject *offered;   /* list of the subprotocols that the client offers */
    PyObject *events;    /* list: what receive() gives next, the first first */
    PyObject *denial;    /* what the app has said so far of a response that refuses; NULL: nothing */
    PyObject *receivers; /* list of futures: calls of receive() that wait; NULL: none */
    PyObject *senders;   /* list of futures: calls of send() that wait for the client; NULL: none */
    struct call call;
    bool forwarded; /* fields of a proxy may change the scope */
};

extern PyType_Spec session_spec;
extern const struct session_handler session_object_handler;

#endif
