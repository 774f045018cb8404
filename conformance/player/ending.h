/* ending.h: how a script comes to its end, once its steps are through: how each connection ended, and whether all calls are in.
 *
 * Part of the script (script.h), whose struct it works on; nobody else calls it.
 */
#ifndef BRIDGECHECK_ENDING_H
#define BRIDGECHECK_ENDING_H

#include "script.h"

void ending_start(struct script *script);
void ending_go_on(struct script *script); /* something came by wire, or time is up */
void ending_look(struct script *script);  /* the trace was read */

/* Of script.c. */
void script_note(struct script *script, unsigned line, const char *fault);
void script_send_frame(struct script *script, struct script_connection *at, const struct exchange_frame *frame,
                       const struct exchange_bytes *payload);
void script_set_timer(struct script *script, uint64_t milliseconds);
size_t script_calls_on(const struct script *script, size_t connection);

#endif
