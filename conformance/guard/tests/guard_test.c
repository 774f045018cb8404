/* The guard, with servers that are shell scripts: what it reports, and that nothing is left. */
#define _GNU_SOURCE
#include "../guard.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *const no_environment[] = {"PATH=/usr/bin:/bin", NULL};

struct started {
    struct guard guard;
    FILE *output; /* what the server writes, line by line */
};

static int start(const char *script, struct started *started, const char *folder) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char *const arguments[] = {"/bin/sh", "-c", (char *)script, NULL};
    struct guard_request request = {.arguments = arguments, .environment = no_environment, .folder = folder, .output = ends[1]};
    enum guard_report_kind kind;
    int status = guard_start(&request, &started->guard, &kind);
    close(ends[1]);
    started->output = fdopen(ends[0], "r");
    assert_non_null(started->output);
    return status;
}

static struct started run(const char *script) {
    struct started started;
    assert_int_equal(start(script, &started, "/"), 0);
    struct timeval patience = {.tv_sec = 20};
    assert_int_equal(setsockopt(started.guard.control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return started;
}

static long number(struct started *started) {
    char line[100];
    assert_non_null(fgets(line, sizeof line, started->output));
    return strtol(line, NULL, 10);
}

static void assert_report(struct started *started, enum guard_report_kind kind, int value) {
    struct guard_report report;
    assert_int_equal(recv(started->guard.control, &report, sizeof report, 0), sizeof report);
    assert_int_equal(report.kind, kind);
    assert_int_equal(report.value, value);
}

static void command(struct started *started, unsigned char signal_number) {
    assert_int_equal(send(started->guard.control, &signal_number, 1, MSG_NOSIGNAL), 1);
}

static void assert_gone(long pid) {
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void finish(struct started *started) {
    struct guard_report report;
    while (recv(started->guard.control, &report, sizeof report, 0) > 0)
        ;
    close(started->guard.control);
    assert_int_equal(waitpid(started->guard.pid, NULL, 0), started->guard.pid);
    assert_gone(started->guard.server);
    fclose(started->output);
}

static void close_and_finish(struct started *started) {
    close(started->guard.control);
    assert_int_equal(waitpid(started->guard.pid, NULL, 0), started->guard.pid);
    assert_gone(started->guard.server);
    fclose(started->output);
}

static void reports_the_exit_code(void **state) {
    (void)state;
    struct started started = run("exit 7");
    assert_report(&started, GUARD_EXITED, 7);
    assert_report(&started, GUARD_NOTHING_LEFT, 0);
    finish(&started);
}

static void passes_a_signal_on_and_reports_what_it_did(void **state) {
    (void)state;
    struct started started = run("echo 1; exec sleep 60");
    number(&started);
    command(&started, SIGTERM);
    assert_report(&started, GUARD_SIGNALLED, SIGTERM);
    finish(&started);
}

static void passes_on_one_signal_after_the_other(void **state) {
    (void)state;
    struct started started = run("trap 'echo 2' HUP; trap 'exit 5' INT; echo 1; while :; do sleep 0.01; done");
    assert_int_equal(number(&started), 1);
    command(&started, SIGHUP);
    assert_int_equal(number(&started), 2);
    command(&started, SIGINT);
    assert_report(&started, GUARD_EXITED, 5);
    finish(&started);
}

static void kills_what_moved_away_when_the_caller_closes(void **state) {
    (void)state;
    struct started started = run("setsid sh -c 'trap \"\" TERM HUP INT; echo $$; setsid sleep 61 & echo $!; wait' & sleep 60");
    long away = number(&started), further = number(&started);
    close_and_finish(&started);
    assert_gone(away);
    assert_gone(further);
}

static void kills_what_the_server_leaves_behind(void **state) {
    (void)state;
    struct started started = run("sleep 60 & echo $!; setsid sleep 61 & echo $!; exit 3");
    long group = number(&started), away = number(&started);
    assert_report(&started, GUARD_EXITED, 3);
    assert_report(&started, GUARD_NOTHING_LEFT, 0);
    assert_gone(group);
    assert_gone(away);
    finish(&started);
}

static void kills_more_children_than_one_look_shows(void **state) {
    (void)state;
    struct started started = run("i=0; while [ $i -lt 700 ]; do setsid sleep 60 & i=$((i + 1)); done; echo $!; exit 0");
    long last = number(&started);
    assert_report(&started, GUARD_EXITED, 0);
    assert_report(&started, GUARD_NOTHING_LEFT, 0);
    assert_gone(last);
    finish(&started);
}

static void the_server_does_not_outlive_its_guard(void **state) {
    (void)state;
    struct started started = run("echo 1; exec sleep 60");
    number(&started);
    assert_int_equal(kill(started.guard.pid, SIGKILL), 0);
    assert_int_equal(waitpid(started.guard.pid, NULL, 0), started.guard.pid);
    char line[10];
    assert_null(fgets(line, sizeof line, started.output)); /* its output ends with it */
    close(started.guard.control);
    fclose(started.output);
}

static void an_executable_that_is_none_is_an_error(void **state) {
    (void)state;
    char *const arguments[] = {"/nowhere/server", NULL};
    struct guard_request request = {.arguments = arguments, .environment = no_environment, .folder = "/", .output = STDOUT_FILENO};
    struct guard guard;
    enum guard_report_kind kind;
    assert_int_equal(guard_start(&request, &guard, &kind), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(kind, GUARD_NO_EXEC);
    assert_int_equal(waitpid(-1, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_folder_that_is_none_is_an_error(void **state) {
    (void)state;
    char *const arguments[] = {"/bin/true", NULL};
    struct guard_request request = {.arguments = arguments, .environment = no_environment, .folder = "/dev/null", .output = STDOUT_FILENO};
    struct guard guard;
    enum guard_report_kind kind;
    assert_int_equal(guard_start(&request, &guard, &kind), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(kind, GUARD_NO_FOLDER);
    assert_int_equal(waitpid(-1, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static int open_files(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* With 0, 1, 2 ... free places in the file table: each of the calls that open something fails in turn, and nothing stays open. */
static void each_file_that_cannot_be_had_is_an_error(void **state) {
    (void)state;
    char *const arguments[] = {"/bin/true", NULL};
    struct guard_request request = {.arguments = arguments, .environment = no_environment, .folder = "/", .output = STDOUT_FILENO};
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int free_place = dup(STDOUT_FILENO), files;
    close(free_place);
    files = open_files();
    int failed = 0;
    for (int places = 0; places < 16; places++) {
        tight = (struct rlimit){.rlim_cur = (rlim_t)(free_place + places), .rlim_max = before.rlim_max};
        struct guard guard;
        enum guard_report_kind kind;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        int status = guard_start(&request, &guard, &kind), error = errno;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (status == 0) {
            close(guard.control);
            assert_int_equal(waitpid(guard.pid, NULL, 0), guard.pid);
            break;
        }
        failed++;
        assert_true(error == EMFILE || error == EINVAL); /* F_DUPFD_CLOEXEC from 3 on says EINVAL where the limit is below that */
        assert_int_equal(kind, GUARD_NO_GUARD);
        assert_int_equal(open_files(), files);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    }
    assert_true(failed >= 4);
    assert_int_equal(open_files(), files);
}

/* A pipe of the caller comes to its end although guard and server run: neither has it open. */
static void the_callers_files_are_not_held(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0); /* without close-on-exec */
    struct started started = run("echo 1; exec sleep 60");
    number(&started);
    close(ends[1]);
    char byte;
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    close_and_finish(&started);
}

static void the_server_has_standard_files_and_no_other(void **state) {
    (void)state;
    struct started started = run("for fd in /proc/$$/fd/*; do readlink $fd || :; done");
    char line[100];
    assert_non_null(fgets(line, sizeof line, started.output));
    assert_string_equal(line, "/dev/null\n");
    for (int fd = 1; fd <= 2; fd++) {
        assert_non_null(fgets(line, sizeof line, started.output));
        assert_int_equal(strncmp(line, "pipe:", 5), 0);
    }
    assert_null(fgets(line, sizeof line, started.output));
    finish(&started);
}

static void the_server_has_default_signals(void **state) {
    (void)state;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    /* Signals 32 and 33 are the C library's own, and it lets nobody change them: some make leaves them ignored. */
    struct started started = run("exec grep -c -E 'Sig(Blk|Ign):\\s0{7}[01][08]0{7}$' /proc/self/status");
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, handler);
    assert_int_equal(number(&started), 2);
    finish(&started);
}

static void the_server_leads_a_session_of_its_own(void **state) {
    (void)state;
    struct started started = run("echo $$; exec sleep 60");
    long pid = number(&started);
    assert_int_equal(pid, started.guard.server);
    assert_int_equal(getsid((pid_t)pid), pid);
    assert_int_not_equal(getsid(started.guard.pid), getsid(0));
    close_and_finish(&started);
}

static void a_caller_without_standard_files_is_served(void **state) {
    (void)state;
    int saved[3];
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        close(fd);
    }
    struct started started;
    int status = start("echo 42; exec sleep 60", &started, "/"); /* its pipe and socket get the numbers 0, 1, 2 */
    long said = status == 0 ? number(&started) : 0;
    if (status == 0) {
        close(started.guard.control);
        waitpid(started.guard.pid, NULL, 0);
    }
    fclose(started.output);
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    assert_int_equal(status, 0);
    assert_int_equal(said, 42);
}

static void the_servers_cpu_time_is_in_the_guards_usage(void **state) {
    (void)state;
    struct started started = run("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done");
    assert_report(&started, GUARD_EXITED, 0);
    struct rusage usage;
    assert_int_equal(wait4(started.guard.pid, NULL, 0, &usage), started.guard.pid);
    assert_true(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec > 1000);
    close(started.guard.control);
    fclose(started.output);
}

int main(void) {
    alarm(120); /* what is broken here tends to wait for ever */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_the_exit_code),
        cmocka_unit_test(passes_a_signal_on_and_reports_what_it_did),
        cmocka_unit_test(passes_on_one_signal_after_the_other),
        cmocka_unit_test(kills_what_moved_away_when_the_caller_closes),
        cmocka_unit_test(kills_what_the_server_leaves_behind),
        cmocka_unit_test(kills_more_children_than_one_look_shows),
        cmocka_unit_test(the_server_does_not_outlive_its_guard),
        cmocka_unit_test(an_executable_that_is_none_is_an_error),
        cmocka_unit_test(a_folder_that_is_none_is_an_error),
        cmocka_unit_test(each_file_that_cannot_be_had_is_an_error),
        cmocka_unit_test(the_callers_files_are_not_held),
        cmocka_unit_test(the_server_has_standard_files_and_no_other),
        cmocka_unit_test(the_server_has_default_signals),
        cmocka_unit_test(the_server_leads_a_session_of_its_own),
        cmocka_unit_test(a_caller_without_standard_files_is_served),
        cmocka_unit_test(the_servers_cpu_time_is_in_the_guards_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
