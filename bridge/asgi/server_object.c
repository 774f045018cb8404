#define PY_SSIZE_T_CLEAN
#include "server_object.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "session_object.h"

/* --- the handler of the core: no exception is pending when it returns ----------------------------------------------------------------- */

static void warn(struct server_object *server, const char *text) {
    PyObject *done = PyObject_CallMethod(server->logger, "warning", "s", text);
    if (!done)
        PyErr_WriteUnraisable(server->logger);
    Py_XDECREF(done);
}

static bool logs_access(struct server_object *server) {
    PyObject *has = PyObject_CallMethodNoArgs(server->access_logger, server->state->hasHandlers);
    int truth = has ? PyObject_IsTrue(has) : -1;
    Py_XDECREF(has);
    if (truth < 0)
        PyErr_WriteUnraisable(server->access_logger);
    return truth > 0;
}

#define TRACE 5 /* uvicorn's level below DEBUG */

void server_trace(struct server_object *server, const struct peer *peer, const char *what) {
    PyObject *level = PyObject_GetAttrString(server->logger, "level");
    long chosen = level ? PyLong_AsLong(level) : -1;
    Py_XDECREF(level);
    if (chosen > TRACE)
        return;
    PyObject *client = chosen < 0 ? NULL : PyDict_GetItemWithError(peer->template, server->state->client);
    PyObject *prefix = !client             ? NULL
                       : client == Py_None ? PyUnicode_FromString("")
                                           : PyUnicode_FromFormat("%S:%S - ", PyTuple_GET_ITEM(client, 0), PyTuple_GET_ITEM(client, 1));
    PyObject *done = prefix ? PyObject_CallMethod(server->logger, "log", "isO", TRACE, what, prefix) : NULL;
    Py_XDECREF(prefix);
    if (!done)
        PyErr_WriteUnraisable(server->logger);
    Py_XDECREF(done);
}

static int on_accepted(void *owner, struct connection *connection) {
    struct server_object *server = owner;
    struct peer *peer = PyMem_Malloc(sizeof *peer);
    PyObject *template = peer ? scope_template(server->state, &server->parts, connection) : PyErr_NoMemory();
    if (template) {
        *peer = (struct peer){.template = template, .log_access = logs_access(server)};
        connection->user = peer;
        server_trace(server, peer, "%sHTTP connection made");
        return 0;
    }
    PyErr_WriteUnraisable((PyObject *)server);
    PyMem_Free(peer);
    return -1;
}

static void on_forgotten(void *owner, struct connection *connection) {
    struct peer *peer = connection->user;
    if (!peer)
        return;
    server_trace(owner, peer, peer->websocket ? "%sWebSocket connection lost" : "%sHTTP connection lost");
    Py_DECREF(peer->template);
    PyMem_Free(peer);
}

static void on_exhausted(void *owner) {
    struct server_object *server = owner;
    PyObject *done =
        PyObject_CallMethod(server->logger, "error", "s", "Out of file descriptors or memory: no connection is accepted for a second.");
    if (!done)
        PyErr_WriteUnraisable(server->logger);
    Py_XDECREF(done);
}

static void on_woken(void *owner) {
    struct server_object *server = owner;
    if (server->open && loop_finish_soon(&server->loop) != 0)
        PyErr_WriteUnraisable((PyObject *)server);
}

static struct cycle *on_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct server_object *server = owner;
    const struct peer *peer = connection->user;
    bool forwarded;
    struct cycle_object *cycle = cycle_new(server, scope_new(server->state, &server->parts, peer->template, head, &forwarded));
    if (!cycle) {
        PyErr_WriteUnraisable((PyObject *)server);
        return NULL;
    }
    cycle->forwarded = forwarded;
    cycle->log_access = peer->log_access;
    Py_ssize_t limit = server->limit_concurrency;
    if (limit >= 0 && ((Py_ssize_t)server->core.connections >= limit || server->tasks >= limit)) {
        cycle->refused = true;
        warn(server, "Exceeded concurrency limit.");
    }
    return &cycle->cycle;
}

static void on_run(struct cycle *core) {
    struct cycle_object *cycle = cycle_of(core);
    struct server_object *server = cycle->server;
    cycle->message = cycle->cycle.body.size > 0 || !cycle->cycle.more_body;
    if (call_start(server, &cycle->call, server->run, (PyObject *)cycle, true) != 0) {
        PyErr_WriteUnraisable((PyObject *)server);
        cycle_finished(core);
        cycle_close(core);
    }
}

