/* state.h: what the module bridgecheck.conformance._player keeps: its types, its names, interned once, and what is shared (shared.h).
 *
 * The binding turns the player's C structs into the Python objects of _player.pyi, and back. It is the only part of the engine that knows
 * Python.
 */
#ifndef BRIDGECHECK_BINDING_STATE_H
#define BRIDGECHECK_BINDING_STATE_H

#include <Python.h>

#include "shared.h"

// clang-format off
#define BINDING_NAMES(NAME)                                                                                                   \
    NAME(alone) NAME(base) NAME(before_last_byte) NAME(body) NAME(bytes) NAME(calls) NAME(client_port) NAME(column) NAME(complete)       \
    NAME(compressed) NAME(connection) NAME(connections) NAME(doorbell) NAME(end) NAME(error) NAME(event) NAME(events)         \
    NAME(faults) NAME(fields) NAME(file) NAME(first) NAME(frames) NAME(framing) NAME(hash) NAME(host) NAME(interim)           \
    NAME(key) NAME(kind) NAME(last) NAME(length) NAME(line) NAME(message) NAME(messages) NAME(name) NAME(opcode)              \
    NAME(opened) NAME(pid) NAME(pieces) NAME(port) NAME(properties) NAME(raised) NAME(reason) NAME(responses) NAME(rest)      \
    NAME(result) NAME(scope) NAME(settled) NAME(status) NAME(steps) NAME(stray) NAME(total) NAME(trace) NAME(trailers)        \
    NAME(type) NAME(version) NAME(websocket)
// clang-format on

struct binding_state {
    PyObject *exchange_error;
    PyTypeObject *exchange_type, *instance_type, *player_type;
#define BINDING_FIELD(name) PyObject *name;
    BINDING_NAMES(BINDING_FIELD)
#undef BINDING_FIELD
    struct shared shared;
};

/* The state of the module that TYPE belongs to. */
static inline struct binding_state *binding_state_of(PyTypeObject *type) { return PyModule_GetState(PyType_GetModule(type)); }

/* Put VALUE (its reference is taken, NULL is a failure that was raised) under KEY. Returns 0 or -1. */
static inline int binding_put(PyObject *dict, PyObject *key, PyObject *value) {
    int failed = value ? PyDict_SetItem(dict, key, value) : -1;
    Py_XDECREF(value);
    return failed;
}

/* The same at the end of a list. */
static inline int binding_append(PyObject *list, PyObject *value) {
    int failed = value ? PyList_Append(list, value) : -1;
    Py_XDECREF(value);
    return failed;
}

#endif
