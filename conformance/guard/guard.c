/* The guard process. Between its fork and its end only async-signal-safe functions are called: the caller may have threads, and a lock that
 * one of them held at the fork stays locked here for ever. It is a fork and no vfork because the guard outlives the call. */
#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 10 /* at children, should one have been missed between two looks */

/* The guard's own state, on its stack. */
struct keeper {
    int control;
    int output;
    int signals;   /* signalfd: a child changed */
    int children;  /* /proc/thread-self/children */
    pid_t server;  /* 0 once it was reaped, so that no signal goes to another process with its number */
    pid_t session; /* the server's process group */
};

static void report(int control, enum guard_report_kind kind, int value) {
    struct guard_report message = {.kind = (int32_t)kind, .value = value};
    (void)!send(control, &message, sizeof message, MSG_NOSIGNAL); /* a caller that is gone needs no report */
}

static void close_range_or_each(unsigned first, unsigned last) {
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    struct rlimit limit;
    unsigned end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX ? (unsigned)limit.rlim_cur : 65536;
    for (unsigned fd = first; fd <= last && fd < end; fd++)
        close((int)fd);
}

/* Whatever files the caller has are not the guard's: a pipe that it kept open would never come to its end. */
static void close_all_but(int one, int other) {
    unsigned low = (unsigned)(one < other ? one : other), high = (unsigned)(one < other ? other : one);
    close_range_or_each(0, low - 1); /* both lie above the standard files */
    close_range_or_each(low + 1, high - 1);
    close_range_or_each(high + 1, UINT_MAX);
}

/* In the server's process. Tells through `result` what failed; says nothing when the executable runs, since `result` is closed then. */
static _Noreturn void become_server(const struct guard_request *request, const struct keeper *keeper, pid_t guard, int result) {
    struct guard_report failed = {.kind = GUARD_NO_GUARD, .value = 0};
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    setsid();
    /* Should somebody kill the guard itself. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != guard)
        goto fail;
    if (dup2(keeper->output, STDOUT_FILENO) < 0 || dup2(keeper->output, STDERR_FILENO) < 0)
        goto fail;
    if (chdir(request->folder) < 0) {
        failed.kind = GUARD_NO_FOLDER;
        goto fail;
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->arguments[0], request->arguments, request->environment);
    failed.kind = GUARD_NO_EXEC;
fail:
    failed.value = errno;
    (void)!write(result, &failed, sizeof failed);
    _exit(127);
}

/* Returns 0, or -1 after it reported why not. */
static int start_server(const struct guard_request *request, struct keeper *keeper) {
    int result[2];
    if (pipe2(result, O_CLOEXEC) < 0) {
        report(keeper->control, GUARD_NO_GUARD, errno);
        return -1;
    }
    pid_t guard = getpid(), server = fork();
    if (server == 0)
        become_server(request, keeper, guard, result[1]);
    if (server < 0) {
        report(keeper->control, GUARD_NO_GUARD, errno);
        close(result[0]);
        close(result[1]);
        return -1;
    }
    close(result[1]);
    struct guard_report failed;
    ssize_t size = read(result[0], &failed, sizeof failed); /* all signals are blocked: no EINTR */
    close(result[0]);
    if (size == (ssize_t)sizeof failed) {
        waitpid(server, NULL, 0);
        report(keeper->control, (enum guard_report_kind)failed.kind, failed.value);
        return -1;
    }
    keeper->server = keeper->session = server;
    report(keeper->control, GUARD_STARTED, server);
    return 0;
}

/* Reap every child that ended. Returns 0 when no child is left. */
static int reap(struct keeper *keeper) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != keeper->server)
            continue;
        keeper->server = 0;
        if (WIFSIGNALED(status))
            report(keeper->control, GUARD_SIGNALLED, WTERMSIG(status));
        else
            report(keeper->control, GUARD_EXITED, WEXITSTATUS(status));
    }
    return pid == 0;
}

