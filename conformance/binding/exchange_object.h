/* exchange_object.h: the Exchange of _player.pyi. */
#ifndef BRIDGECHECK_BINDING_EXCHANGE_OBJECT_H
#define BRIDGECHECK_BINDING_EXCHANGE_OBJECT_H

#include "../player/player.h"
#include "state.h"

extern PyType_Spec exchange_object_spec;

/* parse(data, file) */
PyObject *exchange_object_parse(PyObject *module, PyObject *arguments, PyObject *keywords);

/* What to play; good as long as OBJECT. */
struct player_exchange exchange_object_get(PyObject *object);

/* What stands behind the word of a process step, as a tuple of str: a new reference. */
PyObject *exchange_object_words(const struct exchange_step *step);

/* The file it was read from, as parse() was told. Borrowed. */
PyObject *exchange_object_file(PyObject *object);

#endif
