#include "scope.h"

#include <string.h>

static const char FORWARDED_FOR[] = "x-forwarded-for";
static const char FORWARDED_PROTO[] = "x-forwarded-proto";

/* (host, port), or for a Unix socket (path, None) where it is the server's own, else None. */
static PyObject *address(const struct connection *connection, bool own) {
    struct address found;
    int error = own ? connection_local_address(connection, &found) : connection_peer_address(connection, &found);
    if (error != 0)
        Py_RETURN_NONE;
    if (found.port >= 0)
        return Py_BuildValue("(si)", found.host, found.port);
    if (!own || found.host[0] == '\0')
        Py_RETURN_NONE;
    PyObject *path = PyUnicode_DecodeFSDefault(found.host);
    return path ? Py_BuildValue("(NO)", path, Py_None) : NULL;
}

PyObject *scope_template(struct state *state, const struct scope_parts *parts, const struct connection *connection) {
    PyObject *client = NULL, *server = address(connection, true);
    if (server)
        client = address(connection, false);
    PyObject *template = client ? PyDict_New() : NULL;
    PyObject *const entries[][2] = {
        {state->type, state->http},
        {state->asgi, Py_None},
        {state->http_version, state->HTTP_1_1},
        {state->server, server},
        {state->client, client},
        {state->scheme, state->http},
        {state->root_path, parts->root_path},
        {state->headers, Py_None},
        {state->state, Py_None},
        {state->method, Py_None},
        {state->path, Py_None},
        {state->raw_path, Py_None},
        {state->query_string, Py_None},
    };
    for (size_t i = 0; template && i < sizeof entries / sizeof *entries; i++)
        if (PyDict_SetItem(template, entries[i][0], entries[i][1]) != 0)
            Py_CLEAR(template);
    Py_XDECREF(server);
    Py_XDECREF(client);
    return template;
}

static int unhex(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Percent-decoded once, as UTF-8 with U+FFFD for what is none; a malformed escape stays as it is. */
static PyObject *decoded(const char *path, size_t size) {
    if (!memchr(path, '%', size))
        return PyUnicode_DecodeASCII(path, (Py_ssize_t)size, NULL);
    char *octets = PyMem_Malloc(size);
    if (!octets)
        return PyErr_NoMemory();
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        int high = path[i] == '%' && i + 2 < size ? unhex(path[i + 1]) : -1;
        int low = high >= 0 ? unhex(path[i + 2]) : -1;
        if (low >= 0) {
            octets[count++] = (char)(high << 4 | low);
            i += 2;
        } else {
            octets[count++] = path[i];
        }
    }
    PyObject *text = PyUnicode_DecodeUTF8(octets, (Py_ssize_t)count, "replace");
    PyMem_Free(octets);
    return text;
}

static PyObject *path_of(const struct scope_parts *parts, const struct target *target) {
    PyObject *path = decoded(target->path, target->path_size);
    if (!path || PyUnicode_GET_LENGTH(parts->root_path) == 0)
        return path;
    PyObject *whole = PyUnicode_Concat(parts->root_path, path);
    Py_DECREF(path);
    return whole;
}

static PyObject *raw_path_of(const struct scope_parts *parts, const struct target *target) {
    Py_ssize_t root = PyUnicode_GET_LENGTH(parts->root_path);
    PyObject *whole = PyBytes_FromStringAndSize(NULL, root + (Py_ssize_t)target->path_size);
    if (whole) {
        memcpy(PyBytes_AS_STRING(whole), PyUnicode_DATA(parts->root_path), (size_t)root);
        memcpy(PyBytes_AS_STRING(whole) + root, target->path, target->path_size);
    }
    return whole;
}

static PyObject *headers_of(struct state *state, const struct request_head *head, bool *forwarded) {
    PyObject *list = PyList_New((Py_ssize_t)head->field_count);
    for (size_t i = 0; list && i < head->field_count; i++) {
        const struct request_field *field = &head->fields[i];
        const char *name_text = head->text + field->name;
        PyObject *name = state_field_name(state, name_text, field->name_size);
        PyObject *value = PyBytes_FromStringAndSize(head->text + field->value, (Py_ssize_t)field->value_size);
        PyObject *pair = name && value ? PyTuple_New(2) : NULL;
        if (!pair) {
            Py_XDECREF(name);
            Py_XDECREF(value);
            Py_CLEAR(list);
            break;
        }
        PyTuple_SET_ITEM(pair, 0, name);
        PyTuple_SET_ITEM(pair, 1, value);
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
        if ((field->name_size == sizeof FORWARDED_FOR - 1 && memcmp(name_text, FORWARDED_FOR, field->name_size) == 0) ||
            (field->name_size == sizeof FORWARDED_PROTO - 1 && memcmp(name_text, FORWARDED_PROTO, field->name_size) == 0))
            *forwarded = true;
    }
    return list;
}

