#include "event.h"

#include <string.h>

#include "field.h"
#include "server_object.h"
#include "state.h"

/* --- receive -------------------------------------------------------------------------------------------------------------------------- */

PyObject *event_received(struct cycle_object *cycle) {
    struct state *state = cycle->server->state;
    struct cycle *core = &cycle->cycle;
    cycle->message = false;
    if (cycle_is_over(core))
        return PyDict_Copy(state->disconnect_event);
    PyObject *event = PyDict_Copy(state->request_event);
    if (event && core->body.size > 0) {
        PyObject *body = PyBytes_FromStringAndSize(buffer_bytes(&core->body), (Py_ssize_t)core->body.size);
        if (!body || PyDict_SetItem(event, state->body, body) != 0)
            Py_CLEAR(event);
        else
            buffer_free(&core->body, cycle->server->core.kit.allocator);
        Py_XDECREF(body);
    }
    if (event && core->more_body && PyDict_SetItem(event, state->more_body, Py_True) != 0)
        Py_CLEAR(event);
    return event;
}

/* --- send ----------------------------------------------------------------------------------------------------------------------------- */

/* New reference: message[KEY]. */
static PyObject *item(PyObject *message, PyObject *key) {
    if (!PyDict_CheckExact(message))
        return PyObject_GetItem(message, key);
    PyObject *found = PyDict_GetItemWithError(message, key);
    if (!found && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, key);
    return Py_XNewRef(found);
}

/* message.get(KEY), or NULL in *FOUND where it is not there. New reference. -1 with an exception. */
static int optional(struct state *state, PyObject *message, PyObject *key, PyObject **found) {
    if (PyDict_CheckExact(message)) {
        *found = Py_XNewRef(PyDict_GetItemWithError(message, key));
        return PyErr_Occurred() ? -1 : 0;
    }
    static const char absent = 0; /* no object a mapping could hold has this address */
    PyObject *default_ = PyCapsule_New((void *)(uintptr_t)&absent, NULL, NULL);
    PyObject *value = default_ ? PyObject_CallMethodObjArgs(message, state->get, key, default_, NULL) : NULL;
    *found = value == default_ ? NULL : Py_XNewRef(value);
    Py_XDECREF(value);
    Py_XDECREF(default_);
    return value ? 0 : -1;
}

static int refuse_type(const char *expected, PyObject *type) {
    PyErr_Format(PyExc_RuntimeError, "Expected ASGI message '%s', but got '%S'.", expected, type);
    return -1;
}

/* Whether TYPE is the text NAME; -1 with an exception. */
static int is_type(PyObject *type, PyObject *name) { return type == name ? 1 : PyObject_RichCompareBool(type, name, Py_EQ); }

static int raise_fault(enum response_fault fault, const struct response_field *field) {
    switch (fault) {
    case RESPONSE_OK:
        return 0;
    case RESPONSE_NAME_INVALID:
        PyErr_SetString(PyExc_RuntimeError, "Invalid HTTP header name.");
        break;
    case RESPONSE_VALUE_INVALID:
        PyErr_SetString(PyExc_RuntimeError, "Invalid HTTP header value.");
        break;
    case RESPONSE_LENGTH_INVALID: {
        PyObject *value = PyUnicode_DecodeUTF8(field->value, (Py_ssize_t)field->value_size, NULL);
        if (value)
            PyErr_Format(PyExc_ValueError, "invalid literal for int() with base 10: %R", value);
        Py_XDECREF(value);
        break;
    }
    case RESPONSE_LENGTHS_DIFFER:
        PyErr_SetString(PyExc_RuntimeError, "Conflicting Content-Length headers.");
        break;
    case RESPONSE_STATUS_INVALID: /* looked up before */
    case RESPONSE_STATUS_INTERIM:
        PyErr_SetString(PyExc_RuntimeError, "A 1xx status is interim and cannot be that of a response.");
        break;
    case RESPONSE_CONTENT_TOO_LONG:
        PyErr_SetString(PyExc_RuntimeError, "Response content longer than Content-Length");
        break;
    case RESPONSE_CONTENT_TOO_SHORT:
        PyErr_SetString(PyExc_RuntimeError, "Response content shorter than Content-Length");
        break;
    case RESPONSE_NO_MEMORY:
        PyErr_NoMemory();
        break;
    }
    return -1;
}

