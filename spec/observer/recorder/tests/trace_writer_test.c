/* The trace writer against real files: what a reader finds, whatever happens to the process that writes. */
#define _GNU_SOURCE
#include "../trace_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_SIZE TRACE_FILE_SIZE_MIN

/* Stands in for the C library's: a disk with room up to an offset, and writes of which each does only a part. */
static struct {
    off_t room;
    int full;
    int partial;
} disk;

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t offset) {
    if (disk.partial && (disk.partial = -disk.partial) < 0) {
        errno = EINTR;
        return -1;
    }
    if (disk.partial)
        return pwrite(file, pieces[0].iov_base, 1000, offset);
    if (disk.full && offset >= disk.room) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t written = 0;
    for (int i = 0; i < count && !(disk.full && offset + written >= disk.room); i++)
        written += pwrite(file, pieces[i].iov_base, pieces[i].iov_len, offset + written);
    return written;
}

struct fixture {
    char folder[64];
    char doorbell[96];
    int bell;
    struct trace_writer *writer;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/trace-writer-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->doorbell, sizeof fixture->doorbell, "%s/bell", fixture->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, fixture->doorbell);
    fixture->bell = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->bell, (struct sockaddr *)&address, sizeof address), 0);
    fixture->writer = trace_writer_new(fixture->folder, fixture->doorbell, FILE_SIZE);
    assert_non_null(fixture->writer);
    memset(&disk, 0, sizeof disk);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    trace_writer_free(fixture->writer);
    close(fixture->bell);
    chmod(fixture->folder, 0700);
    DIR *folder = opendir(fixture->folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* Payload: the number, repeated up to the size. Returns 0 where there is no room to be had. */
static int write_record(struct trace_writer *writer, enum trace_kind kind, uint32_t number, size_t size) {
    unsigned char *at = trace_writer_reserve(writer, size);
    if (at == NULL)
        return 0;
    memset(at, (int)(number & 0xff), size);
    struct trace_record record = {.kind = (uint16_t)kind, .call = number, .payload = (uint32_t)size, .stream_total = number};
    trace_writer_publish(writer, &record);
    return 1;
}

struct trace_file {
    unsigned char *map;
    size_t size;
};

static int open_trace(const struct fixture *fixture, pid_t pid, unsigned number, struct trace_file *trace) {
    char path[128];
    snprintf(path, sizeof path, "%s/%ld-%u.trace", fixture->folder, (long)pid, number);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return 0;
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    trace->size = (size_t)status.st_size;
    trace->map = mmap(NULL, trace->size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_ptr_not_equal(trace->map, MAP_FAILED);
    close(file);
    return 1;
}

static void close_trace(struct trace_file *trace) { munmap(trace->map, trace->size); }

static struct trace_header *header_of(struct trace_file *trace) { return (struct trace_header *)(void *)trace->map; }

/* Walks all files of a process; checks that every record is whole and that `call` counts up from *next. Returns the number of records. */
static unsigned walk(const struct fixture *fixture, pid_t pid, uint32_t *next, unsigned *files) {
    unsigned records = 0;
    struct trace_file trace;
    for (*files = 0; open_trace(fixture, pid, *files + 1, &trace); (*files)++) {
        struct trace_header *header = header_of(&trace);
        assert_memory_equal(header->magic, TRACE_MAGIC, 8);
        assert_int_equal(header->pid, pid);
        uint64_t committed = atomic_load(&header->committed);
        uint64_t at = sizeof *header;
        assert_true(committed >= at && committed <= trace.size);
        for (uint64_t last = 0; at < committed; records++) {
            const struct trace_record *record = (const struct trace_record *)(const void *)(trace.map + at);
            assert_int_equal(record->size % 8, 0);
            assert_true(record->size >= sizeof *record + record->payload && record->size < sizeof *record + record->payload + 8);
            assert_int_equal(record->call, *next);
            assert_int_equal(record->stream_total, *next);
            assert_true(record->nanoseconds >= last);
            last = record->nanoseconds;
            for (uint32_t i = 0; i < record->payload; i++)
                assert_int_equal(trace.map[at + sizeof *record + i], *next & 0xff);
            ++*next;
            at += record->size;
        }
        assert_int_equal(at, committed);
        close_trace(&trace);
    }
    return records;
}

static unsigned count_rings(struct fixture *fixture, const char *name) {
    char text[128];
    unsigned rings = 0;
    ssize_t size;
    while ((size = recv(fixture->bell, text, sizeof text - 1, 0)) >= 0) {
        text[size] = '\0';
        assert_string_equal(text, name);
        rings++;
    }
    return rings;
}

static int wait_for(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_nothing_is_opened_before_the_first_record(void **state) {
    struct fixture *fixture = *state;
    struct trace_file trace;
    assert_false(open_trace(fixture, getpid(), 1, &trace));
    assert_int_equal(trace_writer_generation(fixture->writer), 1);
    assert_int_equal(trace_writer_next_call(fixture->writer), 1);
    assert_false(open_trace(fixture, getpid(), 1, &trace));
    assert_int_equal(count_rings(fixture, ""), 0);
}

static void test_records_of_every_size_are_whole(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t size = 0; size < 300; size++)
        assert_true(write_record(fixture->writer, TRACE_SENT, size, size));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 300);
    assert_int_equal(files, 1);
}

static void test_a_reservation_that_is_not_published_leaves_no_mark(void **state) {
    struct fixture *fixture = *state;
    unsigned char *first = trace_writer_reserve(fixture->writer, 100);
    memset(first, 0xff, 100);
    assert_ptr_equal(trace_writer_reserve(fixture->writer, TRACE_VALUE_MAX), first);
    assert_true(write_record(fixture->writer, TRACE_SENT, 0, 9));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 1);
}