/* Takes VALUE. */
static bool put(PyObject *scope, PyObject *key, PyObject *value) {
    bool done = value && PyDict_SetItem(scope, key, value) == 0;
    Py_XDECREF(value);
    return done;
}

PyObject *scope_new(struct state *state, const struct scope_parts *parts, PyObject *template, const struct request_head *head,
                    bool *forwarded) {
    *forwarded = false;
    PyObject *scope = PyDict_Copy(template);
    const struct target *target = &head->target;
    if (scope && put(scope, state->asgi, PyDict_Copy(parts->asgi)) && put(scope, state->headers, headers_of(state, head, forwarded)) &&
        put(scope, state->state, PyDict_Copy(parts->state)) && put(scope, state->method, state_method(state, head->method)) &&
        put(scope, state->path, path_of(parts, target)) && put(scope, state->raw_path, raw_path_of(parts, target)) &&
        put(scope, state->query_string, PyBytes_FromStringAndSize(target->query, (Py_ssize_t)target->query_size)) &&
        (head->minor == 1 || PyDict_SetItem(scope, state->http_version, state->HTTP_1_0) == 0))
        return scope;
    Py_XDECREF(scope);
    return NULL;
}

/* --- WebSocket ------------------------------------------------------------------------------------------------------------------------ */

static bool add_protocols(PyObject *list, const char *value, size_t size) {
    for (size_t start = 0; start <= size;) {
        const char *comma = memchr(value + start, ',', size - start);
        size_t end = comma ? (size_t)(comma - value) : size, next = end + 1;
        while (start < end && (value[start] == ' ' || value[start] == '\t'))
            start++;
        while (end > start && (value[end - 1] == ' ' || value[end - 1] == '\t'))
            end--;
        PyObject *protocol = PyUnicode_DecodeLatin1(value + start, (Py_ssize_t)(end - start), NULL);
        bool added = protocol && PyList_Append(list, protocol) == 0;
        Py_XDECREF(protocol);
        if (!added)
            return false;
        start = next;
    }
    return true;
}

/* What the client offers in all lines, empty elements of the list included, as under uvicorn. */
static PyObject *protocols_of(const struct request_head *head) {
    static const char NAME[] = "sec-websocket-protocol";
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < head->field_count; i++) {
        const struct request_field *field = &head->fields[i];
        if (field->name_size == sizeof NAME - 1 && memcmp(head->text + field->name, NAME, field->name_size) == 0 &&
            !add_protocols(list, head->text + field->value, field->value_size))
            Py_CLEAR(list);
    }
    return list;
}

PyObject *scope_websocket(struct state *state, const struct scope_parts *parts, PyObject *asgi, PyObject *template,
                          const struct request_head *head, bool *forwarded) {
    *forwarded = false;
    PyObject *scope = PyDict_New();
    const struct target *target = &head->target;
    PyObject *server = PyDict_GetItemWithError(template, state->server), *client = PyDict_GetItemWithError(template, state->client);
    if (scope && server && client && put(scope, state->type, Py_NewRef(state->websocket)) && put(scope, state->asgi, PyDict_Copy(asgi)) &&
        put(scope, state->http_version, Py_NewRef(state->HTTP_1_1)) && put(scope, state->scheme, Py_NewRef(state->ws)) &&
        put(scope, state->server, Py_NewRef(server)) && put(scope, state->client, Py_NewRef(client)) &&
        put(scope, state->root_path, Py_NewRef(parts->root_path)) && put(scope, state->path, path_of(parts, target)) &&
        put(scope, state->raw_path, raw_path_of(parts, target)) &&
        put(scope, state->query_string, PyBytes_FromStringAndSize(target->query, (Py_ssize_t)target->query_size)) &&
        put(scope, state->headers, headers_of(state, head, forwarded)) && put(scope, state->subprotocols, protocols_of(head)) &&
        put(scope, state->state, PyDict_Copy(parts->state)) &&
        put(scope, state->extensions, Py_BuildValue("{O{}}", state->websocket_http_response)))
        return scope;
    Py_XDECREF(scope);
    return NULL;
}
