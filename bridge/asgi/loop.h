/* loop.h: libuv as a guest in the app's own event loop (asyncio's or uvloop's).
 *
 * Owns the reader, the timer and the callbacks that it has in that loop, from loop_open() to loop_close(). Knows the loop only by the
 * methods that every asyncio loop has. The trap of this seam: what is done outside of a step (a response that is not written whole, a
 * timer, a socket that was accepted) is registered with libuv's epoll only in its next run, so the timeout has to be read again at the end
 * of each such turn.
 */
#ifndef BRIDGE_LOOP_H
#define BRIDGE_LOOP_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "../core/server.h"
#include "state.h"

struct loop {
    struct state *state;
    PyObject *host;                        /* the app's event loop */
    PyObject *create_task, *create_future; /* bound methods of the loop */
    PyObject *context;                     /* that of whoever opened it: what apps put into theirs is not kept alive */
    PyObject *call_soon, *call_later;
    PyObject *step, *finish; /* callables without arguments, from the opener */
    PyObject *timer;         /* handle, or NULL */
    uint64_t timer_at;       /* milliseconds of uv_hrtime() */
    int fd;                  /* libuv's epoll; -1: not open */
    bool finish_due;         /* `finish` is among the loop's callbacks */
};

/* STEP is called when libuv has something to do, FINISH once at the end of a turn in which loop_finish_soon() was called. 0, or -1 with an
 * exception. */
int loop_open(struct loop *loop, struct state *state, PyObject *host, int fd, PyObject *step, PyObject *finish);

/* Call `finish` behind what is ready to run now. -1 with an exception. */
int loop_finish_soon(struct loop *loop);

/* Call `step` when server_timeout() is over. -1 with an exception. */
int loop_arm(struct loop *loop, const struct server *server);

/* New reference: a task of COROUTINE, a reference that it takes. CONTEXT: NULL for a copy of the current one. */
PyObject *loop_task(struct loop *loop, PyObject *coroutine, PyObject *context);

/* Leaves nothing in the loop. Errors are unraisable. */
void loop_close(struct loop *loop);

/* So, where the loop may be half collected itself: then it has nothing to be taken out of any more, and its errors are nobody's. */
void loop_abandon(struct loop *loop);

int loop_visit(struct loop *loop, visitproc visit, void *arg);

#endif
