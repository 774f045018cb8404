/* trace_writer.h: the writing end of the trace (trace.h): the mapped file, its records, the doorbell, and what a fork does to them.
 *
 * Knows nothing of Python. Not thread-safe: its callers take turns (the interpreter's lock does that).
 *
 * A writer is made with trace_writer_new() and belongs to its caller until trace_writer_free(). It opens nothing before the first record is
 * asked for. One record is written in three steps, with nothing in between:
 *
 *     unsigned char *at = trace_writer_reserve(writer, room);     // NULL: this process does not trace any more
 *     ... put up to `room` bytes of payload at `at` ...
 *     trace_writer_publish(writer, &record);
 *
 * A reservation that is not published leaves no mark. When the trace cannot be written (no folder, disk full), one line goes to stderr, and
 * from then on every reservation fails: the app runs on, and the reader misses the trace.
 */
#ifndef BRIDGECHECK_TRACE_WRITER_H
#define BRIDGECHECK_TRACE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "trace.h"

/* The smallest file a writer accepts: a record of the greatest size must fit into a fresh one. */
#define TRACE_FILE_SIZE_MIN (2ull << 20)

struct trace_writer;

/* FOLDER and DOORBELL are copied. A NULL or empty FOLDER fails at the first record, a NULL or empty DOORBELL is never rung. Returns NULL
 * when out of memory or when FILE_SIZE is below TRACE_FILE_SIZE_MIN. */
struct trace_writer *trace_writer_new(const char *folder, const char *doorbell, uint64_t file_size);

/* Unmaps and closes; the files stay. NULL is allowed. */
void trace_writer_free(struct trace_writer *writer);

/* A number that changes in a child after a fork: a call that was begun in the parent must not be written by the child. To be asked before
 * each record; it is also where the child lets go of the parent's file. */
uint32_t trace_writer_generation(struct trace_writer *writer);

/* The number for the next call of this process, from 1. */
uint32_t trace_writer_next_call(struct trace_writer *writer);

/* Room for a record with a payload of up to ROOM bytes, at most TRACE_VALUE_MAX. Opens the process's first file, or the next when this one
 * is full. */
unsigned char *trace_writer_reserve(struct trace_writer *writer, size_t room);

/* Publish what was reserved. The caller fills kind, client_port, call, payload and the stream's fields; size and nanoseconds are set here.
 * Rings the doorbell where the reader asked for it. */
void trace_writer_publish(struct trace_writer *writer, const struct trace_record *record);

#endif