static void on_arrived(struct cycle *cycle) { cycle_arrived(cycle_of(cycle)); }
static void on_drained(struct cycle *cycle) { cycle_drained(cycle_of(cycle)); }
static void on_release(struct cycle *cycle) { Py_DECREF((PyObject *)cycle_of(cycle)); }

/* An offer that is not taken up. Where none ever is, uvicorn says why, in its own words. */
static void warn_of_upgrade(struct server_object *server) {
    warn(server, "Unsupported upgrade request.");
    if (!server->websockets.run)
        warn(server, "No supported WebSocket library detected. Please use \"pip install 'uvicorn[standard]'\", or install 'websockets' or "
                     "'wsproto' manually.");
}

static void on_notice(void *owner, struct connection *connection, enum connection_notice notice) {
    (void)connection;
    if (notice == CONNECTION_INVALID_REQUEST)
        warn(owner, "Invalid HTTP request received.");
    else
        warn_of_upgrade(owner);
}

static const struct handler handler = {
    .request = on_request,
    .run = on_run,
    .arrived = on_arrived,
    .drained = on_drained,
    .release = on_release,
    .notice = on_notice,
};

/* --- turns of the loop ---------------------------------------------------------------------------------------------------------------- */

static PyObject *turn(struct server_object *server, void (*work)(struct server *)) {
    if (!server->open)
        Py_RETURN_NONE;
    Py_INCREF(server); /* an app that is told of an end may drop the last reference */
    server->stepping = true;
    Py_ssize_t tasks = server->tasks;
    work(&server->core);
    server->stepping = false;
    int error = 0;
    if (server->open) {
        /* The tasks that were made run next; behind them comes what they leave to be written. */
        error = server->tasks > tasks ? loop_finish_soon(&server->loop) : 0;
        if (error == 0)
            error = loop_arm(&server->loop, &server->core);
    }
    Py_DECREF(server);
    if (error != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *server_do_step(PyObject *self, PyObject *unused) {
    (void)unused;
    return turn((struct server_object *)self, server_step);
}

static PyObject *server_do_finish(PyObject *self, PyObject *unused) {
    (void)unused;
    struct server_object *server = (struct server_object *)self;
    server->loop.finish_due = false;
    return turn(server, server_finish_turn);
}

/* --- methods -------------------------------------------------------------------------------------------------------------------------- */

static struct server_object *usable(PyObject *self) {
    struct server_object *server = (struct server_object *)self;
    if (server->thread != PyThread_get_thread_ident())
        PyErr_SetString(PyExc_RuntimeError, "a server belongs to the thread that made it");
    else if (!server->open)
        PyErr_SetString(PyExc_RuntimeError, "the server is closed");
    else
        return server;
    return NULL;
}

static PyObject *server_object_listen(PyObject *self, PyObject *arguments) {
    int fd, backlog;
    if (!PyArg_ParseTuple(arguments, "ii:listen", &fd, &backlog))
        return NULL;
    struct server_object *server = usable(self);
    if (!server)
        return NULL;
    int error = server_listen(&server->core, fd, backlog);
    if (error != 0) {
        errno = -error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyObject *server_object_serve_websockets(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"faces",     "refused",       "broken_text",  "compresses", "max_size",
                            "max_queue", "ping_interval", "ping_timeout", NULL};
    PyObject *run, *receive, *send, *refused, *broken_text;
    int compresses;
    long long max_size;
    Py_ssize_t max_queue;
    double interval, timeout;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$(OOO)OOpLndd:serve_websockets", names, &run, &receive, &send, &refused,
                                     &broken_text, &compresses, &max_size, &max_queue, &interval, &timeout))
        return NULL;
    struct server_object *server = usable(self);
    if (!server)
        return NULL;
    if (!(interval < 1e9 && timeout < 1e9))
        return PyErr_Format(PyExc_ValueError, "ping_interval and ping_timeout are out of range");
    struct websockets *websockets = &server->websockets;
    PyObject *version = PyDict_GetItemWithError(server->parts.asgi, server->state->version);
    PyObject *asgi = version ? Py_BuildValue("{OOOs}", server->state->version, version, server->state->spec_version, "2.4") : NULL;
    if (!asgi)
        return NULL;
    Py_XSETREF(websockets->asgi, asgi);
    Py_XSETREF(websockets->run, Py_NewRef(run));
    Py_XSETREF(websockets->receive, Py_NewRef(receive));
    Py_XSETREF(websockets->send, Py_NewRef(send));
    Py_XSETREF(websockets->refused, Py_NewRef(refused));
    Py_XSETREF(websockets->broken_text, Py_NewRef(broken_text));
    server->core.kit.sessions = &session_object_handler;
    server->core.kit.session_options = (struct session_options){
        .compresses = compresses,
        .max_size = max_size > 0 ? (uint64_t)max_size : 0,
        .max_queue = max_queue > 0 ? (size_t)max_queue : 1,
        .ping_interval = interval > 0 ? (uint64_t)(interval * 1000) + (interval < 0.001) : 0,
        .ping_timeout = timeout >= 0 ? (int64_t)(timeout * 1000) : -1,
    };
    Py_RETURN_NONE;
}

static PyObject *server_object_stop_listening(PyObject *self, PyObject *unused) {
    (void)unused;
    struct server_object *server = usable(self);
    if (!server)
        return NULL;
    server_stop_listening(&server->core);
    Py_RETURN_NONE;
}

static PyObject *server_object_shutdown(PyObject *self, PyObject *unused) {
    (void)unused;
    struct server_object *server = usable(self);
    if (!server)
        return NULL;
    server_shutdown(&server->core);
    Py_RETURN_NONE;
}

static PyObject *server_object_cancel(PyObject *self, PyObject *message) {
    struct server_object *server = usable(self);
    PyObject *tasks = server ? PyList_New(0) : NULL;
    for (struct call *call = server ? server->running : NULL; tasks && call; call = call->next)
        if (PyList_Append(tasks, call->task) != 0)
            Py_CLEAR(tasks);
    for (Py_ssize_t i = 0; tasks && i < PyList_GET_SIZE(tasks); i++) {
        PyObject *done = PyObject_CallMethodOneArg(PyList_GET_ITEM(tasks, i), server->state->cancel, message);
        if (!done)
            Py_CLEAR(tasks);
        Py_XDECREF(done);
    }
    if (!tasks)
        return NULL;
    Py_DECREF(tasks);
    Py_RETURN_NONE;
}

/* What it calls meanwhile finds it in a step. */
static void end_core(struct server_object *server) {
    server->stepping = true;
    server_free(&server->core);
    server->stepping = false;
    server->open = false;
}

static PyObject *server_object_close(PyObject *self, PyObject *unused) {
    (void)unused;
    struct server_object *server = (struct server_object *)self;
    if (server->open && !usable(self))
        return NULL;
    if (server->stepping) {
        PyErr_SetString(PyExc_RuntimeError, "the server cannot be closed by what it calls in the middle of a step");
        return NULL;
    }
    if (server->open) {
        end_core(server);
        loop_close(&server->loop);
    }
    Py_RETURN_NONE;
}

static PyObject *get_connections(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromSize_t(((struct server_object *)self)->core.connections);
}

static PyObject *get_tasks(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromSsize_t(((struct server_object *)self)->tasks);
}

static PyObject *get_total_requests(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((struct server_object *)self)->core.kit.total_requests);
}

