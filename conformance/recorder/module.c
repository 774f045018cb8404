/* bridgecheck.conformance._recording: the recording proxy for Python. Owns only the conversion of arguments and errors. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "../exchange/writer.h"
#include "proxy.h"

/* The loop runs without the interpreter, which is taken for as long as a line is told. A failure is kept for the end. */
struct telling {
    PyObject *callable;
    PyThreadState *thread;
};

static void tell(void *context, const char *line) {
    struct telling *telling = context;
    PyEval_RestoreThread(telling->thread);
    PyObject *answer = PyObject_CallFunction(telling->callable, "s", line);
    if (!answer)
        PyErr_WriteUnraisable(telling->callable);
    Py_XDECREF(answer);
    telling->thread = PyEval_SaveThread();
}

/* HOST is a numeric address, or with port -1 the path of a Unix socket. Returns 0 or -1 with an exception. */
static int set_upstream(struct proxy_options *options, const char *host, int port) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&options->upstream;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&options->upstream;
    struct sockaddr_un *path = (struct sockaddr_un *)&options->upstream;
    if (port < 0) {
        if (strlen(host) >= sizeof path->sun_path) {
            PyErr_Format(PyExc_ValueError, "%s: too long for the path of a socket", host);
            return -1;
        }
        path->sun_family = AF_UNIX;
        strcpy(path->sun_path, host);
        options->upstream_size = sizeof *path;
    } else if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        options->upstream_size = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        options->upstream_size = sizeof *v6;
    } else {
        PyErr_Format(PyExc_ValueError, "%s: not a numeric address", host);
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(
    record_doc,
    "record(listener: int, host: str, port: int, name: str, stop: int, path: bytes, append: bool, whole: bool, answers: bool, origin: str, "
    "first: int,"
    " tell: Callable[[str], object], /) -> dict[str, int]\n--\n\n"
    "Take connections of the listener, which is closed in the end, to the upstream, and record them, until stop can be read.\n\n"
    "OSError where the file cannot be opened. The counts: exchanges, files, connections, refused, lost, and error, an errno or 0, where"
    " the file could not be written any more.");

static PyObject *record(PyObject *module, PyObject *arguments) {
    (void)module;
    struct proxy_options options = {0};
    struct proxy_counts counts;
    struct recording recording;
    struct telling telling = {0};
    const char *host, *path, *origin;
    int port, append, whole, answers;
    unsigned long long first;
    if (!PyArg_ParseTuple(arguments, "isisiypppsKO:record", &options.listener, &host, &port, &options.upstream_name, &options.stop, &path,
                          &append, &whole, &answers, &origin, &first, &telling.callable) ||
        set_upstream(&options, host, port))
        return NULL;
    int failed = recording_open(&recording, path, append, origin, 0);
    if (failed) {
        errno = -failed;
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    }
    options.recording = &recording;
    options.whole = whole;
    options.answers = answers;
    options.first_connection = first;
    options.tell = tell;
    options.context = &telling;
    telling.thread = PyEval_SaveThread();
    failed = proxy_run(&options, &counts);
    recording_close(&recording);
    PyEval_RestoreThread(telling.thread);
    if (failed) {
        errno = -failed;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("{sKsIsKsKsKsi}", "exchanges", (unsigned long long)recording.exchanges, "files", recording.files, "connections",
                         (unsigned long long)counts.connections, "refused", (unsigned long long)counts.refused, "lost",
                         (unsigned long long)counts.lost, "error", -recording.error);
}

/* One part of pieces(): bytes as they are, or the name of a value. Borrowed from ITEM. */
static int to_piece(PyObject *item, struct exchange_piece *piece) {
    Py_ssize_t size;
    const char *data;
    *piece = (struct exchange_piece){.count = 1};
    if (PyBytes_Check(item)) {
        data = PyBytes_AS_STRING(item);
        size = PyBytes_GET_SIZE(item);
    } else {
        data = PyUnicode_AsUTF8AndSize(item, &size);
        piece->kind = EXCHANGE_PIECE_VALUE;
    }
    piece->bytes = (struct exchange_bytes){.data = (char *)data, .size = (size_t)size};
    return data ? 0 : -1;
}

PyDoc_STRVAR(pieces_doc, "pieces(parts: Sequence[bytes | str], /) -> str\n--\n\n"
                         "The pieces of a send, a line each: bytes as they are, a str for the value that was saved under that name.");

static PyObject *pieces(PyObject *module, PyObject *given) {
    (void)module;
    PyObject *parts = PySequence_Fast(given, "parts are a sequence"), *text = NULL;
    if (!parts)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(parts);
    struct exchange_piece *all = PyMem_Calloc((size_t)count + 1, sizeof *all);
    struct writer writer;
    writer_init(&writer, NULL);
    if (!all) {
        PyErr_NoMemory();
        goto free_parts;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (to_piece(PySequence_Fast_GET_ITEM(parts, i), &all[i]))
            goto free_parts;
    writer_pieces(&writer, all, (size_t)count);
    text = writer.out_of_memory ? PyErr_NoMemory() : PyUnicode_DecodeASCII(writer.text.items, (Py_ssize_t)writer.text.count, NULL);
free_parts:
    writer_free(&writer);
    PyMem_Free(all);
    Py_DECREF(parts);
    return text;
}

static PyMethodDef methods[] = {
    {"record", record, METH_VARARGS, record_doc},
    {"pieces", pieces, METH_O, pieces_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_recording", .m_doc = "The recording proxy, and the text of what it writes.",
    .m_methods = methods,  .m_slots = slots,
};

PyMODINIT_FUNC PyInit__recording(void) { return PyModuleDef_Init(&definition); }
