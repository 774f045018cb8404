#include "value.h"

#include <string.h>

#include "trace.h"

static int put(struct value_writer *writer, const void *data, size_t size) {
    if ((size_t)(writer->end - writer->at) < size)
        return -1;
    memcpy(writer->at, data, size);
    writer->at += size;
    return 0;
}

static int put_tag(struct value_writer *writer, char tag) {
    if (writer->at == writer->end)
        return -1;
    *writer->at++ = (unsigned char)tag;
    return 0;
}

/* A tag and eight bytes. */
static int put_number(struct value_writer *writer, char tag, const void *number) {
    if (writer->end - writer->at < 9)
        return -1;
    *writer->at = (unsigned char)tag;
    memcpy(writer->at + 1, number, 8);
    writer->at += 9;
    return 0;
}

static int put_count(struct value_writer *writer, char tag, size_t count) {
    if (writer->end - writer->at < 5)
        return -1;
    uint32_t number = (uint32_t)count;
    *writer->at = (unsigned char)tag;
    memcpy(writer->at + 1, &number, 4);
    writer->at += 5;
    return 0;
}

static int put_string(struct value_writer *writer, char tag, const char *data, size_t size) {
    if ((size_t)(writer->end - writer->at) < 5 + size)
        return -1;
    put_count(writer, tag, size);
    memcpy(writer->at, data, size);
    writer->at += size;
    return 0;
}

static int put_long_string(struct value_writer *writer, char tag, const char *data, size_t size) {
    const uint64_t length = size;
    const uint32_t edge = TRACE_BODY_EDGE;
    uint64_t hash;
    if (writer->known_data == data && writer->known_size == size)
        hash = writer->known_hash;
    else
        hash = trace_hash(trace_hash_start(), (const unsigned char *)data, size);
    return -(put_number(writer, tag, &length) || put(writer, &hash, sizeof hash) || put(writer, &edge, sizeof edge) ||
             put(writer, data, edge) || put(writer, data + size - edge, edge));
}

static int put_bytes(struct value_writer *writer, const char *data, size_t size) {
    return size > TRACE_BODY_INLINE ? put_long_string(writer, 'B', data, size) : put_string(writer, 'b', data, size);
}

static int put_utf8(struct value_writer *writer, const char *data, size_t size) {
    return size > TRACE_BODY_INLINE ? put_long_string(writer, 'S', data, size) : put_string(writer, 's', data, size);
}

PyObject *value_type_name(PyTypeObject *type) {
    PyObject *qualified = PyType_GetQualName(type);
    if (qualified == NULL) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyObject *name = NULL;
    if (module != NULL && PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, "builtins") != 0)
        name = PyUnicode_FromFormat("%U.%U", module, qualified);
    else
        name = Py_NewRef(qualified);
    PyErr_Clear();
    Py_XDECREF(module);
    Py_DECREF(qualified);
    return name;
}

static int write_text(struct value_writer *writer, PyObject *text) {
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data != NULL)
        return put_utf8(writer, data, (size_t)size);
    PyErr_Clear(); /* lone surrogates */
    PyObject *passed = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (passed == NULL) {
        PyErr_Clear();
        return put_tag(writer, '.');
    }
    int result = put_utf8(writer, PyBytes_AsString(passed), (size_t)PyBytes_Size(passed));
    Py_DECREF(passed);
    return result;
}

static int write_type(struct value_writer *writer, char tag, PyObject *value) {
    PyObject *name = value_type_name(Py_TYPE(value));
    PyObject *encoded = name == NULL ? NULL : PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    int result;
    if (encoded == NULL) {
        PyErr_Clear();
        result = put_string(writer, tag, "?", 1);
    } else {
        result = put_string(writer, tag, PyBytes_AsString(encoded), (size_t)PyBytes_Size(encoded));
    }
    Py_XDECREF(encoded);
    Py_XDECREF(name);
    return result;
}

static int write_int(struct value_writer *writer, PyObject *value) {
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
        int64_t stored = number;
        return put_number(writer, 'i', &stored);
    }
    PyObject *text = PyNumber_ToBase(value, 10);
    if (text == NULL) { /* sys.set_int_max_str_digits() */
        PyErr_Clear();
        text = PyNumber_ToBase(value, 16);
    }
    Py_ssize_t size = 0;
    const char *data = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &size);
    int result;
    if (data == NULL) {
        PyErr_Clear();
        result = put_tag(writer, '.');
    } else {
        result = put_string(writer, 'I', data, (size_t)size);
    }
    Py_XDECREF(text);
    return result;
}

static int write_list(struct value_writer *writer, PyObject *list) {
    Py_ssize_t count = PyList_Size(list);
    int failed = put_count(writer, 'L', (size_t)count);
    for (Py_ssize_t i = 0; i < count && !failed; i++)
        failed = value_write(writer, PyList_GetItem(list, i));
    return failed;
}

static int write_tuple(struct value_writer *writer, PyObject *tuple) {
    Py_ssize_t count = PyTuple_Size(tuple);
    int failed = put_count(writer, 'U', (size_t)count);
    for (Py_ssize_t i = 0; i < count && !failed; i++)
        failed = value_write(writer, PyTuple_GetItem(tuple, i));
    return failed;
}

