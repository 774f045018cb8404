/* host.h: whether the value of a Host field is one.
 *
 * Owns nothing. Knows the grammar of RFC 9110 section 7.2 and RFC 3986 section 3.2.2, and nothing of requests.
 */
#ifndef BRIDGE_HOST_H
#define BRIDGE_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* Whether BYTES are uri-host [":" port]. Both may be empty, as the grammar allows: so may the whole value. */
bool host_valid(const char *bytes, size_t size);

#endif
