/* waiter.h: lists of futures that wait for the same thing to happen.
 *
 * Owns nothing; a list is its user's, NULL while none was ever in it. Knows nothing of what is waited for.
 */
#ifndef BRIDGE_WAITER_H
#define BRIDGE_WAITER_H

#include <Python.h>

#include <stdbool.h>

#include "loop.h"

/* New reference: a future of the loop in *LIST. NULL with an exception. */
PyObject *waiter_new(struct loop *loop, PyObject **list);

/* Those in LIST that are not done are done; ALL of them, or the first. Errors are unraisable. */
void waiters_wake(struct state *state, PyObject *list, bool all);

/* It is no longer in LIST, if it ever was. -1 with an exception. */
int waiter_forget(PyObject *list, PyObject *future);

#endif
