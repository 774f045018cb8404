/* values.h: the values of a trace as Python objects, and the Instance of _player.pyi that stands for what is not of a plain type. */
#ifndef BRIDGECHECK_BINDING_VALUES_H
#define BRIDGECHECK_BINDING_VALUES_H

#include "../player/trace_value.h"
#include "state.h"

extern PyType_Spec values_instance_spec;

/* The next value. A payload that is broken ends in an Instance of type "(broken)": a target's file is no reason to raise. NULL: raised (out
 * of memory). */
PyObject *values_next(struct binding_state *state, struct trace_cursor *cursor);

#endif
