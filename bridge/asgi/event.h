/* event.h: the events of an HTTP call (ASGI www): what receive() gives, and what send() does with what it is given.
 *
 * Owns nothing. The order of checks, the types and the texts of exceptions are uvicorn's.
 */
#ifndef BRIDGE_EVENT_H
#define BRIDGE_EVENT_H

#include "cycle.h"

/* New reference: what receive() returns now; takes the content that has come. NULL with an exception. */
PyObject *event_received(struct cycle_object *cycle);

/* Do what MESSAGE says. 0, or -1 with an exception. */
int event_sent(struct cycle_object *cycle, PyObject *message);

#endif
