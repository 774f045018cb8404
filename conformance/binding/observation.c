#define PY_SSIZE_T_CLEAN /* the "#" of a format counts in Py_ssize_t */
#include <Python.h>

#include "observation.h"

#include "values.h"

static PyObject *word(struct binding_state *state, const char *text) { return shared_text(&state->shared, text, strlen(text)); }

static PyObject *bytes_at(struct binding_state *state, const struct response_head *head, uint32_t place, uint32_t size) {
    return shared_bytes(&state->shared, response_text(head, place), size);
}

static PyObject *fields_of(struct binding_state *state, const struct response_head *head, size_t first, size_t count) {
    PyObject *fields = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; fields && i < count; i++) {
        const struct response_field *field = &head->fields[first + i];
        PyObject *name = bytes_at(state, head, field->name, field->name_size);
        PyObject *pair = shared_pair(&state->shared, name, name ? bytes_at(state, head, field->value, field->value_size) : NULL);
        if (pair)
            PyList_SET_ITEM(fields, (Py_ssize_t)i, pair);
        else
            Py_CLEAR(fields);
    }
    return fields;
}

static PyObject *interim_of(struct binding_state *state, const struct response *response) {
    PyObject *interims = PyList_New(0);
    for (size_t i = 0; interims && i < response->interim_count; i++) {
        const struct response_head *head = &response->interim[i];
        PyObject *interim = PyDict_New();
        if (interim && (binding_put(interim, state->status, PyLong_FromUnsignedLong(head->status)) ||
                        binding_put(interim, state->reason, bytes_at(state, head, head->reason, head->reason_size)) ||
                        binding_put(interim, state->fields, fields_of(state, head, 0, head->field_count))))
            Py_CLEAR(interim);
        if (binding_append(interims, interim))
            Py_CLEAR(interims);
    }
    return interims;
}

static PyObject *body_of(struct binding_state *state, uint64_t size, uint64_t hash, const char *content, size_t kept) {
    PyObject *body = PyDict_New();
    if (body && !binding_put(body, state->length, PyLong_FromUnsignedLongLong(size)) &&
        !binding_put(body, state->hash, PyLong_FromUnsignedLongLong(hash)) &&
        !binding_put(body, state->bytes, PyBytes_FromStringAndSize(content, (Py_ssize_t)kept)))
        return body;
    Py_XDECREF(body);
    return NULL;
}

static PyObject *version_of(struct binding_state *state, const struct response_head *head) {
    char version[24];
    snprintf(version, sizeof version, "%u.%u", head->version_major, head->version_minor);
    return word(state, version);
}

