#define PY_SSIZE_T_CLEAN /* the "#" of a format counts in Py_ssize_t */
#include <Python.h>

#include "player_object.h"

#include <errno.h>
#include <math.h>

#include "exchange_object.h"
#include "observation.h"

#define PATIENCE_MAX 3600.0 /* seconds */

struct player_object {
    PyObject ob_base;
    struct player *player; /* NULL when closed */
    bool playing;
};

static void *raise_error(const struct target_error *error) {
    if (error->number == ENOMEM)
        return PyErr_NoMemory();
    if (!error->number) {
        PyErr_SetString(PyExc_RuntimeError, error->message);
        return NULL;
    }
    PyObject *arguments = Py_BuildValue("(is)", error->number, error->message);
    if (arguments)
        PyErr_SetObject(PyExc_OSError, arguments);
    Py_XDECREF(arguments);
    return NULL;
}

/* The player, if it may be used now. */
static struct player *usable(struct player_object *self) {
    if (self->playing)
        PyErr_SetString(PyExc_RuntimeError, "the player is playing");
    else if (!self->player)
        PyErr_SetString(PyExc_ValueError, "the player is closed");
    else
        return self->player;
    return NULL;
}

/* The text under KEY, NULL if there is none; good as long as OWNER's reference, a new one, is held. */
static const char *text_under(PyObject *target, PyObject *key, PyObject **owner) {
    *owner = PyObject_GetItem(target, key);
    if (*owner && !PyUnicode_Check(*owner)) {
        PyErr_Format(PyExc_TypeError, "a target's %R is a str", key);
        return NULL;
    }
    Py_ssize_t size;
    const char *text = *owner ? PyUnicode_AsUTF8AndSize(*owner, &size) : NULL;
    if (text && strlen(text) != (size_t)size) {
        PyErr_Format(PyExc_ValueError, "a target's %R holds a NUL", key);
        return NULL;
    }
    return text;
}

static int read_port(PyObject *target, PyObject *key, uint16_t *port) {
    PyObject *value = PyObject_GetItem(target, key);
    long number = value ? PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number < 1 || number > 65535) {
        PyErr_SetString(PyExc_ValueError, "a target's port is a number from 1 to 65535");
        return -1;
    }
    *port = (uint16_t)number;
    return 0;
}

/* The texts of PLACE, kept as long as OWNERS. */
static int read_place(struct binding_state *state, PyObject *target, struct target_place *place, PyObject *owners) {
    PyObject *const keys[] = {state->host, state->trace, state->doorbell};
    const char **const texts[] = {&place->host, &place->trace, &place->doorbell};
    for (size_t i = 0; i < 3; i++) {
        PyObject *owner;
        *texts[i] = text_under(target, keys[i], &owner);
        int failed = owner ? PyList_Append(owners, owner) : -1;
        Py_XDECREF(owner);
        if (failed || !*texts[i])
            return -1;
    }
    return read_port(target, state->port, &place->port);
}

/* One client port cannot reach the same place twice. */
static int check_apart(const struct target_place *places, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (places[i].port == places[j].port && !strcmp(places[i].host, places[j].host)) {
                PyErr_Format(PyExc_ValueError, "two targets at %s:%d", places[i].host, (int)places[i].port);
                return -1;
            }
    return 0;
}

static struct player *open_player(struct binding_state *state, PyObject *targets, uint64_t patience) {
    struct player *player = NULL;
    struct target_error error;
    size_t count = (size_t)PySequence_Fast_GET_SIZE(targets);
    PyObject *owners = PyList_New(0);
    struct target_place *places = PyMem_Calloc(count + 1, sizeof *places);
    if (!owners || !places) {
        PyErr_NoMemory();
        goto release;
    }
    if (!count) {
        PyErr_SetString(PyExc_ValueError, "a player needs a target");
        goto release;
    }
    for (size_t i = 0; i < count; i++)
        if (read_place(state, PySequence_Fast_GET_ITEM(targets, (Py_ssize_t)i), &places[i], owners))
            goto release;
    if (check_apart(places, count))
        goto release;
    player = player_open(places, count, patience, NULL, &error);
    if (!player)
        raise_error(&error);
release:
    PyMem_Free(places);
    Py_XDECREF(owners);
    return player;
}