static int write_dict(struct value_writer *writer, PyObject *dict) {
    Py_ssize_t position = 0;
    PyObject *key, *value;
    int failed = put_count(writer, 'D', (size_t)PyDict_Size(dict));
    while (!failed && PyDict_Next(dict, &position, &key, &value))
        failed = value_write(writer, key) || value_write(writer, value);
    return -failed;
}

typedef int write_function(struct value_writer *, PyObject *);

static int write_nested(struct value_writer *writer, PyObject *container, write_function *write) {
    if (writer->depth >= TRACE_DEPTH_MAX)
        return put_tag(writer, '.');
    writer->depth++;
    int result = write(writer, container);
    writer->depth--;
    return result;
}

static int write_bytes(struct value_writer *writer, PyObject *bytes) {
    return put_bytes(writer, PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
}

static int write_bytearray(struct value_writer *writer, PyObject *bytearray) {
    return put_bytes(writer, PyByteArray_AsString(bytearray), (size_t)PyByteArray_Size(bytearray));
}

static int write_float(struct value_writer *writer, PyObject *value) {
    double number = PyFloat_AsDouble(value);
    return put_number(writer, 'd', &number);
}

static int write_memoryview(struct value_writer *writer, PyObject *view) {
    Py_buffer buffer;
    int result;
    if (PyObject_GetBuffer(view, &buffer, PyBUF_CONTIG_RO) == 0) {
        result = put_bytes(writer, buffer.buf, (size_t)buffer.len);
        PyBuffer_Release(&buffer);
        return result;
    }
    PyErr_Clear(); /* with strides, or released */
    PyObject *copy = PyObject_CallMethod(view, "tobytes", NULL);
    if (copy == NULL) {
        PyErr_Clear();
        return put_tag(writer, 'N');
    }
    result = write_bytes(writer, copy);
    Py_DECREF(copy);
    return result;
}

/* What it is named, and the plain value it holds: an instance of a subclass, bytearray and memoryview. */
static int write_other(struct value_writer *writer, PyObject *value) {
    write_function *write = NULL;
    int nested = 0;
    if (PyUnicode_Check(value))
        write = write_text;
    else if (PyBytes_Check(value))
        write = write_bytes;
    else if (PyDict_Check(value))
        write = write_dict, nested = 1;
    else if (PyList_Check(value))
        write = write_list, nested = 1;
    else if (PyTuple_Check(value))
        write = write_tuple, nested = 1;
    else if (PyLong_Check(value))
        write = write_int;
    else if (PyFloat_Check(value))
        write = write_float;
    else if (PyByteArray_Check(value))
        write = write_bytearray;
    else if (PyMemoryView_Check(value))
        write = write_memoryview;
    if (write == NULL)
        return write_type(writer, 'O', value);
    if (write_type(writer, 'X', value) != 0)
        return -1;
    return nested ? write_nested(writer, value, write) : write(writer, value);
}

int value_write(struct value_writer *writer, PyObject *value) {
    if (PyBytes_CheckExact(value))
        return write_bytes(writer, value);
    if (PyUnicode_CheckExact(value))
        return write_text(writer, value);
    if (PyTuple_CheckExact(value))
        return write_nested(writer, value, write_tuple);
    if (PyList_CheckExact(value))
        return write_nested(writer, value, write_list);
    if (PyDict_CheckExact(value))
        return write_nested(writer, value, write_dict);
    if (value == Py_None)
        return put_tag(writer, 'N');
    if (value == Py_True)
        return put_tag(writer, 'T');
    if (value == Py_False)
        return put_tag(writer, 'F');
    if (PyLong_CheckExact(value))
        return write_int(writer, value);
    if (PyFloat_CheckExact(value))
        return write_float(writer, value);
    return write_other(writer, value);
}

/* The nearest class of Python's own that TYPE is or derives from: what an app can know a server's own exceptions by. */
static PyObject *built_in_name(PyTypeObject *type) {
    PyObject *classes = PyObject_GetAttrString((PyObject *)type, "__mro__"), *name = NULL;
    for (Py_ssize_t i = 0; classes != NULL && name == NULL && PyTuple_Check(classes) && i < PyTuple_Size(classes); i++) {
        PyObject *class = PyTuple_GetItem(classes, i);
        PyObject *module = PyObject_GetAttrString(class, "__module__");
        if (module != NULL && PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, "builtins") == 0)
            name = PyType_GetQualName((PyTypeObject *)class);
        Py_XDECREF(module);
        PyErr_Clear();
    }
    PyErr_Clear();
    Py_XDECREF(classes);
    return name;
}

PyObject *value_of_exception(PyObject *exception) {
    PyObject *name = value_type_name(Py_TYPE(exception)), *built_in = built_in_name(Py_TYPE(exception));
    PyObject *message = PyObject_Str(exception);
    if (message == NULL)
        PyErr_Clear();
    PyObject *list =
        Py_BuildValue("[OOO]", name == NULL ? Py_None : name, message == NULL ? Py_None : message, built_in == NULL ? Py_None : built_in);
    if (list == NULL)
        PyErr_Clear();
    Py_XDECREF(message);
    Py_XDECREF(built_in);
    Py_XDECREF(name);
    return list;
}
