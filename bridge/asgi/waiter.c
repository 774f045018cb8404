#include "waiter.h"

#include "state.h"

PyObject *waiter_new(struct loop *loop, PyObject **list) {
    PyObject *future = PyObject_CallNoArgs(loop->create_future);
    if (future && !*list)
        *list = PyList_New(0);
    if (future && (!*list || PyList_Append(*list, future) != 0))
        Py_CLEAR(future);
    return future;
}

void waiters_wake(struct state *state, PyObject *list, bool all) {
    bool woken = false;
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list) && (all || !woken); i++) {
        PyObject *future = Py_NewRef(PyList_GET_ITEM(list, i));
        PyObject *done = PyObject_CallMethodNoArgs(future, state->done);
        PyObject *set = done == Py_False ? PyObject_CallMethodOneArg(future, state->set_result, Py_True) : NULL;
        if (!done || (done == Py_False && !set))
            PyErr_WriteUnraisable(future);
        woken = set != NULL;
        Py_XDECREF(done);
        Py_XDECREF(set);
        Py_DECREF(future);
    }
}

int waiter_forget(PyObject *list, PyObject *future) {
    Py_ssize_t at = list ? PySequence_Index(list, future) : -1;
    if (at < 0) {
        PyErr_Clear();
        return 0;
    }
    return PySequence_DelItem(list, at);
}
