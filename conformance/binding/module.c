/* module.c: the module bridgecheck.conformance._player: its types and functions, put together. */
#define PY_SSIZE_T_CLEAN /* the "#" of a format counts in Py_ssize_t */
#include <Python.h>

#include "exchange_object.h"
#include "player_object.h"
#include "state.h"
#include "values.h"

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type) {
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type ? PyModule_AddType(module, *type) : -1;
}

static int execute(PyObject *module) {
    struct binding_state *state = PyModule_GetState(module);
#define BINDING_INTERN(text)                                                                                                               \
    if (!(state->text = PyUnicode_InternFromString(#text)))                                                                                \
        return -1;
    BINDING_NAMES(BINDING_INTERN)
#undef BINDING_INTERN
    state->exchange_error = PyErr_NewExceptionWithDoc("bridgecheck.conformance._player.ExchangeError",
                                                      "A file that does not fit the grammar of docs/exchange.md.", PyExc_ValueError, NULL);
    if (!state->exchange_error || PyModule_AddObjectRef(module, "ExchangeError", state->exchange_error))
        return -1;
    return add_type(module, &exchange_object_spec, &state->exchange_type) ||
                   add_type(module, &values_instance_spec, &state->instance_type) ||
                   add_type(module, &player_object_spec, &state->player_type)
               ? -1
               : 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    struct binding_state *state = PyModule_GetState(module);
    Py_VISIT(state->exchange_error);
    Py_VISIT(state->exchange_type);
    Py_VISIT(state->instance_type);
    Py_VISIT(state->player_type);
    return 0;
}

static int clear(PyObject *module) {
    struct binding_state *state = PyModule_GetState(module);
    Py_CLEAR(state->exchange_error);
    Py_CLEAR(state->exchange_type);
    Py_CLEAR(state->instance_type);
    Py_CLEAR(state->player_type);
#define BINDING_CLEAR(text) Py_CLEAR(state->text);
    BINDING_NAMES(BINDING_CLEAR)
#undef BINDING_CLEAR
    shared_clear(&state->shared);
    return 0;
}

static void free_module(void *module) { clear(module); }

static PyMethodDef FUNCTIONS[] = {
    {"parse", (PyCFunction)(void (*)(void))exchange_object_parse, METH_VARARGS | METH_KEYWORDS, "All exchanges of a file, in file order."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef binding_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "bridgecheck.conformance._player",
    .m_doc = "The C engine: the exchange parser, the player and the trace reader.",
    .m_size = sizeof(struct binding_state),
    .m_methods = FUNCTIONS,
    .m_slots = SLOTS,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__player(void) { return PyModuleDef_Init(&binding_module); }
