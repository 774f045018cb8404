/* call.h: one call of the app that runs: what the server's list of them and its limits count.
 *
 * Owns the task while it runs. Embedded in what the app is called for, which the task keeps alive.
 */
#ifndef BRIDGE_CALL_H
#define BRIDGE_CALL_H

#include <Python.h>

#include <stdbool.h>

struct server_object;

/* All zero before its run. */
struct call {
    PyObject *task;               /* owned; NULL before and after its run */
    struct call *previous, *next; /* among the server's running ones */
    bool running;                 /* in that list */
};

/* Run FACE(SUBJECT), a coroutine, as a task. ISOLATED: in a context of its own, where the user asked for that. -1 with an exception. */
int call_start(struct server_object *server, struct call *call, PyObject *face, PyObject *subject, bool isolated);

/* It is through: its task no longer counts. May be told twice. */
void call_done(struct server_object *server, struct call *call);

#endif
