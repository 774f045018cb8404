/* guard.h: a guard process that starts one server, and leaves nothing of it behind whatever becomes of the process that asked for it.
 *
 * Owns the guard: its fork, the control socket, the killing of what remains. Knows nothing of Python, ports or servers' names.
 *
 *     gate ── control socket ── guard (session of its own, child subreaper) ── server (session of its own) ── workers …
 *
 * The guard lives from guard_start() until nothing that the server started is left: it ends by itself after the server ended, or when the
 * other end of the control socket is closed, which also happens when the gate is killed. Descendants are found whatever group or session
 * they moved to, since orphans of a subreaper's descendants become its children. All of them are killed with SIGKILL, parents before
 * children.
 *
 * The control socket keeps message boundaries. Each message to the guard is one byte, the number of a signal for the server. Each message
 * from it is a struct guard_report. The end of the stream means that the guard is gone.
 */
#ifndef BRIDGECHECK_GUARD_H
#define BRIDGECHECK_GUARD_H

#include <stdint.h>
#include <sys/types.h>

enum guard_report_kind {
    GUARD_STARTED = 's',     /* value: the server's process id. Taken by guard_start() */
    GUARD_NO_FOLDER = 'd',   /* value: errno of chdir. Taken by guard_start() */
    GUARD_NO_EXEC = 'x',     /* value: errno of execve. Taken by guard_start() */
    GUARD_NO_GUARD = 'f',    /* value: errno of something else. Taken by guard_start() */
    GUARD_EXITED = 'e',      /* value: the server's exit code */
    GUARD_SIGNALLED = 'k',   /* value: the signal that ended the server */
    GUARD_NOTHING_LEFT = 'g' /* the server and all its descendants are gone, and reaped; the last report */
};

struct guard_report {
    int32_t kind;
    int32_t value;
};

/* What to start. Nothing of it is needed after guard_start() has returned. */
struct guard_request {
    char *const *arguments;   /* ends with NULL; the first one is the path of the executable, not searched for */
    char *const *environment; /* ends with NULL */
    const char *folder;       /* working folder */
    int output;               /* becomes stdout and stderr; stays the caller's */
};

struct guard {
    pid_t
        pid; /* of the guard, a child of the caller, who waits for it. Its resource usage is the guard's and all the server's processes' */
    pid_t server; /* leads a session and a process group; ends with the guard */
    int control;  /* the caller's end of the control socket, close-on-exec; the caller's to close */
};

/* Start a guard and, under it, the server, with default signal dispositions, an empty signal mask, stdin from /dev/null and no other file
 * than the output. Returns 0 and *GUARD once the server's executable runs; or -1, errno, and what could not be done in *KIND (GUARD_NO_…),
 * with nothing left to close, kill or wait for. */
int guard_start(const struct guard_request *request, struct guard *guard, enum guard_report_kind *kind);

#endif