static PyMethodDef methods[] = {
    {"listen", server_object_listen, METH_VARARGS,
     PyDoc_STR("listen(fd, backlog) -> None\n\nAccept on a bound stream socket, which it owns from here on.")},
    {"serve_websockets", (PyCFunction)(void (*)(void))server_object_serve_websockets, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("serve_websockets(*, faces, refused, broken_text, …) -> None\n\nFrom now on offers to upgrade are taken up.")},
    {"stop_listening", server_object_stop_listening, METH_NOARGS, PyDoc_STR("stop_listening() -> None")},
    {"shutdown", server_object_shutdown, METH_NOARGS,
     PyDoc_STR("shutdown() -> None\n\nIdle connections close, the others after their response.")},
    {"cancel", server_object_cancel, METH_O, PyDoc_STR("cancel(message) -> None\n\nCancel every running task.")},
    {"close", server_object_close, METH_NOARGS, PyDoc_STR("close() -> None\n\nEnd all. Nothing is left in the loop.")},
    {"_step", server_do_step, METH_NOARGS, NULL},
    {"_finish", server_do_finish, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"connections", get_connections, NULL, "open connections", NULL},
    {"tasks", get_tasks, NULL, "running calls of the app", NULL},
    {"total_requests", get_total_requests, NULL, "completed responses", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

static int read_phrases(struct server_object *server) {
    for (Py_ssize_t i = 0; i < STATUSES; i++) {
        PyObject *status = PyLong_FromSsize_t(100 + i);
        PyObject *phrase = status ? PyDict_GetItemWithError(server->phrases, status) : NULL;
        if (phrase)
            PyDict_SetItem(server->statuses, status, status);
        Py_XDECREF(status);
        if (PyErr_Occurred())
            return -1;
        Py_ssize_t size = 0;
        server->phrase[i].text = phrase ? PyUnicode_AsUTF8AndSize(phrase, &size) : "";
        server->phrase[i].size = (size_t)size;
        if (!server->phrase[i].text)
            return -1;
    }
    return 0;
}

static int read_default_fields(struct server_object *server) {
    Py_ssize_t count = PyList_GET_SIZE(server->default_fields);
    if (count > (Py_ssize_t)SERVER_DEFAULTS_MAX) {
        PyErr_Format(PyExc_ValueError, "at most %u default fields", SERVER_DEFAULTS_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        char *name, *value;
        Py_ssize_t name_size, value_size;
        PyObject *pair = PyList_GET_ITEM(server->default_fields, i);
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "default_fields holds tuples of two bytes");
            return -1;
        }
        if (!PyArg_ParseTuple(pair, "y#y#;default_fields holds tuples of two bytes", &name, &name_size, &value, &value_size))
            return -1;
        server->fields[i] = (struct response_field){name, (size_t)name_size, value, (size_t)value_size};
    }
    return 0;
}

static int open_core(struct server_object *server, PyObject *loop, double keep_alive, bool date_field) {
    struct server_options options = {
        .allocator = allocator_default(),
        .handler = &handler,
        .owner = server,
        .accepted = on_accepted,
        .forgotten = on_forgotten,
        .exhausted = on_exhausted,
        .woken = on_woken,
        .fields = server->fields,
        .field_count = (size_t)PyList_GET_SIZE(server->default_fields),
        .date_field = date_field,
        .keep_alive = (uint64_t)(keep_alive * 1000),
    };
    int error = server_init(&server->core, &options);
    if (error != 0) {
        errno = -error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    server->open = true;
    PyObject *step = PyObject_GetAttrString((PyObject *)server, "_step"), *finish = PyObject_GetAttrString((PyObject *)server, "_finish");
    error = step && finish ? loop_open(&server->loop, server->state, loop, server_backend_fd(&server->core), step, finish) : -1;
    Py_XDECREF(step);
    Py_XDECREF(finish);
    return error;
}

static PyObject *server_object_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"loop",
                            "app",
                            "unavailable",
                            "state",
                            "faces",
                            "root_path",
                            "asgi_version",
                            "default_fields",
                            "date_field",
                            "phrases",
                            "timeout_keep_alive",
                            "limit_concurrency",
                            "logger",
                            "access_logger",
                            "log_access",
                            "forwarded",
                            "reset_context",
                            NULL};
    PyObject *loop, *app, *unavailable, *lifespan, *run, *receive, *send, *root_path, *version, *defaults, *phrases, *limit, *logger,
        *access_logger, *log_access, *forwarded;
    int date_field, reset_context;
    double keep_alive;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$OOOO!(OOO)UUO!pO!dOOOOOp:Server", names, &loop, &app, &unavailable,
                                     &PyDict_Type, &lifespan, &run, &receive, &send, &root_path, &version, &PyList_Type, &defaults,
                                     &date_field, &PyDict_Type, &phrases, &keep_alive, &limit, &logger, &access_logger, &log_access,
                                     &forwarded, &reset_context))
        return NULL;
    if (!PyUnicode_IS_ASCII(root_path))
        return PyErr_Format(PyExc_ValueError, "root_path is no ASCII: %R", root_path);
    if (!(keep_alive >= 0 && keep_alive < 1e9))
        return PyErr_Format(PyExc_ValueError, "timeout_keep_alive is out of range");
    Py_ssize_t limit_concurrency = limit == Py_None ? -1 : PyNumber_AsSsize_t(limit, PyExc_OverflowError);
    if (PyErr_Occurred())
        return NULL;
    struct server_object *server = (struct server_object *)type->tp_alloc(type, 0);
    if (!server)
        return NULL;
    server->state = PyType_GetModuleState(type);
    server->thread = PyThread_get_thread_ident();
    server->loop.fd = -1;
    server->app = Py_NewRef(app);
    server->unavailable = Py_NewRef(unavailable);
    server->run = Py_NewRef(run);
    server->receive = Py_NewRef(receive);
    server->send = Py_NewRef(send);
    server->logger = Py_NewRef(logger);
    server->access_logger = Py_NewRef(access_logger);
    server->log_access = Py_NewRef(log_access);
    server->forwarded = forwarded == Py_None ? NULL : Py_NewRef(forwarded);
    server->limit_concurrency = limit_concurrency;
    server->parts.state = Py_NewRef(lifespan);
    server->parts.root_path = Py_NewRef(root_path);
    server->parts.asgi = Py_BuildValue("{OOOs}", server->state->version, version, server->state->spec_version, "2.3");
    server->phrases = PyDict_Copy(phrases);
    server->statuses = PyDict_New();
    server->default_fields = PyList_GetSlice(defaults, 0, PyList_GET_SIZE(defaults));
    if (reset_context) {
        PyObject *module = PyImport_ImportModule("contextvars");
        server->new_context = module ? PyObject_GetAttrString(module, "Context") : NULL;
        Py_XDECREF(module);
    }
    if (!PyErr_Occurred() && read_phrases(server) == 0 && read_default_fields(server) == 0 &&
        open_core(server, loop, keep_alive, date_field) == 0)
        return (PyObject *)server;
    Py_DECREF(server);
    return NULL;
}

