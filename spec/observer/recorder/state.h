/* state.h: what the extension's parts share: the module's state and the two objects.
 *
 * The module owns every reference in `struct module_state`; a Recorder owns its writer and the caches; a Call owns references to its
 * Recorder, its loop, and the server's receive and send, and lives as long as the app holds a face.
 */
#ifndef BRIDGECHECK_STATE_H
#define BRIDGECHECK_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "trace_writer.h"

/* Interned names: the field in module_state, and the text. */
#define NAMES(X)                                                                                                                           \
    X(body, "body")                                                                                                                        \
    X(call_soon, "call_soon")                                                                                                              \
    X(client, "client")                                                                                                                    \
    X(code, "__code__")                                                                                                                    \
    X(function, "__func__")                                                                                                                \
    X(headers, "headers")                                                                                                                  \
    X(http, "http")                                                                                                                        \
    X(type, "type")

#define NAME_FIELD(field, text) PyObject *field;

struct module_state {
    struct {
        NAMES(NAME_FIELD)
    } names;
    PyTypeObject *call_type, *recorder_type;
    PyTypeObject *method_type, *function_type, *builtin_type;
    PyObject *get_running_loop;
};

#define KINDS_MAX 8

/* What a receive or send callable is, remembered by what all callables made at the same place have in common. */
struct callable_kind {
    PyObject *key;
    PyObject *name; /* "coroutine function", or a type name */
};

struct recorder {
    PyObject_HEAD struct trace_writer *writer;
    PyTypeObject *call_type;      /* Call, or the subclass of it that has the faces */
    PyObject *describe;           /* describe(callable) -> the kind's name */
    PyObject *coroutine_function; /* the very name that describe() gives to coroutine functions */
    unsigned long main_thread;
    struct callable_kind kinds[KINDS_MAX];
    unsigned next_kind;
    /* The last call's properties as trace bytes, and what they were made of. */
    struct {
        PyObject *bytes, *receive, *send, *loop_type;
        int main_thread;
    } properties;
};

struct stream {
    uint64_t total, hash;
};

/* Call.uncommon: what keeps a call from the ordinary faces. */
enum { PLAIN_RECEIVE = 1, PLAIN_SEND = 2, MARKED = 4 };

struct call {
    PyObject_HEAD struct recorder *recorder;
    PyObject *loop; /* None where none runs */
    PyObject *server_receive, *server_send;
    PyObject *token; /* of a marked request, else None */
    struct stream received, sent;
    uint32_t generation, number;
    uint16_t client_port;
    int uncommon;
    int turns; /* of the loop, since the call ended */
};

extern PyType_Spec call_spec;
extern PyType_Spec recorder_spec;

/* Write one record of the call: VALUE (may be NULL), then TAIL (trace bytes, may be NULL). Raises nothing. */
void call_record(struct call *call, enum trace_kind kind, PyObject *value, PyObject *tail);

#endif