static PyObject *player_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"targets", "patience", NULL};
    PyObject *targets;
    double patience = 2.0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$d:Player", names, &targets, &patience))
        return NULL;
    if (!(patience > 0) || patience > PATIENCE_MAX) {
        PyErr_SetString(PyExc_ValueError, "patience is a number of seconds, above 0 and at most 3600");
        return NULL;
    }
    PyObject *all = PySequence_Fast(targets, "targets is a sequence of Target");
    struct player_object *self = all ? (struct player_object *)type->tp_alloc(type, 0) : NULL;
    if (self) {
        self->player = open_player(binding_state_of(type), all, (uint64_t)ceil(patience * 1000));
        if (!self->player)
            Py_CLEAR(self);
    }
    Py_XDECREF(all);
    return (PyObject *)self;
}

static void player_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    player_close(((struct player_object *)self)->player);
    type->tp_free(self);
    Py_DECREF(type);
}

/* --- play --- */

struct play {
    struct binding_state *state;
    PyThreadState *thread; /* held while the loop runs without the GIL */
    size_t target_count;
    PyObject *progress; /* borrowed, or NULL */
    PyObject *process;  /* borrowed, or NULL */
    PyObject *results;  /* list of lists */
    bool failed;        /* an exception waits to be raised */
};

/* Python's collector rests meanwhile: what is made here is hundreds of containers in no cycle, all kept to the end of the play, and it
 * would walk over them again and again. */
static PyObject *observations_of(struct play *play, struct script *const *scripts) {
    int collecting = PyGC_Disable();
    PyObject *observations = PyTuple_New((Py_ssize_t)play->target_count);
    for (size_t i = 0; observations && i < play->target_count; i++) {
        PyObject *observation = observation_of(play->state, scripts[i]);
        if (observation)
            PyTuple_SET_ITEM(observations, (Py_ssize_t)i, observation);
        else
            Py_CLEAR(observations);
    }
    if (collecting)
        PyGC_Enable();
    return observations;
}

static enum player_order on_played(void *context, size_t session, size_t exchange, struct script *const *scripts) {
    struct play *play = context;
    if (play->failed)
        return PLAYER_ABORT;
    PyEval_RestoreThread(play->thread);
    PyObject *observations = observations_of(play, scripts);
    if (observations)
        PyList_SetItem(PyList_GET_ITEM(play->results, (Py_ssize_t)session), (Py_ssize_t)exchange, observations);
    play->thread = PyEval_SaveThread();
    return observations ? PLAYER_GO_ON : PLAYER_ABORT;
}

static enum player_order on_tick(void *context, size_t played) {
    struct play *play = context;
    enum player_order order = PLAYER_GO_ON;
    if (play->failed)
        return PLAYER_ABORT;
    PyEval_RestoreThread(play->thread);
    if (PyErr_CheckSignals()) {
        order = PLAYER_ABORT;
    } else if (play->progress) {
        PyObject *answer = PyObject_CallFunction(play->progress, "n", (Py_ssize_t)played);
        int stop = answer ? PyObject_IsTrue(answer) : -1;
        Py_XDECREF(answer);
        order = stop < 0 ? PLAYER_ABORT : stop ? PLAYER_BEGIN_NOTHING_MORE : PLAYER_GO_ON;
    }
    play->thread = PyEval_SaveThread();
    return order;
}

/* Nothing more is asked once this has failed; the next tick ends the play. */
static bool on_process(void *context, size_t target, const struct exchange_step *step) {
    struct play *play = context;
    if (play->failed)
        return true;
    PyEval_RestoreThread(play->thread);
    PyObject *words = exchange_object_words(step);
    PyObject *answer =
        words ? PyObject_CallFunction(play->process, "ns#O", (Py_ssize_t)target, step->name.data, (Py_ssize_t)step->name.size, words)
              : NULL;
    int done = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    Py_XDECREF(words);
    play->failed = done < 0;
    play->thread = PyEval_SaveThread();
    return done != 0;
}

