#define PY_SSIZE_T_CLEAN /* as all of the binding */
#include "shared.h"

#include <stdbool.h>
#include <string.h>

/* A place for what is told by two words. Two that have the same place drive each other out, no more. */
static size_t place_of(uint64_t one, uint64_t other) {
    uint64_t hash = (one * 0x9e3779b97f4a7c15ull ^ other) * 0x9e3779b97f4a7c15ull;
    return (hash >> 32) % SHARED_COUNT;
}

/* The place of SIZE bytes, by their number, their beginning and their end. */
static size_t place_of_bytes(const char *data, size_t size) {
    uint64_t first = 0, last = 0;
    size_t part = size < sizeof first ? size : sizeof first;
    memcpy(&first, data, part);
    memcpy(&last, data + size - part, part);
    return place_of(first, last + size);
}

PyObject *shared_bytes(struct shared *shared, const char *data, size_t size) {
    if (size > SHARED_SIZE_MAX)
        return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    PyObject **place = &shared->bytes[place_of_bytes(data, size)];
    if (*place && (size_t)PyBytes_GET_SIZE(*place) == size && !memcmp(PyBytes_AS_STRING(*place), data, size))
        return Py_NewRef(*place);
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    if (bytes)
        Py_XSETREF(*place, Py_NewRef(bytes));
    return bytes;
}

static PyObject *make_text(const char *data, size_t size) {
    PyObject *text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "surrogatepass");
    if (!text && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "backslashreplace");
    }
    return text;
}

/* Only ASCII is shared: Python keeps it as the very bytes that are asked for. */
PyObject *shared_text(struct shared *shared, const char *data, size_t size) {
    if (size > SHARED_SIZE_MAX)
        return make_text(data, size);
    PyObject **place = &shared->texts[place_of_bytes(data, size)];
    if (*place && (size_t)PyUnicode_GET_LENGTH(*place) == size && !memcmp(PyUnicode_DATA(*place), data, size))
        return Py_NewRef(*place);
    PyObject *text = make_text(data, size);
    if (text && PyUnicode_IS_COMPACT_ASCII(text))
        Py_XSETREF(*place, Py_NewRef(text));
    return text;
}

/* Of what cannot change, and is small enough to be kept. */
static bool may_be_shared(PyObject *object) {
    return PyBytes_CheckExact(object) ? PyBytes_GET_SIZE(object) <= SHARED_SIZE_MAX
                                      : PyUnicode_CheckExact(object) && PyUnicode_GET_LENGTH(object) <= SHARED_SIZE_MAX;
}

PyObject *shared_pair(struct shared *shared, PyObject *one, PyObject *other) {
    PyObject *pair = NULL, **place = NULL;
    if (one && other && may_be_shared(one) && may_be_shared(other)) {
        place = &shared->pairs[place_of((uintptr_t)one, (uintptr_t)other)];
        if (*place && PyTuple_GET_ITEM(*place, 0) == one && PyTuple_GET_ITEM(*place, 1) == other)
            pair = Py_NewRef(*place);
    }
    if (one && other && !pair && (pair = PyTuple_Pack(2, one, other)) && place)
        Py_XSETREF(*place, Py_NewRef(pair));
    Py_XDECREF(one);
    Py_XDECREF(other);
    return pair;
}

void shared_clear(struct shared *shared) {
    for (size_t i = 0; i < SHARED_COUNT; i++) {
        Py_CLEAR(shared->pairs[i]);
        Py_CLEAR(shared->bytes[i]);
        Py_CLEAR(shared->texts[i]);
    }
}
