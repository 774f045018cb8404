/* trace_reader.h: the trace files of one target, read side (spec/observer/recorder/trace.h says what they hold).
 *
 * Owns the open files of one folder, and how far each was read. Knows nothing of Python, connections or doorbell sockets; the payload's
 * encoding is trace_value.h.
 *
 * Nothing in a file is trusted. Only its header stays mapped, and is looked at only after its size was asked; records are copied out before
 * they are checked, so that a target cannot change what was checked. A file that does not hold what it should, or was cut, is given up with
 * an error, once, and the others are read on. A file has its name only when its header is whole (the writer renames it).
 *
 * How to sleep without missing a record:
 *     trace_reader_arm(); trace_reader_scan(); trace_reader_read(); and sleep only if that brought nothing.
 * A doorbell means scan and read; the scan may be left out where trace_reader_knows() the name that came with it.
 */
#ifndef BRIDGECHECK_TRACE_READER_H
#define BRIDGECHECK_TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../spec/observer/recorder/trace.h"
#include "../exchange/exchange.h"

#define TRACE_READER_FILES_MAX 1024u

struct trace_reader;

struct trace_reader_error {
    char message[200]; /* "1234-0.trace: record at byte 128 is larger than what is left" */
};

/* One whole record. A call is known by (pid, record->call). RECORD and its record->payload bytes at PAYLOAD (trace_value.h) are good until
 * this returns. What is other than 0 stops the read, which returns it; this record counts as read. The reader must not be used in here. */
typedef int (*trace_record_cb)(void *context, uint32_t pid, const struct trace_record *record, const char *payload);

/* A reader of the files in FOLDER (copied), none of which is open yet. ALLOCATOR (copied) may be NULL. Returns NULL out of memory. */
struct trace_reader *trace_reader_open(const char *folder, const struct exchange_allocator *allocator);

/* Take in the files that are new in the folder. Returns 0, or -1 and *ERROR (no such folder, a file that cannot be opened, out of memory);
 * what can be taken in is taken in nevertheless. */
int trace_reader_scan(struct trace_reader *reader, struct trace_reader_error *error);

/* Whether the file of this name (as a doorbell brings it) was taken in. */
bool trace_reader_knows(const struct trace_reader *reader, const char *name, size_t size);

/* Hand every record that was committed since the last read to CALLBACK: those of one process in the order they were written. Returns 0;
 * what CALLBACK returned; or TRACE_READER_FAILED and *ERROR, after all good files were read. */
#define TRACE_READER_FAILED (-1)
int trace_reader_read(struct trace_reader *reader, trace_record_cb callback, void *context, struct trace_reader_error *error);

/* Ask every process that was taken in to ring once, at its next CALL, END or SETTLED. Read once more before sleeping. */
void trace_reader_arm(struct trace_reader *reader);

/* NULL is let through. */
void trace_reader_free(struct trace_reader *reader);

#endif