static void kill_children(const struct keeper *keeper) {
    char text[4096];
    off_t offset = 0;
    pid_t pid = 0;
    ssize_t size;
    while ((size = pread(keeper->children, text, sizeof text, offset)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid > 0) {
                kill(pid, SIGKILL); /* our own child, not yet reaped: the number is still its */
                pid = 0;
            }
        }
        offset += size;
    }
}

/* The children of a child that was killed become ours in their turn, until there are none. */
static void kill_all(struct keeper *keeper) {
    if (keeper->server)
        kill(-keeper->session, SIGKILL); /* at one blow, before a server can see a worker die and start another */
    do {
        kill_children(keeper);
        struct pollfd changed = {.fd = keeper->signals, .events = POLLIN};
        struct signalfd_siginfo ignored;
        if (reap(keeper) && poll(&changed, 1, LOOK_AGAIN_MS) > 0)
            (void)!read(keeper->signals, &ignored, sizeof ignored);
    } while (reap(keeper));
}

static void watch(struct keeper *keeper) {
    struct pollfd ready[] = {{.fd = keeper->control, .events = POLLIN}, {.fd = keeper->signals, .events = POLLIN}};
    while (keeper->server) {
        if (poll(ready, 2, -1) < 0)
            return;
        if (ready[0].revents) {
            unsigned char number;
            if (recv(keeper->control, &number, 1, 0) != 1)
                return; /* the caller closed it, or is no more */
            kill(keeper->server, number);
        }
        if (ready[1].revents) {
            struct signalfd_siginfo ignored;
            (void)!read(keeper->signals, &ignored, sizeof ignored);
            reap(keeper);
        }
    }
}

static _Noreturn void run(const struct guard_request *request, int control, int output) {
    struct keeper keeper = {.control = control, .output = output};
    close_all_but(control, output);
    prctl(PR_SET_NAME, "bridgecheck-gd");
    setsid(); /* Ctrl-C in the caller's terminal is for the caller */
    signal(SIGCHLD, SIG_DFL);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (open("/dev/null", O_RDWR) != STDIN_FILENO || dup2(STDIN_FILENO, STDOUT_FILENO) < 0 || dup2(STDIN_FILENO, STDERR_FILENO) < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || (keeper.signals = signalfd(-1, &child, SFD_CLOEXEC)) < 0 ||
        (keeper.children = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC)) < 0) {
        report(control, GUARD_NO_GUARD, errno);
        _exit(1);
    }
    if (start_server(request, &keeper) < 0)
        _exit(1);
    watch(&keeper);
    kill_all(&keeper);
    report(control, GUARD_NOTHING_LEFT, 0);
    _exit(0);
}

int guard_start(const struct guard_request *request, struct guard *guard, enum guard_report_kind *kind) {
    int ends[2], error, control = -1, output = -1;
    *kind = GUARD_NO_GUARD;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    /* Above the standard files, which the guard replaces. */
    if ((control = fcntl(ends[1], F_DUPFD_CLOEXEC, 3)) < 0 || (output = fcntl(request->output, F_DUPFD_CLOEXEC, 3)) < 0) {
        error = errno;
        goto close_ends;
    }
    /* Blocked here for the guard, which inherits the mask: none of the caller's handlers may ever run in it. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run(request, control, output);
    error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        goto close_ends;
    close(ends[1]);
    close(control);
    close(output);
    struct guard_report first;
    ssize_t size;
    while ((size = recv(ends[0], &first, sizeof first, 0)) < 0 && errno == EINTR)
        ;
    if (size == (ssize_t)sizeof first && first.kind == GUARD_STARTED) {
        *guard = (struct guard){.pid = pid, .server = first.value, .control = ends[0]};
        return 0;
    }
    error = EIO; /* the guard was killed before it could say anything */
    if (size == (ssize_t)sizeof first) {
        *kind = (enum guard_report_kind)first.kind;
        error = first.value;
    }
    close(ends[0]);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    errno = error;
    return -1;

close_ends:
    close(ends[0]);
    close(ends[1]);
    if (control >= 0)
        close(control);
    if (output >= 0)
        close(output);
    errno = error;
    return -1;
}