static int server_object_traverse(PyObject *self, visitproc visit, void *arg) {
    struct server_object *server = (struct server_object *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(server->app);
    Py_VISIT(server->unavailable);
    Py_VISIT(server->run);
    Py_VISIT(server->receive);
    Py_VISIT(server->send);
    Py_VISIT(server->phrases);
    Py_VISIT(server->statuses);
    Py_VISIT(server->logger);
    Py_VISIT(server->access_logger);
    Py_VISIT(server->log_access);
    Py_VISIT(server->forwarded);
    Py_VISIT(server->websockets.run);
    Py_VISIT(server->websockets.receive);
    Py_VISIT(server->websockets.send);
    Py_VISIT(server->websockets.refused);
    Py_VISIT(server->websockets.broken_text);
    Py_VISIT(server->websockets.asgi);
    Py_VISIT(server->new_context);
    Py_VISIT(server->default_fields);
    Py_VISIT(server->parts.asgi);
    Py_VISIT(server->parts.state);
    Py_VISIT(server->parts.root_path);
    return loop_visit(&server->loop, visit, arg);
}

static int server_object_clear(PyObject *self) {
    struct server_object *server = (struct server_object *)self;
    if (server->open) /* nobody has closed it, or it was not opened to the end */
        end_core(server);
    loop_abandon(&server->loop);
    Py_CLEAR(server->app);
    Py_CLEAR(server->unavailable);
    Py_CLEAR(server->run);
    Py_CLEAR(server->receive);
    Py_CLEAR(server->send);
    Py_CLEAR(server->phrases);
    Py_CLEAR(server->statuses);
    Py_CLEAR(server->logger);
    Py_CLEAR(server->access_logger);
    Py_CLEAR(server->log_access);
    Py_CLEAR(server->forwarded);
    Py_CLEAR(server->websockets.run);
    Py_CLEAR(server->websockets.receive);
    Py_CLEAR(server->websockets.send);
    Py_CLEAR(server->websockets.refused);
    Py_CLEAR(server->websockets.broken_text);
    Py_CLEAR(server->websockets.asgi);
    Py_CLEAR(server->new_context);
    Py_CLEAR(server->default_fields);
    Py_CLEAR(server->parts.asgi);
    Py_CLEAR(server->parts.state);
    Py_CLEAR(server->parts.root_path);
    return 0;
}

static void server_object_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    server_object_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"All of one process's connections. Belongs to the thread and the loop it was made in."},
    {Py_tp_new, server_object_new},
    {Py_tp_dealloc, server_object_dealloc},
    {Py_tp_traverse, server_object_traverse},
    {Py_tp_clear, server_object_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

PyType_Spec server_spec = {
    .name = "bridgecheck.bridge._bridge.Server",
    .basicsize = sizeof(struct server_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
