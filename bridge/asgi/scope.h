/* scope.h: the scope of a request (ASGI www, HTTP connection scope), from its head.
 *
 * Owns nothing. A connection's template holds what all its requests have in common.
 */
#ifndef BRIDGE_SCOPE_H
#define BRIDGE_SCOPE_H

#include <Python.h>

#include <stdbool.h>

#include "../core/server.h"
#include "state.h"

/* What every scope of a server is made of; borrowed. */
struct scope_parts {
    PyObject *asgi;      /* {"version", "spec_version"}, copied into each scope */
    PyObject *state;     /* the lifespan's, copied into each scope */
    PyObject *root_path; /* str, ASCII */
};

/* New reference: the scope of a connection between these two, without what a request brings. NULL with an exception. */
PyObject *scope_template(struct state *state, const struct scope_parts *parts, const struct connection *connection);

/* New reference: the scope of a request. *FORWARDED: it has an x-forwarded-for or x-forwarded-proto field. NULL with an exception. */
PyObject *scope_new(struct state *state, const struct scope_parts *parts, PyObject *template, const struct request_head *head,
                    bool *forwarded);

/* New reference: the scope of a WebSocket (ASGI www, WebSocket connection scope). ASGI: its versions, copied. TEMPLATE: as above. */
PyObject *scope_websocket(struct state *state, const struct scope_parts *parts, PyObject *asgi, PyObject *template,
                          const struct request_head *head, bool *forwarded);

#endif
