#include "field.h"

#include <string.h>

static bool is_plain(PyObject *pair) {
    return PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2 && PyBytes_Check(PyTuple_GET_ITEM(pair, 0)) &&
           PyBytes_Check(PyTuple_GET_ITEM(pair, 1));
}

static void set_name(struct response_field *field, PyObject *name) {
    *field = (struct response_field){PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name), "", 0};
}

static void set_value(struct response_field *field, PyObject *value) {
    field->value = PyBytes_AS_STRING(value);
    field->value_size = (size_t)PyBytes_GET_SIZE(value);
}

/* `name, value = pair`: new references in BOTH. -1 with an exception. */
static int unpack(PyObject *pair, PyObject *both[2]) {
    PyObject *iterator = PyObject_GetIter(pair);
    if (!iterator) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) && !Py_TYPE(pair)->tp_iter && !PySequence_Check(pair))
            PyErr_Format(PyExc_TypeError, "cannot unpack non-iterable %s object", Py_TYPE(pair)->tp_name);
        return -1;
    }
    int count = 0;
    while (count < 2 && (both[count] = PyIter_Next(iterator)))
        count++;
    PyObject *more = count == 2 ? PyIter_Next(iterator) : NULL;
    Py_DECREF(iterator);
    if (more)
        PyErr_SetString(PyExc_ValueError, "too many values to unpack (expected 2)");
    else if (count < 2 && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected 2, got %d)", count);
    Py_XDECREF(more);
    if (!PyErr_Occurred())
        return 0;
    for (; count > 0; count--)
        Py_CLEAR(both[count - 1]);
    return -1;
}

/* New reference: the bytes of what a regular expression can be searched in. */
static PyObject *octets(PyObject *object) {
    if (PyBytes_Check(object))
        return Py_NewRef(object);
    if (PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "cannot use a bytes pattern on a string-like object");
        return NULL;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) != 0)
        return PyErr_Format(PyExc_TypeError, "expected string or bytes-like object, got '%s'", Py_TYPE(object)->tp_name);
    PyObject *bytes = PyBytes_FromStringAndSize(view.buf, view.len);
    PyBuffer_Release(&view);
    return bytes;
}

/* What is read of a value by which the server frames the response. NULL: of this one nothing. */
static const char *reading_method(PyObject *name) {
    static const char *const methods[][2] = {{"content-length", "decode"}, {"transfer-encoding", "lower"}, {"connection", "split"}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (PyOS_stricmp(PyBytes_AS_STRING(name), methods[i][0]) == 0)
            return methods[i][1];
    return NULL;
}

/* -1 with an exception where OBJECT is without this method. */
static int check_method(PyObject *object, const char *method) {
    PyObject *found = PyObject_GetAttrString(object, method);
    Py_XDECREF(found);
    return found ? 0 : -1;
}

/* What no app should give: as many of its parts as can be read, in the order in which they are looked at. */
static int read_odd(struct field_list *list, Py_ssize_t i) {
    struct response_field *field = &list->at[i];
    PyObject *both[2] = {NULL, NULL};
    if (unpack(PyList_GET_ITEM(list->pairs, i), both) != 0)
        return -1;
    PyObject *pair = NULL, *value = NULL, *name = octets(both[0]);
    if (name && (pair = PyTuple_Pack(2, name, name)) && PyList_SetItem(list->pairs, i, Py_NewRef(pair)) == 0) {
        set_name(field, name);
        list->count++;
        value = octets(both[1]);
    }
    int error = -1;
    PyObject *kept = value ? PyTuple_Pack(2, name, value) : NULL;
    if (kept && PyList_SetItem(list->pairs, i, kept) == 0) {
        set_value(field, value);
        const char *method = reading_method(name);
        error = check_method(both[0], "lower");
        if (error == 0 && method)
            error = check_method(both[1], method);
    }
    Py_DECREF(both[0]);
    Py_DECREF(both[1]);
    Py_XDECREF(name);
    Py_XDECREF(value);
    Py_XDECREF(pair);
    return error;
}

int field_list_read(struct field_list *list, PyObject *pairs) {
    Py_ssize_t size = PyList_GET_SIZE(pairs);
    list->at = list->on_stack;
    list->count = 0;
    list->pairs = pairs;
    if (size > FIELDS_ON_STACK && !(list->at = PyMem_New(struct response_field, (size_t)size))) {
        PyErr_NoMemory();
        return -1;
    }
    bool own = false; /* `pairs` is nobody else's, and keeps what was read whatever is run */
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *pair = PyList_GET_ITEM(list->pairs, i);
        if (is_plain(pair)) {
            set_name(&list->at[i], PyTuple_GET_ITEM(pair, 0));
            set_value(&list->at[i], PyTuple_GET_ITEM(pair, 1));
            list->count++;
            continue;
        }
        if (!own) {
            PyObject *copy = PyList_GetSlice(list->pairs, 0, size);
            if (!copy)
                return -1;
            Py_SETREF(list->pairs, copy);
            own = true;
        }
        if (read_odd(list, i) != 0)
            return -1;
    }
    return 0;
}

void field_list_free(struct field_list *list) {
    if (list->at != list->on_stack)
        PyMem_Free(list->at);
    Py_CLEAR(list->pairs);
}
