/* peer.h: what the other end of a local connection has taken.
 *
 * A segment is one event for a server only when the server has read it before the next one comes. The kernel knows: its socket diagnosis
 * (sock_diag) tells how much a socket received and how much of that still lies unread. So `split` needs no sleeps.
 */
#ifndef BRIDGECHECK_PEER_H
#define BRIDGECHECK_PEER_H

#include <stdint.h>

enum peer_answer { PEER_UNKNOWN, PEER_WAITING, PEER_TAKEN };

/* A socket to ask through, or -1 where the kernel does not offer it. */
int peer_open(void);

/* Whether the other end of FD, a connected TCP socket, has received SENT bytes in all and read them. UNKNOWN: it is not on this machine or
 * gone. */
enum peer_answer peer_has_taken(int diagnosis, int fd, uint64_t sent);

#endif
