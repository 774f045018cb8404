/* script.h: the steps of one exchange against one target, and what comes of them.
 *
 * Owns the connections of the exchange, where the script stands and what it waits for, and decides when the observation is complete. Knows
 * nothing of other targets, of sessions or of Python.
 *
 * script_new(), script_open(), script_start(); then `finished` is called once, from a turn of the loop or from script_look(), never from
 * within script_start(). Between finished and script_free() the struct is the observation.
 */
#ifndef BRIDGECHECK_SCRIPT_H
#define BRIDGECHECK_SCRIPT_H

#include <stdbool.h>

#include "calls.h"
#include "connection.h"
#include "fence.h"

struct script;

/* What a script needs of its player. All of it has to last as long as the script. */
struct script_setup {
    struct connection_kit *kit;
    const struct sockaddr *address;
    socklen_t address_size;
    const char *token;   /* copied: marks this script's own requests */
    uint64_t patience;   /* milliseconds, of one wait */
    struct saved *saved; /* the session's values on this target */
    struct calls *calls;
    struct fence *fence;
    void (*finished)(void *context, struct script *script);
    void (*port_taken)(void *context, struct script *script); /* instead of finished: to be played again from other ports */
    /* Do a process step, or look whether what it waits for is so; asked until that is true, or the step's time is up. */
    bool (*process)(void *context, struct script *script, const struct exchange_step *step);
    void *context;
};

/* How a connection ended: see docs/exchange.md. */
enum script_end { SCRIPT_END_UNDECIDED, SCRIPT_END_OPEN, SCRIPT_END_CLOSED, SCRIPT_END_RESET, SCRIPT_END_SILENT, SCRIPT_END_OURS };

struct script_connection {
    const struct exchange_bytes *name;
    struct connection *connection;
    enum script_end end;
    /* What earlier waits have had. */
    size_t responses_waited, interims_waited, calls_waited;
    uint64_t messages_waited, frames_waited, frames_waited_of[16];
    char *frame; /* the bytes of the frame that was sent last. Owned */
    struct exchange_piece frame_piece;
    bool close_sent; /* a close frame was, by a step */
    /* While the end is found out. */
    size_t requests_begun; /* requests whose head was sent, not counting the marked one */
    size_t responses_due;  /* to those that were sent whole */
    bool cut_short;        /* a request was not sent whole: one more would be taken for the rest of it */
    bool asked_next;       /* the marked request was sent */
    uint64_t deadline;
};

/* What went wrong with a step. */
struct script_note {
    unsigned line;
    const char *fault; /* static */
};

enum script_stage { SCRIPT_STEPS, SCRIPT_ENDING, SCRIPT_CALLS, SCRIPT_FINISHED, SCRIPT_STUCK };

struct script {
    /* The observation. */
    const struct exchange *exchange;
    struct script_connection *connections; /* connection_count of them, in the order they were opened */
    size_t connection_count;
    struct calls_claimant claimant; /* its calls */
    struct script_note *notes;
    size_t note_count;
    bool settled;       /* every call ended and settled */
    bool refused;       /* a connect was refused: the target is gone */
    bool out_of_memory; /* the observation is not whole */
    bool ended;         /* the target's process was seen to end */
    bool needs_look;    /* the trace has to be read, then script_look() called, before anyone sleeps */

    /* Its own. */
    struct script_setup setup;
    char token[RESPONSE_TOKEN_MAX];
    char *marked_request; /* owned */
    struct exchange_piece marked_piece;
    int *sources; /* sockets bound to the ports of its connections, -1 when given to one. Owned */
    size_t source_count;
    size_t current, last_sent; /* connections */
    size_t step;
    bool begun;           /* the current step has begun and waits */
    bool untaken;         /* the first connection was opened ahead of its step */
    bool frame_under_way; /* the current step is a frame, and the WebSocket is there */
    bool implied;         /* a step that needs a connection is opening `main` */
    enum script_stage stage;
    enum { SCRIPT_FENCE_NONE, SCRIPT_FENCE_ASKED, SCRIPT_FENCE_ANSWERED } fence_state;
    struct fence_asker asker;
    uv_timer_t timer;
    bool time_is_up;
    uint64_t process_deadline; /* of a process step that waits */
    size_t note_capacity;
};

/* How many connections the exchange opens, which is how many ports it needs. */
size_t script_openings(const struct exchange *exchange);

/* The first step that concerns the target's process, or NULL. */
const struct exchange_step *script_process_step(const struct exchange *exchange);

/* A script of EXCHANGE over SOURCES, script_openings() sockets from connection_bind(), which it owns from here on, also when it fails.
 * NULL: out of memory. */
struct script *script_new(const struct script_setup *setup, const struct exchange *exchange, const int *sources);

/* Open the first connection, so that all targets have theirs before any is sent to. Returns 0, or -EADDRNOTAVAIL: play from another port.
 */
int script_open(struct script *script);

void script_start(struct script *script);

/* Whether it waits for something in the trace. */
bool script_awaits_trace(const struct script *script);

/* The trace was read. */
void script_look(struct script *script);

/* The connection a call belongs to that its port does not tell. */
unsigned script_likely_connection(const struct script *script);

/* It has finished: leave its connections, and let nothing be added to its calls. The observation stays. */
void script_leave(struct script *script);

/* NULL is let through. */
void script_free(struct script *script);

#endif
