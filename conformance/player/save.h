/* save.h: what a `save` step takes out of a response. Knows responses and saved values; knows nothing of sockets. */
#ifndef BRIDGECHECK_SAVE_H
#define BRIDGECHECK_SAVE_H

#include "response.h"
#include "saved.h"

/* Keep what stands between the step's two texts in the last complete response of READER (may be NULL), in the step's coding. Returns 1; 0
 * if there is nothing of the kind (the name is empty from then on), or -1 out of memory. */
int save_step(struct saved *saved, const struct exchange_step *step, const struct response_reader *reader);

#endif
