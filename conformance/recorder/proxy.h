/* proxy.h: a reverse proxy that records: it listens, connects each client to the server, and writes down what they say to each other.
 *
 * Owns the loop, all sockets it is given or makes, and the relays. Knows nothing of Python, and of HTTP only its answer where the server
 * cannot be reached. Memory is bounded: beside RELAY_CHUNK each way of a connection, all exchanges that are under way together have
 * PROXY_MEMORY_MAX bytes; what finds no room there is passed on and not recorded.
 */
#ifndef BRIDGECHECK_RECORDER_PROXY_H
#define BRIDGECHECK_RECORDER_PROXY_H

#include <stdint.h>
#include <sys/socket.h>

#include "recording.h"

#define PROXY_MEMORY_MAX ((size_t)256 << 20)

struct proxy_options {
    int listener; /* a listening stream socket, taken: closed by proxy_run() */
    int stop;     /* ends the proxy when it can be read; stays the caller's */
    struct sockaddr_storage upstream;
    socklen_t upstream_size;
    const char *upstream_name;                     /* for messages */
    struct recording *recording;                   /* open; stays the caller's */
    bool answers;                                  /* what was answered is kept, too */
    bool whole;                                    /* an exchange for each connection, not for each request */
    uint64_t first_connection;                     /* the number of the first connection */
    size_t memory_max;                             /* 0: PROXY_MEMORY_MAX */
    void (*tell)(void *context, const char *line); /* what a person should know while it runs */
    void *context;
};

struct proxy_counts {
    uint64_t connections; /* of clients that were served */
    uint64_t refused;     /* … that were not, since the server could not be reached */
    uint64_t lost;        /* exchanges that passed and were not recorded: cut by the end, too large, or without memory */
};

/* Run until told to stop or until the recording cannot be written. Returns 0 or a negative errno of the loop's own. */
int proxy_run(const struct proxy_options *options, struct proxy_counts *counts);

#endif