/* New reference: `list(message.get("headers", []))`, or what needs no copy. */
static PyObject *pairs_of(struct state *state, PyObject *message) {
    PyObject *headers;
    if (optional(state, message, state->headers, &headers) != 0)
        return NULL;
    if (!headers)
        return PyList_New(0);
    if (PyList_CheckExact(headers))
        return headers;
    PyObject *pairs = PySequence_List(headers);
    Py_DECREF(headers);
    return pairs;
}

/* Whichever type KEY has: a tuple is no list of arguments. */
static void raise_key_error(PyObject *key) {
    PyObject *error = PyObject_CallOneArg(PyExc_KeyError, key);
    if (error)
        PyErr_SetObject(PyExc_KeyError, error);
    Py_XDECREF(error);
}

/* The number and the phrase of a status, as uvicorn's table of status lines has them: 0, or -1 with its KeyError. */
static int status_of(struct server_object *server, PyObject *status, unsigned *number, const struct phrase **phrase) {
    PyObject *known = PyDict_GetItemWithError(server->statuses, status); /* by its value: True is 1, 200.0 is 200 */
    if (!known) {
        if (!PyErr_Occurred())
            raise_key_error(status);
        return -1;
    }
    *number = (unsigned)PyLong_AsLong(known);
    *phrase = &server->phrase[*number - 100];
    return 0;
}

/* FIELDS ends with one that could not be read, and that is what has been raised; but what was read may be at fault before. */
static void prefer_fault(struct cycle_object *cycle, const struct field_list *fields) {
    const struct allocator *allocator = cycle->server->core.kit.allocator;
    const struct response_defaults none = {0};
    struct response response = cycle->cycle.response;
    struct buffer nowhere = {0};
    enum response_fault fault = response_start(&response, &nowhere, allocator, 200, "", 0, &none, fields->at, fields->count);
    buffer_free(&nowhere, allocator);
    bool measured = fault == RESPONSE_LENGTH_INVALID || fault == RESPONSE_LENGTHS_DIFFER;
    if (fault == RESPONSE_OK || (measured && response.fault_field == fields->count - 1))
        return;
    PyErr_Clear();
    raise_fault(fault, &fields->at[response.fault_field]);
}

/* Takes PAIRS. */
static int start_with(struct cycle_object *cycle, PyObject *status, PyObject *pairs) {
    unsigned number = 0;
    const struct phrase *phrase = NULL;
    if (status_of(cycle->server, status, &number, &phrase) != 0) {
        Py_DECREF(pairs);
        return -1;
    }
    struct field_list fields;
    int error = field_list_read(&fields, pairs);
    if (error != 0)
        prefer_fault(cycle, &fields);
    else if (cycle->cycle.connection) { /* none: the access log's handler had time to see it go */
        enum response_fault fault = cycle_start(&cycle->cycle, number, phrase->text, phrase->size, fields.at, fields.count);
        error = raise_fault(fault, &fields.at[cycle->cycle.response.fault_field]);
    }
    field_list_free(&fields);
    return error;
}