/* Tuples of the sessions' exchanges, so that nobody changes them meanwhile. */
static PyObject *freeze(PyObject *sessions) {
    PyObject *outer = PySequence_Tuple(sessions);
    PyObject *frozen = outer ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; frozen && i < PyTuple_GET_SIZE(outer); i++)
        if (binding_append(frozen, PySequence_Tuple(PyTuple_GET_ITEM(outer, i))))
            Py_CLEAR(frozen);
    Py_XDECREF(outer);
    return frozen;
}

static int check_exchange(struct binding_state *state, PyObject *object, bool process) {
    if (Py_TYPE(object) != state->exchange_type) {
        PyErr_Format(PyExc_TypeError, "a session holds Exchanges, not %s", Py_TYPE(object)->tp_name);
        return -1;
    }
    const struct exchange *exchange = exchange_object_get(object).exchange;
    const struct exchange_step *own = process ? NULL : script_process_step(exchange);
    if (own)
        PyErr_Format(PyExc_ValueError, "%U:%u: a process step, and no process= to do it", exchange_object_file(object), own->line);
    return own ? -1 : 0;
}

static int contains(PyObject *container, Py_ssize_t number) {
    PyObject *object = PyLong_FromSsize_t(number);
    int found = object ? PySequence_Contains(container, object) : -1;
    Py_XDECREF(object);
    return found;
}

/* The player's view of the sessions; one array holds all exchanges. Both are PyMem_Free()d by the caller, also after a failure. */
static int lay_out(struct binding_state *state, PyObject *frozen, PyObject *alone, bool process, struct player_session **sessions,
                   struct player_exchange **exchanges) {
    size_t count = 0, place = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(frozen); i++)
        count += (size_t)PyTuple_GET_SIZE(PyList_GET_ITEM(frozen, i));
    *sessions = PyMem_Calloc((size_t)PyList_GET_SIZE(frozen) + 1, sizeof **sessions);
    *exchanges = PyMem_Calloc(count + 1, sizeof **exchanges);
    if (!*sessions || !*exchanges) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(frozen); i++) {
        PyObject *session = PyList_GET_ITEM(frozen, i);
        int is_alone = alone ? contains(alone, i) : 0;
        if (is_alone < 0)
            return -1;
        (*sessions)[i] =
            (struct player_session){.exchanges = *exchanges + place, .count = (size_t)PyTuple_GET_SIZE(session), .alone = is_alone};
        for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(session); j++) {
            if (check_exchange(state, PyTuple_GET_ITEM(session, j), process))
                return -1;
            (*exchanges)[place++] = exchange_object_get(PyTuple_GET_ITEM(session, j));
        }
    }
    return 0;
}

/* A list like the sessions, with None for each exchange. */
static PyObject *no_results(PyObject *frozen) {
    PyObject *results = PyList_New(0);
    for (Py_ssize_t i = 0; results && i < PyList_GET_SIZE(frozen); i++) {
        PyObject *none = Py_BuildValue("[O]", Py_None);
        PyObject *session = none ? PySequence_Repeat(none, PyTuple_GET_SIZE(PyList_GET_ITEM(frozen, i))) : NULL;
        Py_XDECREF(none);
        if (binding_append(results, session))
            Py_CLEAR(results);
    }
    return results;
}

static void run(struct player_object *self, struct play *play, PyObject *frozen, const struct player_session *sessions, size_t jobs) {
    struct player_watcher watcher = {.played = on_played, .tick = on_tick, .process = on_process, .context = play};
    struct target_error error = {0};
    self->playing = true;
    play->thread = PyEval_SaveThread();
    int failed = player_play(self->player, sessions, (size_t)PyList_GET_SIZE(frozen), jobs, &watcher, &error);
    PyEval_RestoreThread(play->thread);
    self->playing = false;
    if (failed && !PyErr_Occurred())
        raise_error(&error);
}