static void test_a_full_file_is_followed_by_the_next(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t number = 0; number < 1000; number++)
        assert_true(write_record(fixture->writer, TRACE_SENT, number, 5000 + number));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 1000);
    assert_true(files >= 3);
    assert_true(files <= 4);
}

static void test_the_longest_record_fits_and_a_longer_one_is_refused(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t number = 0; number < 3; number++)
        assert_true(write_record(fixture->writer, TRACE_SENT, number, TRACE_VALUE_MAX));
    assert_null(trace_writer_reserve(fixture->writer, TRACE_VALUE_MAX + 1));
    assert_true(write_record(fixture->writer, TRACE_SENT, 3, 1));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 4);
    assert_int_equal(files, 3);
}

static void test_a_child_has_a_file_of_its_own(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(trace_writer_next_call(fixture->writer), 1);
    assert_true(write_record(fixture->writer, TRACE_CALL, 0, 10));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int right = trace_writer_generation(fixture->writer) == 2 && trace_writer_generation(fixture->writer) == 2 &&
                    trace_writer_next_call(fixture->writer) == 1 && write_record(fixture->writer, TRACE_CALL, 0, 20) &&
                    write_record(fixture->writer, TRACE_SENT, 1, 30);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(wait_for(child), 0);
    assert_int_equal(trace_writer_generation(fixture->writer), 1);
    assert_int_equal(trace_writer_next_call(fixture->writer), 2);
    for (uint32_t number = 1; number < 4; number++)
        assert_true(write_record(fixture->writer, TRACE_SENT, number, 40));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 4);
    next = 0;
    assert_int_equal(walk(fixture, child, &next, &files), 2);
}

