/* module.c: the extension module `_bridge` and nothing more. */
#include <Python.h>

#include "cycle.h"
#include "server_object.h"
#include "session_object.h"
#include "state.h"

static int execute(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    if (module_state_fill(state) != 0)
        return -1;
    state->server_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &server_spec, NULL);
    state->cycle_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &cycle_spec, NULL);
    state->session_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &session_spec, NULL);
    if (!state->server_type || !state->cycle_type || !state->session_type)
        return -1;
    return PyModule_AddType(module, state->server_type);
}

static int traverse(PyObject *module, visitproc visit, void *arg) { return module_state_visit(PyModule_GetState(module), visit, arg); }

static int clear(PyObject *module) {
    module_state_clear(PyModule_GetState(module));
    return 0;
}

static void release(void *module) { module_state_clear(PyModule_GetState(module)); }

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "bridgecheck.bridge._bridge",
    .m_size = sizeof(struct state),
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__bridge(void);
PyMODINIT_FUNC PyInit__bridge(void) { return PyModuleDef_Init(&definition); }
