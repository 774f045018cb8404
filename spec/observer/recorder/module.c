/* module.c: the extension module bridgecheck_observer._recorder: its state, its two types, its constants.
 *
 * Built for the limited API of CPython 3.11, so that one binary serves every later version.
 */
#include "state.h"

#define MODULE_STATE(module) ((struct module_state *)PyModule_GetState(module))

static PyTypeObject *take_type(PyObject *module, const char *name) {
    PyObject *type = PyObject_GetAttrString(module, name);
    if (type != NULL && !PyType_Check(type)) {
        PyErr_Format(PyExc_TypeError, "types.%s is no type", name);
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;
}

static int take_foreign(struct module_state *state) {
    PyObject *types = PyImport_ImportModule("types");
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    int result = -1;
    if (types == NULL || asyncio == NULL)
        goto done;
    if ((state->method_type = take_type(types, "MethodType")) == NULL ||
        (state->function_type = take_type(types, "FunctionType")) == NULL ||
        (state->builtin_type = take_type(types, "BuiltinFunctionType")) == NULL)
        goto done;
    /* None, and no exception, where no loop runs. */
    if ((state->get_running_loop = PyObject_GetAttrString(asyncio, "_get_running_loop")) == NULL)
        goto done;
    result = 0;
done:
    Py_XDECREF(types);
    Py_XDECREF(asyncio);
    return result;
}

#define INTERN_NAME(field, text)                                                                                                           \
    if ((state->names.field = PyUnicode_InternFromString(text)) == NULL)                                                                   \
        return -1;

static int module_exec(PyObject *module) {
    struct module_state *state = MODULE_STATE(module);
    NAMES(INTERN_NAME)
    if (take_foreign(state) != 0)
        return -1;
    if ((state->call_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &call_spec, NULL)) == NULL)
        return -1;
    if ((state->recorder_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &recorder_spec, NULL)) == NULL)
        return -1;
    return PyModule_AddType(module, state->call_type) != 0 || PyModule_AddType(module, state->recorder_type) != 0 ||
                   PyModule_AddIntMacro(module, PLAIN_RECEIVE) != 0 || PyModule_AddIntMacro(module, PLAIN_SEND) != 0 ||
                   PyModule_AddIntMacro(module, MARKED) != 0
               ? -1
               : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct module_state *state = MODULE_STATE(module);
    Py_VISIT(state->call_type);
    Py_VISIT(state->recorder_type);
    Py_VISIT(state->method_type);
    Py_VISIT(state->function_type);
    Py_VISIT(state->builtin_type);
    Py_VISIT(state->get_running_loop);
    return 0;
}

#define CLEAR_NAME(field, text) Py_CLEAR(state->names.field);

static int module_clear(PyObject *module) {
    struct module_state *state = MODULE_STATE(module);
    NAMES(CLEAR_NAME)
    Py_CLEAR(state->call_type);
    Py_CLEAR(state->recorder_type);
    Py_CLEAR(state->method_type);
    Py_CLEAR(state->function_type);
    Py_CLEAR(state->builtin_type);
    Py_CLEAR(state->get_running_loop);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_recorder",
    .m_doc = "The observer's recorder in C. The same face as _python_recorder.",
    .m_size = sizeof(struct module_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__recorder(void) { return PyModuleDef_Init(&module_definition); }
