/* accept_key.h: what a server answers to the key of a WebSocket handshake (RFC 6455 section 4.2.2), by SHA-1 (RFC 3174) and base64.
 *
 * Owns nothing. Knows nothing of requests. SHA-1 guards nothing here: it only shows that the key was read.
 */
#ifndef BRIDGE_ACCEPT_KEY_H
#define BRIDGE_ACCEPT_KEY_H

#include <stddef.h>

#define ACCEPT_KEY_SIZE 28u
#define CLIENT_KEY_SIZE 24u

/* The value of Sec-WebSocket-Accept: ACCEPT_KEY_SIZE bytes and a NUL, from a key of CLIENT_KEY_SIZE bytes. */
void accept_key(const char *key, char accept[ACCEPT_KEY_SIZE + 1]);

/* NULL: KEY is the base64 form of some octets, *COUNT of them. Else what is wrong with it, static, in the words of Python's strict decoder;
 * "%zu" among them stands for the number of its letters, which is then in *COUNT. */
const char *base64_fault(const char *key, size_t size, size_t *count);

#endif
