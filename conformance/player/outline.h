/* outline.h: what an exchange would send, told without playing it. Values that are saved only while playing are empty here. */
#ifndef BRIDGECHECK_OUTLINE_H
#define BRIDGECHECK_OUTLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "requests.h"

/* Bytes that the exchange sends. */
uint64_t outline_sends(const struct exchange *exchange);

/* Whether it names another client than itself (X-Forwarded-For, Forwarded), so that its calls cannot be told by the client's port. */
bool outline_alone(const struct exchange *exchange);

/* The bytes that a send step sends, as far as ROOM goes. Returns how many there are. */
size_t outline_bytes(const struct exchange_step *step, char *buffer, size_t room);

/* The requests of the exchange, connection by connection: calls EACH for every one whose head is complete. A result other than 0 stops and
 * is returned; -1 is out of memory too. */
int outline_requests(const struct exchange *exchange, int (*each)(void *context, const struct request *request), void *context);

#endif