static PyObject *response_of(struct binding_state *state, const struct response *response) {
    const struct response_head *head = &response->head;
    PyObject *dict = PyDict_New();
    if (dict && !binding_put(dict, state->version, version_of(state, head)) &&
        !binding_put(dict, state->status, PyLong_FromUnsignedLong(head->status)) &&
        !binding_put(dict, state->reason, bytes_at(state, head, head->reason, head->reason_size)) &&
        !binding_put(dict, state->fields, fields_of(state, head, 0, head->field_count)) &&
        !binding_put(dict, state->interim, interim_of(state, response)) &&
        !binding_put(dict, state->framing, word(state, response_framing_name(response->framing))) &&
        !binding_put(dict, state->pieces, PyLong_FromSize_t(response->pieces)) &&
        !binding_put(dict, state->body,
                     body_of(state, response->content_size, response->content_hash, response->content, response->content_kept)) &&
        !binding_put(dict, state->complete, PyBool_FromLong(response->complete)) &&
        !binding_put(dict, state->trailers, fields_of(state, head, head->field_count, head->trailer_count)))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

static PyObject *responses_of(struct binding_state *state, const struct response_reader *reader) {
    PyObject *responses = PyList_New(0);
    for (size_t i = 0; responses && i < reader->count; i++)
        if (binding_append(responses, response_of(state, &reader->responses[i])))
            Py_CLEAR(responses);
    return responses;
}

static PyObject *message_of(struct binding_state *state, const struct websocket_message *message) {
    PyObject *dict = PyDict_New();
    if (dict && !binding_put(dict, state->opcode, PyLong_FromUnsignedLong(message->opcode)) &&
        !binding_put(dict, state->frames, PyLong_FromUnsignedLongLong(message->frames)) &&
        !binding_put(dict, state->compressed, PyBool_FromLong(message->compressed)) &&
        !binding_put(dict, state->complete, PyBool_FromLong(message->complete)) &&
        !binding_put(dict, state->body,
                     body_of(state, message->content_size, message->content_hash, message->content, message->content_kept)))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

static PyObject *messages_of(struct binding_state *state, const struct websocket_reader *reader) {
    PyObject *messages = PyList_New(0);
    for (size_t i = 0; messages && i < reader->count; i++)
        if (binding_append(messages, message_of(state, &reader->messages[i])))
            Py_CLEAR(messages);
    return messages;
}

static PyObject *faults_of(const struct websocket_reader *reader) {
    PyObject *faults = PyDict_New();
    for (unsigned i = 0; faults && i < WEBSOCKET_FAULTS; i++) {
        PyObject *count = reader->faults[i] ? PyLong_FromUnsignedLongLong(reader->faults[i]) : NULL;
        if (reader->faults[i] && (!count || PyDict_SetItemString(faults, websocket_fault_name(i), count)))
            Py_CLEAR(faults);
        Py_XDECREF(count);
    }
    return faults;
}

/* The key of the handshake, which is the last request whose head was sent. */
static PyObject *key_of(const struct requests *requests) {
    size_t count = requests->count;
    while (count > 0 && !requests->requests[count - 1].key_size)
        count--;
    return count ? PyBytes_FromStringAndSize(requests->requests[count - 1].key, (Py_ssize_t)requests->requests[count - 1].key_size)
                 : PyBytes_FromStringAndSize("", 0);
}

static PyObject *websocket_of(struct binding_state *state, const struct connection *connection) {
    if (!connection->upgraded)
        return Py_NewRef(Py_None);
    const struct websocket_reader *reader = &connection->websocket;
    PyObject *dict = PyDict_New();
    if (dict && !binding_put(dict, state->key, key_of(&connection->requests)) &&
        !binding_put(dict, state->messages, messages_of(state, reader)) && !binding_put(dict, state->faults, faults_of(reader)) &&
        !binding_put(dict, state->error, word(state, reader->error)))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

static PyObject *name_of(const struct script_connection *at) {
    return PyUnicode_DecodeUTF8(at->name->data, (Py_ssize_t)at->name->size, "replace");
}

static PyObject *connection_of(struct binding_state *state, const struct script_connection *at) {
    static const char *const ENDS[] = {
        [SCRIPT_END_UNDECIDED] = "silent", [SCRIPT_END_OPEN] = "open",     [SCRIPT_END_CLOSED] = "closed",
        [SCRIPT_END_RESET] = "reset",      [SCRIPT_END_SILENT] = "silent", [SCRIPT_END_OURS] = "ours",
    };
    const struct connection *connection = at->connection;
    const struct response_reader *reader = &connection->responses;
    PyObject *dict = PyDict_New();
    if (dict && !binding_put(dict, state->name, name_of(at)) &&
        !binding_put(dict, state->opened, PyBool_FromLong(connection->state == CONNECTION_OPEN || connection->state == CONNECTION_OURS)) &&
        !binding_put(dict, state->responses, responses_of(state, reader)) && !binding_put(dict, state->error, word(state, reader->error)) &&
        !binding_put(dict, state->client_port, PyLong_FromLong(connection->source_port)) &&
        !binding_put(dict, state->stray, PyLong_FromUnsignedLongLong(reader->stray)) &&
        !binding_put(dict, state->websocket, websocket_of(state, connection)) &&
        !binding_put(dict, state->rest, PyBytes_FromStringAndSize(reader->rest, (Py_ssize_t)reader->rest_size)) &&
        !binding_put(dict, state->end, word(state, ENDS[at->end])))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

/* Values of a payload, one after another. */
struct payload {
    struct binding_state *state;
    struct trace_cursor cursor;
};

static PyObject *next_value(struct payload *payload) { return values_next(payload->state, &payload->cursor); }

/* {"type", "message", "base"} of a payload [type name, message, base]. */
static PyObject *raised_of(struct payload *payload) {
    struct binding_state *state = payload->state;
    PyObject *list = next_value(payload), *raised = list ? PyDict_New() : NULL;
    bool whole = list && PyList_CheckExact(list) && PyList_GET_SIZE(list) == 3;
    if (raised && (binding_put(raised, state->type, Py_NewRef(whole ? PyList_GET_ITEM(list, 0) : list)) ||
                   binding_put(raised, state->message, whole ? Py_NewRef(PyList_GET_ITEM(list, 1)) : PyUnicode_FromString("")) ||
                   binding_put(raised, state->base, Py_NewRef(whole ? PyList_GET_ITEM(list, 2) : list))))
        Py_CLEAR(raised);
    Py_XDECREF(list);
    return raised;
}

static PyObject *event_of(struct payload *payload, const struct trace_record *record) {
    static const char *const KINDS[] = {[TRACE_RECEIVED] = "received",
                                        [TRACE_RECEIVE_RAISED] = "receive raised",
                                        [TRACE_SEND] = "send",
                                        [TRACE_SENT] = "sent",
                                        [TRACE_SEND_RAISED] = "send raised"};
    struct binding_state *state = payload->state;
    PyObject *event = PyDict_New();
    int failed = event ? binding_put(event, state->kind, word(state, KINDS[record->kind])) : -1;
    if (!failed && (record->kind == TRACE_RECEIVED || record->kind == TRACE_SEND))
        failed = binding_put(event, state->event, next_value(payload)) ||
                 binding_put(event, state->total, PyLong_FromUnsignedLongLong(record->stream_total)) ||
                 binding_put(event, state->hash, PyLong_FromUnsignedLongLong(record->stream_hash));
    else if (!failed && record->kind == TRACE_SENT)
        failed = binding_put(event, state->result, next_value(payload));
    else if (!failed)
        failed = binding_put(event, state->raised, raised_of(payload));
    if (failed)
        Py_CLEAR(event);
    return event;
}

/* Add what a record tells to the call. */
static int add_record(struct binding_state *state, PyObject *dict, PyObject *events, const struct trace_record *record, const char *bytes) {
    struct payload payload = {.state = state};
    trace_value_start(&payload.cursor, bytes, record->payload);
    switch (record->kind) {
    case TRACE_CALL:
        return binding_put(dict, state->scope, next_value(&payload)) || binding_put(dict, state->properties, next_value(&payload));
    case TRACE_RECEIVED:
    case TRACE_RECEIVE_RAISED:
    case TRACE_SEND:
    case TRACE_SENT:
    case TRACE_SEND_RAISED:
        return binding_append(events, event_of(&payload, record));
    case TRACE_RETURNED:
        return binding_put(dict, state->end, word(state, "returned")) || binding_put(dict, state->result, next_value(&payload));
    case TRACE_RAISED:
        return binding_put(dict, state->end, word(state, "raised")) || binding_put(dict, state->raised, raised_of(&payload));
    default:
        return 0; /* a kind of a later recorder */
    }
}

/* CONNECTION is taken. */
static PyObject *call_of(struct binding_state *state, const struct call *call, PyObject *connection, bool before_last_byte) {
    const struct trace_record *record;
    const char *bytes;
    size_t place = 0;
    PyObject *dict = PyDict_New(), *events = dict ? PyList_New(0) : NULL;
    int failed = !events || binding_put(dict, state->connection, Py_XNewRef(connection)) ||
                 binding_put(dict, state->scope, Py_NewRef(Py_None)) || binding_put(dict, state->properties, PyDict_New()) ||
                 binding_put(dict, state->events, Py_NewRef(events)) || binding_put(dict, state->end, word(state, "still running")) ||
                 binding_put(dict, state->result, Py_NewRef(Py_None)) || binding_put(dict, state->raised, Py_NewRef(Py_None)) ||
                 binding_put(dict, state->before_last_byte, PyBool_FromLong(before_last_byte)) ||
                 binding_put(dict, state->pid, PyLong_FromUnsignedLong(call->pid));
    while (!failed && (record = call_next(call, &place, &bytes)))
        failed = add_record(state, dict, events, record, bytes);
    Py_XDECREF(events);
    Py_XDECREF(connection);
    if (failed)
        Py_CLEAR(dict);
    return dict;
}

static uint64_t last_byte(const struct response_reader *reader) {
    return reader->count ? reader->responses[reader->count - 1].last_byte : 0;
}

static PyObject *calls_of(struct binding_state *state, const struct script *script) {
    PyObject *calls = PyList_New(0);
    for (size_t i = 0; i < script->connection_count; i++) {
        const struct script_connection *at = &script->connections[i];
        for (const struct call *call = script->claimant.calls.first; calls && call; call = call->next) {
            if (call->connection != i)
                continue;
            bool before = call->ended && call->ended_at < last_byte(&at->connection->responses);
            PyObject *name = name_of(at);
            if (binding_append(calls, name ? call_of(state, call, name, before) : NULL))
                Py_CLEAR(calls);
        }
    }
    return calls;
}

PyObject *observation_calls(struct binding_state *state, const struct calls_list *list) {
    PyObject *calls = PyList_New(0);
    for (const struct call *call = list->first; calls && call; call = call->next)
        if (binding_append(calls, call_of(state, call, PyUnicode_FromStringAndSize("", 0), false)))
            Py_CLEAR(calls);
    return calls;
}

static PyObject *steps_of(const struct script *script) {
    PyObject *steps = PyList_New(0);
    for (size_t i = 0; steps && i < script->note_count; i++)
        if (binding_append(steps, Py_BuildValue("(Is)", script->notes[i].line, script->notes[i].fault)))
            Py_CLEAR(steps);
    return steps;
}

static PyObject *connections_of(struct binding_state *state, const struct script *script) {
    PyObject *connections = PyList_New(0);
    for (size_t i = 0; connections && i < script->connection_count; i++)
        if (binding_append(connections, connection_of(state, &script->connections[i])))
            Py_CLEAR(connections);
    return connections;
}

PyObject *observation_of(struct binding_state *state, const struct script *script) {
    PyObject *observation = PyDict_New();
    if (observation && !binding_put(observation, state->connections, connections_of(state, script)) &&
        !binding_put(observation, state->calls, calls_of(state, script)) && !binding_put(observation, state->steps, steps_of(script)) &&
        !binding_put(observation, state->settled, PyBool_FromLong(script->settled)))
        return observation;
    Py_XDECREF(observation);
    return NULL;
}
