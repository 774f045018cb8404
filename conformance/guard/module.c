/* bridgecheck.conformance._guard: guard.h for Python. Owns only the conversion of arguments and errors. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "guard.h"

#include <unistd.h>

/* A NULL-terminated array of the bytes in SEQUENCE, which holds bytes without NUL and outlives the array; PyMem_Free() gives it back. */
static char **strings(PyObject *sequence) {
    Py_ssize_t count = PyTuple_GET_SIZE(sequence);
    char **found = PyMem_New(char *, (size_t)count + 1);
    if (!found) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(sequence, i), &found[i], NULL) < 0) {
            PyMem_Free(found);
            return NULL;
        }
    }
    found[count] = NULL;
    return found;
}

PyDoc_STRVAR(spawn_doc, "spawn(arguments: tuple[bytes, ...], environment: tuple[bytes, ...], folder: bytes, output: int, /)"
                        " -> tuple[int, int, int]\n--\n\n"
                        "Start a guard and the server under it: (guard's pid, server's pid, control socket).\n\n"
                        "OSError names the folder or the executable when one of these is what failed.");

static PyObject *spawn(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *words, *settings, *result = NULL;
    struct guard_request request = {.output = -1};
    if (!PyArg_ParseTuple(arguments, "O!O!yi:spawn", &PyTuple_Type, &words, &PyTuple_Type, &settings, &request.folder, &request.output))
        return NULL;
    if (PyTuple_GET_SIZE(words) == 0) {
        PyErr_SetString(PyExc_ValueError, "no executable");
        return NULL;
    }
    char **argument_strings = strings(words), **environment_strings = NULL;
    if (!argument_strings)
        return NULL;
    environment_strings = strings(settings);
    if (!environment_strings)
        goto free_strings;
    request.arguments = argument_strings;
    request.environment = environment_strings;
    struct guard guard;
    enum guard_report_kind kind;
    int status;
    Py_BEGIN_ALLOW_THREADS status = guard_start(&request, &guard, &kind);
    Py_END_ALLOW_THREADS if (status == 0) result = Py_BuildValue("iii", (int)guard.pid, (int)guard.server, guard.control);
    else if (kind == GUARD_NO_FOLDER) PyErr_SetFromErrnoWithFilename(PyExc_OSError, request.folder);
    else if (kind == GUARD_NO_EXEC) PyErr_SetFromErrnoWithFilename(PyExc_OSError, request.arguments[0]);
    else PyErr_SetFromErrno(PyExc_OSError);
    PyMem_Free(environment_strings);
free_strings:
    PyMem_Free(argument_strings);
    return result;
}

PyDoc_STRVAR(report_doc, "report(message: bytes, /) -> tuple[str, int]\n--\n\n"
                         "What a message on the control socket says: ('exited', code), ('signalled', number) or ('nothing left', 0).");

static PyObject *report(PyObject *module, PyObject *message) {
    (void)module;
    struct guard_report read;
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(message, &data, &size) < 0)
        return NULL;
    if (size == (Py_ssize_t)sizeof read) {
        memcpy(&read, data, sizeof read);
        switch (read.kind) {
        case GUARD_EXITED:
            return Py_BuildValue("si", "exited", (int)read.value);
        case GUARD_SIGNALLED:
            return Py_BuildValue("si", "signalled", (int)read.value);
        case GUARD_NOTHING_LEFT:
            return Py_BuildValue("si", "nothing left", 0);
        }
    }
    PyErr_SetString(PyExc_ValueError, "no report of a guard");
    return NULL;
}

static PyMethodDef methods[] = {
    {"spawn", spawn, METH_VARARGS, spawn_doc},
    {"report", report, METH_O, report_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_guard", .m_doc = "Starts a server under a guard that leaves nothing of it behind.",
    .m_methods = methods,  .m_slots = slots,
};

PyMODINIT_FUNC PyInit__guard(void) { return PyModuleDef_Init(&definition); }