static void test_a_child_tries_again_where_its_parent_had_given_up(void **state) {
    (void)state;
    struct trace_writer *writer = trace_writer_new("/proc/self/no-folder", NULL, FILE_SIZE);
    assert_non_null(writer);
    int lines[2];
    assert_int_equal(pipe(lines), 0);
    int stderr_before = dup(STDERR_FILENO);
    dup2(lines[1], STDERR_FILENO);
    assert_false(write_record(writer, TRACE_CALL, 0, 1));
    assert_false(write_record(writer, TRACE_CALL, 0, 1));
    pid_t child = fork();
    if (child == 0) {
        trace_writer_generation(writer);
        _exit(write_record(writer, TRACE_CALL, 0, 1));
    }
    int status = wait_for(child);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    close(lines[1]);
    assert_int_equal(status, 0);
    char text[2000] = {0};
    size_t size = 0;
    for (ssize_t more; (more = read(lines[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)more;
    close(lines[0]);
    char expected[2000];
    const char *line = "bridgecheck_observer: process %ld cannot write its trace in '/proc/self/no-folder': No such file or directory; "
                       "the app runs on unobserved\n";
    int length = snprintf(expected, sizeof expected, line, (long)getpid());
    snprintf(expected + length, sizeof expected - (size_t)length, line, (long)child);
    assert_string_equal(text, expected);
    trace_writer_free(writer);
}

static void test_kill_leaves_whole_records(void **state) {
    struct fixture *fixture = *state;
    for (int round = 0; round < 5; round++) {
        int ready[2];
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            trace_writer_generation(fixture->writer);
            for (uint32_t number = 0;; number++) {
                if (!write_record(fixture->writer, TRACE_SENT, number, number % 500))
                    _exit(1);
                if (number == 1000 * (uint32_t)(round + 1) && write(ready[1], "", 1) != 1)
                    _exit(1);
            }
        }
        close(ready[1]);
        char byte;
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(WTERMSIG(wait_for(child)), SIGKILL);
        uint32_t next = 0;
        unsigned files;
        assert_true(walk(fixture, child, &next, &files) > 1000);
    }
}

static void test_a_reader_beside_the_writer_sees_only_whole_records(void **state) {
    struct fixture *fixture = *state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        trace_writer_generation(fixture->writer);
        for (uint32_t number = 0; number < 20000; number++) {
            if (!write_record(fixture->writer, TRACE_SENT, number, number % 50))
                _exit(1);
            if (number == 0 && write(ready[1], "", 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(ready[1]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    struct trace_file trace;
    assert_true(open_trace(fixture, child, 1, &trace));
    uint64_t at = sizeof(struct trace_header);
    for (uint32_t next = 0; next < 20000;) {
        uint64_t committed = atomic_load_explicit(&header_of(&trace)->committed, memory_order_acquire);
        for (; at < committed; next++) {
            const struct trace_record *record = (const struct trace_record *)(const void *)(trace.map + at);
            assert_int_equal(record->call, next);
            assert_int_equal(record->payload, next % 50);
            if (record->payload > 0)
                assert_int_equal(trace.map[at + sizeof *record + record->payload - 1], next & 0xff);
            at += record->size;
        }
    }
    close_trace(&trace);
    assert_int_equal(wait_for(child), 0);
}

static void test_the_doorbell_rings_when_armed_for_what_a_reader_waits_for(void **state) {
    struct fixture *fixture = *state;
    char name[64];
    snprintf(name, sizeof name, "%ld-1.trace", (long)getpid());
    assert_true(write_record(fixture->writer, TRACE_CALL, 0, 1));
    assert_int_equal(count_rings(fixture, name), 1); /* the file was opened */
    assert_true(write_record(fixture->writer, TRACE_CALL, 1, 1));
    assert_int_equal(count_rings(fixture, name), 0);
    struct trace_file trace;
    assert_true(open_trace(fixture, getpid(), 1, &trace));
    uint32_t number = 2;
    for (enum trace_kind kind = TRACE_CALL; kind <= TRACE_MARKED; kind++) {
        int awaited = kind == TRACE_CALL || kind == TRACE_RETURNED || kind == TRACE_RAISED || kind == TRACE_SETTLED;
        atomic_store(&header_of(&trace)->armed, 1);
        assert_true(write_record(fixture->writer, kind, number++, 1));
        assert_int_equal(count_rings(fixture, name), awaited ? 1 : 0);
        assert_int_equal(atomic_load(&header_of(&trace)->armed), awaited ? 0 : 1);
    }
    close_trace(&trace);
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), number);
}

static void test_a_new_file_rings_with_its_own_name(void **state) {
    struct fixture *fixture = *state;
    char name[64];
    snprintf(name, sizeof name, "%ld-1.trace", (long)getpid());
    assert_true(write_record(fixture->writer, TRACE_SENT, 0, TRACE_VALUE_MAX));
    assert_int_equal(count_rings(fixture, name), 1);
    snprintf(name, sizeof name, "%ld-2.trace", (long)getpid());
    assert_true(write_record(fixture->writer, TRACE_SENT, 1, TRACE_VALUE_MAX));
    assert_int_equal(count_rings(fixture, name), 1);
}

static void test_a_bell_that_no_one_hears_holds_no_one_up(void **state) {
    struct fixture *fixture = *state;
    char long_path[300];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    const char *bells[] = {"/proc/self/no-bell", long_path, "", NULL, fixture->doorbell};
    for (size_t i = 0; i < sizeof bells / sizeof *bells; i++) {
        struct trace_writer *writer = trace_writer_new(fixture->folder, bells[i], FILE_SIZE);
        assert_non_null(writer);
        /* The last bell is heard but never answered: 600 rings are more than its queue holds. */
        for (uint32_t number = 0; number < 600; number++) {
            struct trace_file trace;
            assert_true(write_record(writer, TRACE_CALL, number, 1));
            assert_true(open_trace(fixture, getpid(), (unsigned)i + 1, &trace));
            atomic_store(&header_of(&trace)->armed, 1);
            close_trace(&trace);
        }
        trace_writer_free(writer);
    }
}

static void test_an_earlier_process_of_this_pid_keeps_its_files(void **state) {
    struct fixture *fixture = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/%ld-1.trace", fixture->folder, (long)getpid());
    int old = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(old, "old", 3), 3);
    assert_true(write_record(fixture->writer, TRACE_CALL, 0, 1));
    struct stat status;
    assert_int_equal(fstat(old, &status), 0);
    assert_int_equal(status.st_size, 3);
    close(old);
    struct trace_file trace;
    assert_true(open_trace(fixture, getpid(), 2, &trace));
    close_trace(&trace);
}

/* Each way in which a file cannot be had is one line on stderr, no record and no crash. */
static void expect_failure(struct trace_writer *writer, uint32_t number, size_t size, const char *reason) {
    int lines[2];
    assert_int_equal(pipe(lines), 0);
    int stderr_before = dup(STDERR_FILENO);
    dup2(lines[1], STDERR_FILENO);
    int written = write_record(writer, TRACE_CALL, number, size);
    int again = write_record(writer, TRACE_CALL, number, 1);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    close(lines[1]);
    char text[2000] = {0};
    assert_true(read(lines[0], text, sizeof text - 1) > 0);
    close(lines[0]);
    assert_false(written);
    assert_false(again);
    assert_non_null(strstr(text, reason));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_without_a_folder(void **state) {
    (void)state;
    const char *folders[] = {NULL, ""};
    for (size_t i = 0; i < 2; i++) {
        struct trace_writer *writer = trace_writer_new(folders[i], NULL, FILE_SIZE);
        expect_failure(writer, 0, 1, "BRIDGECHECK_TRACE is not set");
        trace_writer_free(writer);
    }
}

static void test_with_a_folder_whose_path_is_too_long(void **state) {
    (void)state;
    char folder[5000];
    memset(folder, 'x', sizeof folder - 1);
    folder[sizeof folder - 1] = '\0';
    struct trace_writer *writer = trace_writer_new(folder, NULL, FILE_SIZE);
    expect_failure(writer, 0, 1, "File name too long; the app runs on unobserved");
    trace_writer_free(writer);
}

static void test_with_a_file_that_may_not_grow(void **state) {
    struct fixture *fixture = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20});
        trace_writer_generation(fixture->writer);
        expect_failure(fixture->writer, 0, 1, "File too large");
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    DIR *folder = opendir(fixture->folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        assert_true(entry->d_name[0] == '.' || strcmp(entry->d_name, "bell") == 0);
    closedir(folder);
}

static void test_with_a_disk_that_fills_up(void **state) {
    struct fixture *fixture = *state;
    disk.room = 1 << 20;
    disk.full = 1;
    for (uint32_t number = 0; number < 150; number++)
        assert_true(write_record(fixture->writer, TRACE_SENT, number, 5000));
    expect_failure(fixture->writer, 150, 400000, "No space left on device");
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 150);
}

static void test_with_a_disk_that_has_no_room_for_a_header(void **state) {
    struct fixture *fixture = *state;
    disk.room = 0;
    disk.full = 1;
    expect_failure(fixture->writer, 0, 1, "No space left on device");
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 0);
}

static void test_a_disk_that_takes_its_time_is_written_all_the_same(void **state) {
    struct fixture *fixture = *state;
    disk.partial = 1;
    for (uint32_t number = 0; number < 300; number++)
        assert_true(write_record(fixture->writer, TRACE_SENT, number, 5000));
    uint32_t next = 0;
    unsigned files;
    assert_int_equal(walk(fixture, getpid(), &next, &files), 300);
}

static void test_with_no_room_to_map_a_file(void **state) {
    struct fixture *fixture = *state;
    struct trace_writer *writer = trace_writer_new(fixture->folder, NULL, 1ull << 42);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_AS, &(struct rlimit){1ull << 40, 1ull << 40});
        trace_writer_generation(writer);
        expect_failure(writer, 0, 1, "Cannot allocate memory");
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    trace_writer_free(writer);
}

static void test_a_file_size_below_the_least_is_refused(void **state) {
    struct fixture *fixture = *state;
    assert_null(trace_writer_new(fixture->folder, NULL, TRACE_FILE_SIZE_MIN - 1));
    trace_writer_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_opened_before_the_first_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_records_of_every_size_are_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reservation_that_is_not_published_leaves_no_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_file_is_followed_by_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_longest_record_fits_and_a_longer_one_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_child_has_a_file_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_child_tries_again_where_its_parent_had_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill_leaves_whole_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reader_beside_the_writer_sees_only_whole_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_doorbell_rings_when_armed_for_what_a_reader_waits_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_file_rings_with_its_own_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bell_that_no_one_hears_holds_no_one_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_earlier_process_of_this_pid_keeps_its_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_a_folder_whose_path_is_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_a_file_that_may_not_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_a_disk_that_fills_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_a_disk_that_has_no_room_for_a_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_that_takes_its_time_is_written_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_no_room_to_map_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_size_below_the_least_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
