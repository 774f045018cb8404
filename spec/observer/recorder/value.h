/* value.h: a Python value as the tagged bytes of trace.h, into a bounded piece of memory.
 *
 * Owns the choice of tag. Knows nothing of files, calls or asyncio. Never leaves a Python exception behind. value_write() does not run the
 * app's code; value_of_exception() does, since it asks the exception for its text, so it comes before a record is reserved.
 */
#ifndef BRIDGECHECK_VALUE_H
#define BRIDGECHECK_VALUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

struct value_writer {
    unsigned char *at, *end;
    int depth;
    /* A long bytes-like object whose hash the caller already knows (a body, hashed for its stream); borrowed, may be NULL. */
    const void *known_data;
    uint64_t known_size, known_hash;
};

/* Returns 0, or -1 when the value does not fit before `end`; what was written up to then is of no use. */
int value_write(struct value_writer *writer, PyObject *value);

/* A new list [type name, message, name of the nearest built-in class it derives from], None in place of a text that cannot be had. NULL,
 * with the exception cleared, when out of memory. */
PyObject *value_of_exception(PyObject *exception);

/* The type's name as the trace has it, as a new str; NULL with the exception cleared when there is no memory for it. */
PyObject *value_type_name(PyTypeObject *type);

#endif
