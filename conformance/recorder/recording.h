/* recording.h: the file of exchanges that a recorder appends to.
 *
 * Owns the open file, its size and its session lines. Knows nothing of connections beyond their numbers, of HTTP, sockets or Python.
 *
 * What is in the file is whole at any time: an exchange goes in with one write, and what a full disk cuts short is taken out again. A
 * session is a run of exchanges of one connection; where connections take turns, a connection goes on in a session of the next name, so
 * that the file keeps the order in which exchanges were finished. A file that would pass the parser's bound is followed by another:
 * shop.exchange by shop.2.exchange.
 */
#ifndef BRIDGECHECK_RECORDER_RECORDING_H
#define BRIDGECHECK_RECORDER_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dialogue.h"

#define RECORDING_PATH_MAX 4096u
#define RECORDING_ORIGIN_MAX 200u
#define RECORDING_FILE_MAX ((uint64_t)EXCHANGE_FILE_MAX - (1u << 20))

/* A connection as far as the file knows it. All zero but for the number, from 1. */
struct recording_connection {
    uint64_t number;
    unsigned sessions; /* of its so far */
};

struct recording {
    /* To be read at any time. */
    uint64_t exchanges; /* written */
    int error;          /* negative errno of what went wrong; nothing is written any more */
    unsigned files;     /* which one is written to, from 1 */

    /* Its own. */
    int fd;
    uint64_t size, file_max, last; /* last: the connection of the last exchange in this file, 0: none */
    const char *path, *origin;
};

/* Open PATH, which must not exist yet, or with APPEND must be an exchange file. PATH and ORIGIN have to last. FILE_MAX: 0 stands for
 * RECORDING_FILE_MAX. Returns 0 or a negative errno, and then there is nothing to close. */
int recording_open(struct recording *recording, const char *path, bool append, const char *origin, uint64_t file_max);

/* Append an exchange. Returns 0 or -1; `error` says why. */
int recording_write(struct recording *recording, struct recording_connection *connection, const struct dialogue_text *text);

void recording_close(struct recording *recording);

#endif