static int send_start(struct cycle_object *cycle, PyObject *message) {
    struct state *state = cycle->server->state;
    cycle->cycle.response.started = true; /* there is no second try */
    cycle->cycle.awaits_continue = false;
    int error = -1;
    PyObject *status = item(message, state->status);
    PyObject *pairs = status ? pairs_of(state, message) : NULL;
    if (pairs) {
        error = 0;
        if (cycle->log_access) {
            PyObject *done = PyObject_CallFunctionObjArgs(cycle->server->log_access, cycle->scope, status, NULL);
            error = done ? 0 : -1;
            Py_XDECREF(done);
        }
        if (error == 0)
            error = start_with(cycle, status, Py_NewRef(pairs));
    }
    if (error != 0)
        cycle_not_started(&cycle->cycle);
    Py_XDECREF(status);
    Py_XDECREF(pairs);
    return error;
}

/* What is no bytes-like object, as uvicorn's own statements meet it. */
static int send_odd_content(struct cycle_object *cycle, PyObject *body, bool last) {
    const struct response *response = &cycle->cycle.response;
    PyErr_Clear();
    if (response->framing == RESPONSE_CHUNKED) {
        int truth = PyObject_IsTrue(body);
        if (truth == 0)
            return raise_fault(cycle_content(&cycle->cycle, NULL, 0, last), NULL);
        if (truth < 0 || PyObject_Size(body) < 0)
            return -1;
        PyErr_Format(PyExc_TypeError, "sequence item 1: expected a bytes-like object, %s found", Py_TYPE(body)->tp_name);
        return -1;
    }
    Py_ssize_t size = PyObject_Size(body);
    if (size < 0)
        return -1;
    if ((uint64_t)size > response->left && response->framing != RESPONSE_BY_CLOSE)
        return raise_fault(RESPONSE_CONTENT_TOO_LONG, NULL);
    if (size == 0) /* uvloop does not look at what is empty */
        return raise_fault(cycle_content(&cycle->cycle, NULL, 0, last), NULL);
    PyErr_Format(PyExc_TypeError, "memoryview: a bytes-like object is required, not '%s'", Py_TYPE(body)->tp_name);
    return -1;
}

static int send_content(struct cycle_object *cycle, PyObject *body, bool last) {
    if (cycle->cycle.response.head) /* never looked at */
        return raise_fault(cycle_content(&cycle->cycle, NULL, 0, last), NULL);
    if (PyBytes_CheckExact(body))
        return raise_fault(cycle_content(&cycle->cycle, PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body), last), NULL);
    Py_buffer view;
    if (PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) != 0)
        return send_odd_content(cycle, body, last);
    enum response_fault fault = cycle_content(&cycle->cycle, view.buf, (size_t)view.len, last);
    PyBuffer_Release(&view);
    return raise_fault(fault, NULL);
}

static int send_body(struct cycle_object *cycle, PyObject *message) {
    struct state *state = cycle->server->state;
    PyObject *body = NULL, *more = NULL;
    int truth = -1;
    if (optional(state, message, state->body, &body) == 0 && optional(state, message, state->more_body, &more) == 0)
        truth = more ? PyObject_IsTrue(more) : 0;
    int error = -1;
    if (truth >= 0)
        error = cycle->cycle.connection ? send_content(cycle, body ? body : state->empty_bytes, !truth) : 0;
    Py_XDECREF(body);
    Py_XDECREF(more);
    return error;
}

int event_sent(struct cycle_object *cycle, PyObject *message) {
    struct state *state = cycle->server->state;
    const struct response *response = &cycle->cycle.response;
    if (cycle->cycle.disconnected)
        return 0;
    PyObject *type = item(message, state->type);
    if (!type)
        return -1;
    int error = -1;
    if (response->complete) {
        PyErr_Format(PyExc_RuntimeError, "Unexpected ASGI message '%S' sent, after response already completed.", type);
    } else {
        PyObject *expected = response->started ? state->http_response_body : state->http_response_start;
        int fits = is_type(type, expected);
        if (fits == 0)
            error = refuse_type(response->started ? "http.response.body" : "http.response.start", type);
        else if (fits > 0)
            error = response->started ? send_body(cycle, message) : send_start(cycle, message);
    }
    Py_DECREF(type);
    return error;
}
