/* state.h: what the module keeps for as long as it lives: its types, and Python objects that every request needs again.
 *
 * Owns them from module_state_fill() to module_state_clear(). One per interpreter; reached by PyModule_GetState() and
 * PyType_GetModuleState().
 */
#ifndef BRIDGE_STATE_H
#define BRIDGE_STATE_H

#include <Python.h>

#include <stddef.h>
#include <stdint.h>

/* Interned texts, by their own letters; a dot reads as an underscore. */
#define STATE_NAMES(X)                                                                                                                     \
    X(type, "type")                                                                                                                        \
    X(asgi, "asgi")                                                                                                                        \
    X(http_version, "http_version")                                                                                                        \
    X(server, "server")                                                                                                                    \
    X(client, "client")                                                                                                                    \
    X(scheme, "scheme")                                                                                                                    \
    X(root_path, "root_path")                                                                                                              \
    X(headers, "headers")                                                                                                                  \
    X(state, "state")                                                                                                                      \
    X(method, "method")                                                                                                                    \
    X(path, "path")                                                                                                                        \
    X(raw_path, "raw_path")                                                                                                                \
    X(query_string, "query_string")                                                                                                        \
    X(version, "version")                                                                                                                  \
    X(spec_version, "spec_version")                                                                                                        \
    X(body, "body")                                                                                                                        \
    X(more_body, "more_body")                                                                                                              \
    X(status, "status")                                                                                                                    \
    X(get, "get")                                                                                                                          \
    X(http, "http")                                                                                                                        \
    X(HEAD, "HEAD")                                                                                                                        \
    X(HTTP_1_0, "1.0")                                                                                                                     \
    X(HTTP_1_1, "1.1")                                                                                                                     \
    X(http_request, "http.request")                                                                                                        \
    X(http_disconnect, "http.disconnect")                                                                                                  \
    X(http_response_start, "http.response.start")                                                                                          \
    X(http_response_body, "http.response.body")                                                                                            \
    X(done, "done")                                                                                                                        \
    X(set_result, "set_result")                                                                                                            \
    X(cancel, "cancel")                                                                                                                    \
    X(warning, "warning")                                                                                                                  \
    X(hasHandlers, "hasHandlers")                                                                                                          \
    X(context, "context")                                                                                                                  \
    X(websocket, "websocket")                                                                                                              \
    X(ws, "ws")                                                                                                                            \
    X(subprotocols, "subprotocols")                                                                                                        \
    X(extensions, "extensions")                                                                                                            \
    X(websocket_http_response, "websocket.http.response")                                                                                  \
    X(websocket_connect, "websocket.connect")                                                                                              \
    X(websocket_receive, "websocket.receive")                                                                                              \
    X(websocket_disconnect, "websocket.disconnect")                                                                                        \
    X(bytes, "bytes")                                                                                                                      \
    X(text, "text")                                                                                                                        \
    X(code, "code")                                                                                                                        \
    X(reason, "reason")

#define STATE_METHODS 64 /* more than llhttp has */
#define STATE_FIELD_NAMES 256

struct state {
    PyTypeObject *server_type, *cycle_type, *session_type;
#define X(name, text) PyObject *name;
    STATE_NAMES(X)
#undef X
    PyObject *empty_bytes;
    PyObject *request_event;                  /* {"type": "http.request", "body": b"", "more_body": False}, to be copied */
    PyObject *disconnect_event;               /* {"type": "http.disconnect"}, to be copied */
    PyObject *context_keyword;                /* ("context",) */
    PyObject *methods[STATE_METHODS];         /* by llhttp_method_t; made when first needed */
    PyObject *field_names[STATE_FIELD_NAMES]; /* bytes of common request field names, by hash; NULL where there is none */
};

/* 0, or -1 with an exception; what was made by then is cleared by module_state_clear(). */
int module_state_fill(struct state *state);
int module_state_visit(struct state *state, visitproc visit, void *arg);
void module_state_clear(struct state *state);

/* New reference: the bytes of a field's name in lower case. */
PyObject *state_field_name(struct state *state, const char *name, size_t size);
/* New reference: the text of a method. */
PyObject *state_method(struct state *state, uint8_t method);

#endif
