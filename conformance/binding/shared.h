/* shared.h: what observations hold again and again, made once: short texts and byte strings (keys of events, names of fields, what a client
 * says of itself) and pairs of them.
 *
 * Owns a bounded number of them: one that is asked for takes the place of another. What is handed out never changes, so nobody can tell.
 */
#ifndef BRIDGECHECK_BINDING_SHARED_H
#define BRIDGECHECK_BINDING_SHARED_H

#include <Python.h>

#define SHARED_COUNT 1024u  /* of each kind, a power of 2 */
#define SHARED_SIZE_MAX 128 /* longer ones are made anew */

/* All NULL to begin with. */
struct shared {
    PyObject *bytes[SHARED_COUNT], *texts[SHARED_COUNT], *pairs[SHARED_COUNT]; /* owned until shared_clear() */
};

/* SIZE bytes as bytes: a new reference, or NULL and an exception. */
PyObject *shared_bytes(struct shared *shared, const char *data, size_t size);

/* UTF-8 as str; surrogates are passed through, and what is neither stands escaped: a new reference, or NULL and an exception. */
PyObject *shared_text(struct shared *shared, const char *data, size_t size);

/* ONE and OTHER as a tuple: a new reference, or NULL and an exception. Their references are taken; NULL is a failure that was raised. */
PyObject *shared_pair(struct shared *shared, PyObject *one, PyObject *other);

void shared_clear(struct shared *shared);

#endif
