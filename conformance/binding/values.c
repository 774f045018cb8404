#define PY_SSIZE_T_CLEAN /* the "#" of a format counts in Py_ssize_t */
#include <Python.h>
#include <structmember.h>

#include "values.h"

struct instance {
    PyObject ob_base;
    PyObject *type; /* str */
    PyObject *value;
};

static PyObject *make_instance(PyTypeObject *instance_type, PyObject *type, PyObject *value) {
    struct instance *self = (struct instance *)instance_type->tp_alloc(instance_type, 0);
    if (!self)
        return NULL;
    self->type = Py_NewRef(type);
    self->value = Py_NewRef(value);
    return (PyObject *)self;
}

static PyObject *instance_new(PyTypeObject *instance_type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"type", "value", NULL};
    PyObject *type, *value = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "U|O:Instance", names, &type, &value))
        return NULL;
    return make_instance(instance_type, type, value);
}

static int instance_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct instance *)self)->value);
    return 0;
}

static int instance_clear(PyObject *self) {
    Py_CLEAR(((struct instance *)self)->value);
    return 0;
}

static void instance_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    instance_clear(self);
    Py_CLEAR(((struct instance *)self)->type);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *instance_compare(PyObject *one, PyObject *other, int operation) {
    if (Py_TYPE(one) != Py_TYPE(other) || (operation != Py_EQ && operation != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    const struct instance *a = (struct instance *)one, *b = (struct instance *)other;
    int same = PyObject_RichCompareBool(a->type, b->type, Py_EQ);
    if (same > 0)
        same = PyObject_RichCompareBool(a->value, b->value, Py_EQ);
    return same < 0 ? NULL : PyBool_FromLong(same == (operation == Py_EQ));
}

/* Only the type's name: the value may have none. */
static Py_hash_t instance_hash(PyObject *self) { return PyObject_Hash(((struct instance *)self)->type); }

static PyObject *instance_repr(PyObject *self) {
    const struct instance *instance = (struct instance *)self;
    return PyUnicode_FromFormat("<%U %R>", instance->type, instance->value ? instance->value : Py_None);
}

static PyMemberDef INSTANCE_MEMBERS[] = {
    {"type", T_OBJECT, offsetof(struct instance, type), READONLY, NULL},
    {"value", T_OBJECT, offsetof(struct instance, value), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot INSTANCE_SLOTS[] = {
    {Py_tp_new, instance_new},
    {Py_tp_dealloc, instance_dealloc},
    {Py_tp_traverse, instance_traverse},
    {Py_tp_clear, instance_clear},
    {Py_tp_richcompare, instance_compare},
    {Py_tp_hash, instance_hash},
    {Py_tp_repr, instance_repr},
    {Py_tp_members, INSTANCE_MEMBERS},
    {Py_tp_doc, "Something in a scope or event that is not exactly of a plain type. Compares by type name and value."},
    {0, NULL},
};

PyType_Spec values_instance_spec = {
    .name = "bridgecheck.conformance._player.Instance",
    .basicsize = sizeof(struct instance),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = INSTANCE_SLOTS,
};

static PyObject *named(struct binding_state *state, const char *type) {
    PyObject *name = PyUnicode_FromString(type);
    PyObject *instance = name ? make_instance(state->instance_type, name, Py_None) : NULL;
    Py_XDECREF(name);
    return instance;
}

static PyObject *broken(struct binding_state *state) { return named(state, "(broken)"); }

static PyObject *text(struct binding_state *state, const char *data, size_t size) { return shared_text(&state->shared, data, size); }

static PyObject *bytes(struct binding_state *state, const char *data, size_t size) { return shared_bytes(&state->shared, data, size); }

static PyObject *big_int(struct binding_state *state, const struct trace_token *token) {
    char *digits = PyMem_Malloc(token->size + 1);
    if (!digits)
        return PyErr_NoMemory();
    memcpy(digits, token->data, token->size);
    digits[token->size] = 0;
    PyObject *number = PyLong_FromString(digits, NULL, 0);
    PyMem_Free(digits);
    if (number || !PyErr_ExceptionMatches(PyExc_ValueError))
        return number;
    PyErr_Clear();
    return broken(state);
}

/* What was too long to be traced whole; `first` and `last` are str for a str. */
static PyObject *long_value(struct binding_state *state, const struct trace_token *token) {
    bool is_text = token->kind == TRACE_TOKEN_LONG_TEXT;
    PyObject *value = PyDict_New();
    if (value && !binding_put(value, state->length, PyLong_FromUnsignedLongLong(token->total)) &&
        !binding_put(value, state->hash, PyLong_FromUnsignedLongLong(token->hash)) &&
        !binding_put(value, state->first, is_text ? text(state, token->data, token->size) : bytes(state, token->data, token->size)) &&
        !binding_put(value, state->last, is_text ? text(state, token->last, token->size) : bytes(state, token->last, token->size)))
        return value;
    Py_XDECREF(value);
    return NULL;
}

static PyObject *list(struct binding_state *state, struct trace_cursor *cursor, uint32_t count) {
    PyObject *values = PyList_New((Py_ssize_t)count);
    for (uint32_t i = 0; values && i < count; i++) {
        PyObject *value = values_next(state, cursor);
        if (value)
            PyList_SET_ITEM(values, (Py_ssize_t)i, value);
        else
            Py_CLEAR(values);
    }
    return values;
}

static PyObject *tuple(struct binding_state *state, struct trace_cursor *cursor, uint32_t count) {
    if (count == 2) {
        PyObject *one = values_next(state, cursor);
        return shared_pair(&state->shared, one, one ? values_next(state, cursor) : NULL);
    }
    PyObject *values = PyTuple_New((Py_ssize_t)count);
    for (uint32_t i = 0; values && i < count; i++) {
        PyObject *value = values_next(state, cursor);
        if (value)
            PyTuple_SET_ITEM(values, (Py_ssize_t)i, value);
        else
            Py_CLEAR(values);
    }
    return values;
}

/* A key that Python would not take as one (only a file that lies has those) stands as its repr. */
static int put_any(PyObject *dict, PyObject *key, PyObject *value) {
    if (!PyDict_SetItem(dict, key, value))
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_TypeError))
        return -1;
    PyErr_Clear();
    PyObject *shown = PyObject_Repr(key);
    int failed = shown ? PyDict_SetItem(dict, shown, value) : -1;
    Py_XDECREF(shown);
    return failed;
}

static PyObject *dict(struct binding_state *state, struct trace_cursor *cursor, uint32_t count) {
    PyObject *values = PyDict_New();
    for (uint32_t i = 0; values && i < count; i++) {
        PyObject *key = values_next(state, cursor);
        PyObject *value = key ? values_next(state, cursor) : NULL;
        if (!value || put_any(values, key, value))
            Py_CLEAR(values);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return values;
}

static PyObject *instance(struct binding_state *state, struct trace_cursor *cursor, const struct trace_token *token) {
    PyObject *type = text(state, token->data, token->size);
    PyObject *value = type ? (token->kind == TRACE_TOKEN_INSTANCE ? values_next(state, cursor) : Py_NewRef(Py_None)) : NULL;
    PyObject *made = value ? make_instance(state->instance_type, type, value) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(value);
    return made;
}

PyObject *values_next(struct binding_state *state, struct trace_cursor *cursor) {
    struct trace_token token;
    if (trace_value_next(cursor, &token) != 1)
        return broken(state);
    switch (token.kind) {
    case TRACE_TOKEN_NONE:
        return Py_NewRef(Py_None);
    case TRACE_TOKEN_BOOL:
        return PyBool_FromLong(token.truth);
    case TRACE_TOKEN_INT:
        return PyLong_FromLongLong(token.integer);
    case TRACE_TOKEN_BIG_INT:
        return big_int(state, &token);
    case TRACE_TOKEN_FLOAT:
        return PyFloat_FromDouble(token.number);
    case TRACE_TOKEN_TEXT:
        return text(state, token.data, token.size);
    case TRACE_TOKEN_BYTES:
        return bytes(state, token.data, token.size);
    case TRACE_TOKEN_LONG_TEXT:
    case TRACE_TOKEN_LONG_BYTES:
        return long_value(state, &token);
    case TRACE_TOKEN_LIST:
        return list(state, cursor, token.count);
    case TRACE_TOKEN_TUPLE:
        return tuple(state, cursor, token.count);
    case TRACE_TOKEN_DICT:
        return dict(state, cursor, token.count);
    case TRACE_TOKEN_INSTANCE:
    case TRACE_TOKEN_OBJECT:
        return instance(state, cursor, &token);
    case TRACE_TOKEN_CUT:
        return named(state, "(cut)");
    }
    return broken(state);
}