static PyObject *play(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"sessions", "jobs", "alone", "progress", "process", NULL};
    struct player_object *self = (struct player_object *)object;
    struct play play = {.state = binding_state_of(Py_TYPE(object))};
    PyObject *given, *alone = Py_None, *progress = Py_None, *process = Py_None, *frozen = NULL;
    struct player_session *sessions = NULL;
    struct player_exchange *exchanges = NULL;
    Py_ssize_t jobs = 32;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$nOOO:play", names, &given, &jobs, &alone, &progress, &process) ||
        !usable(self))
        return NULL;
    if (jobs < 1) {
        PyErr_SetString(PyExc_ValueError, "jobs is at least 1");
        return NULL;
    }
    play.progress = progress == Py_None ? NULL : progress;
    play.process = process == Py_None ? NULL : process;
    play.target_count = player_target_count(self->player);
    frozen = freeze(given);
    if (!frozen || lay_out(play.state, frozen, alone == Py_None ? NULL : alone, play.process, &sessions, &exchanges))
        goto release;
    play.results = no_results(frozen);
    if (play.results && usable(self)) /* asked again: iterating over what was given may have run anything */
        run(self, &play, frozen, sessions, (size_t)jobs);
    if (PyErr_Occurred())
        Py_CLEAR(play.results);
release:
    PyMem_Free(exchanges);
    PyMem_Free(sessions);
    Py_XDECREF(frozen);
    return play.results;
}

/* --- calls --- */

static PyObject *calls_of_all(struct player_object *self, const struct calls_list *(*which)(const struct calls *),
                              void (*then)(struct calls *)) {
    struct binding_state *state = binding_state_of(Py_TYPE((PyObject *)self));
    struct target_error error = {0};
    PyObject *all = usable(self) ? PyList_New(0) : NULL;
    for (size_t i = 0; all && i < player_target_count(self->player); i++) {
        struct calls *calls = player_calls(self->player, i, &error);
        if (binding_append(all, calls ? observation_calls(state, which(calls)) : raise_error(&error))) {
            Py_CLEAR(all);
            break;
        }
        if (then)
            then(calls);
    }
    return all;
}

static PyObject *unclaimed(PyObject *self, PyObject *none) {
    (void)none;
    return calls_of_all((struct player_object *)self, calls_unclaimed, calls_forget_unclaimed);
}

static PyObject *lifespans(PyObject *self, PyObject *none) {
    (void)none;
    return calls_of_all((struct player_object *)self, calls_lifespans, NULL);
}

static PyObject *close_player(PyObject *object, PyObject *none) {
    (void)none;
    struct player_object *self = (struct player_object *)object;
    if (self->player && !usable(self))
        return NULL;
    struct player *player = self->player;
    self->player = NULL;
    player_close(player);
    Py_RETURN_NONE;
}

static PyMethodDef METHODS[] = {
    {"play", (PyCFunction)(void (*)(void))play, METH_VARARGS | METH_KEYWORDS,
     "Play each session's exchanges in order, up to `jobs` sessions side by side."},
    {"unclaimed", unclaimed, METH_NOARGS, "Per target, calls traced since the last question that no exchange claims."},
    {"lifespans", lifespans, METH_NOARGS, "Per target, the lifespan calls so far."},
    {"close", close_player, METH_NOARGS, "Let go of the doorbells and the loop."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot SLOTS[] = {
    {Py_tp_new, player_new},
    {Py_tp_dealloc, player_dealloc},
    {Py_tp_methods, METHODS},
    {Py_tp_doc, "Plays exchanges to all its targets at once."},
    {0, NULL},
};

PyType_Spec player_object_spec = {
    .name = "bridgecheck.conformance._player.Player",
    .basicsize = sizeof(struct player_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = SLOTS,
};
