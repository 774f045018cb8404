#include "state.h"

#include <string.h>

#include "../core/server.h"

/* Fields that requests bring often: their names need no new object. */
static const char *const COMMON[] = {
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
};

static unsigned place(const char *name, size_t size) {
    const unsigned char *letters = (const unsigned char *)name;
    unsigned hash = (unsigned)size;
    hash = hash * 31 + letters[0];
    hash = hash * 31 + letters[size - 1];
    hash = hash * 31 + letters[size / 2];
    return hash % STATE_FIELD_NAMES;
}

static PyObject **find(struct state *state, const char *name, size_t size) {
    unsigned at = place(name, size);
    while (state->field_names[at] != NULL &&
           ((size_t)PyBytes_GET_SIZE(state->field_names[at]) != size || memcmp(PyBytes_AS_STRING(state->field_names[at]), name, size) != 0))
        at = (at + 1) % STATE_FIELD_NAMES;
    return &state->field_names[at];
}

PyObject *state_field_name(struct state *state, const char *name, size_t size) {
    PyObject *known = *find(state, name, size);
    return known ? Py_NewRef(known) : PyBytes_FromStringAndSize(name, (Py_ssize_t)size);
}

PyObject *state_method(struct state *state, uint8_t method) {
    PyObject **known = method < STATE_METHODS ? &state->methods[method] : NULL;
    if (known && *known)
        return Py_NewRef(*known);
    PyObject *name = PyUnicode_InternFromString(request_method_name(method));
    if (known && name)
        *known = Py_NewRef(name);
    return name;
}

int module_state_fill(struct state *state) {
#define X(name, text)                                                                                                                      \
    if (!(state->name = PyUnicode_InternFromString(text)))                                                                                 \
        return -1;
    STATE_NAMES(X)
#undef X
    for (size_t i = 0; i < sizeof COMMON / sizeof *COMMON; i++) {
        size_t size = strlen(COMMON[i]);
        if (!(*find(state, COMMON[i], size) = PyBytes_FromStringAndSize(COMMON[i], (Py_ssize_t)size)))
            return -1;
    }
    if (!(state->empty_bytes = PyBytes_FromStringAndSize(NULL, 0)))
        return -1;
    state->request_event =
        Py_BuildValue("{OOOOOO}", state->type, state->http_request, state->body, state->empty_bytes, state->more_body, Py_False);
    state->disconnect_event = Py_BuildValue("{OO}", state->type, state->http_disconnect);
    state->context_keyword = PyTuple_Pack(1, state->context);
    return state->request_event && state->disconnect_event && state->context_keyword ? 0 : -1;
}

int module_state_visit(struct state *state, visitproc visit, void *arg) {
    Py_VISIT(state->server_type);
    Py_VISIT(state->cycle_type);
    Py_VISIT(state->session_type);
    Py_VISIT(state->request_event);
    Py_VISIT(state->disconnect_event);
    return 0;
}

void module_state_clear(struct state *state) {
    Py_CLEAR(state->server_type);
    Py_CLEAR(state->cycle_type);
    Py_CLEAR(state->session_type);
#define X(name, text) Py_CLEAR(state->name);
    STATE_NAMES(X)
#undef X
    Py_CLEAR(state->empty_bytes);
    Py_CLEAR(state->request_event);
    Py_CLEAR(state->disconnect_event);
    Py_CLEAR(state->context_keyword);
    for (size_t i = 0; i < STATE_METHODS; i++)
        Py_CLEAR(state->methods[i]);
    for (size_t i = 0; i < STATE_FIELD_NAMES; i++)
        Py_CLEAR(state->field_names[i]);
}
