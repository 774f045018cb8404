#define _GNU_SOURCE /* pwritev, MADV_WIPEONFORK, MADV_POPULATE_WRITE */
#include "trace_writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older headers and kernels do without */
#define MADV_POPULATE_WRITE 23
#endif

/* The file is filled with zeros ahead of the records, in steps of this size. Page by page, faults in a sparse file cost eight times as much
 * (8.5 µs a page on ext4 against about 1), and a full disk would be a SIGBUS in the app's process instead of an error here. Zeros that are
 * written are dearer on paper than blocks that are only reserved (fallocate), yet cost less and vary less: the pages come in large pieces,
 * with nothing to convert later. */
#define STEP (256u << 10)
#define ZEROS 4096u

#define NAME_SIZE 64

static_assert(sizeof(struct trace_header) == 64, "the reader counts on it");
static_assert(sizeof(struct trace_record) == 40, "the reader counts on it");
static_assert(sizeof(struct trace_header) + STEP + sizeof(struct trace_record) + TRACE_VALUE_MAX < TRACE_FILE_SIZE_MIN, "one record fits");

struct trace_writer {
    char *folder;
    char *doorbell;
    uint64_t file_size;

    unsigned char *fork_guard; /* a page that the kernel hands to a child as zeros; NULL where it does not, then the pid is compared */
    pid_t pid;
    uint32_t generation;
    uint32_t calls;
    int failed; /* the line was written; no more attempts in this process */

    unsigned number; /* of the file that is open, or was last */
    char name[NAME_SIZE];
    int file;
    int socket;
    unsigned char *map; /* NULL: no file open */
    uint64_t end;       /* of the last published record */
    uint64_t backed;    /* up to here the file has its blocks */
};

static struct trace_header *header_of(const struct trace_writer *writer) { return (struct trace_header *)(void *)writer->map; }

static char *copy_text(const char *text) { return strdup(text == NULL ? "" : text); }

static void close_file(struct trace_writer *writer) {
    if (writer->map != NULL)
        munmap(writer->map, writer->file_size);
    if (writer->file >= 0)
        close(writer->file);
    writer->map = NULL;
    writer->file = -1;
}

static void close_all(struct trace_writer *writer) {
    close_file(writer);
    if (writer->socket >= 0)
        close(writer->socket);
    writer->socket = -1;
}

struct trace_writer *trace_writer_new(const char *folder, const char *doorbell, uint64_t file_size) {
    if (file_size < TRACE_FILE_SIZE_MIN)
        return NULL;
    struct trace_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return NULL;
    writer->file = writer->socket = -1;
    writer->file_size = file_size;
    writer->generation = 1;
    writer->pid = getpid();
    writer->folder = copy_text(folder);
    writer->doorbell = copy_text(doorbell);
    if (writer->folder == NULL || writer->doorbell == NULL) {
        trace_writer_free(writer);
        return NULL;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *guard = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard != MAP_FAILED) {
        if (madvise(guard, page, MADV_WIPEONFORK) == 0) {
            writer->fork_guard = guard;
            *writer->fork_guard = 1;
        } else {
            munmap(guard, page);
        }
    }
    return writer;
}

void trace_writer_free(struct trace_writer *writer) {
    if (writer == NULL)
        return;
    close_all(writer);
    if (writer->fork_guard != NULL)
        munmap(writer->fork_guard, (size_t)sysconf(_SC_PAGESIZE));
    free(writer->folder);
    free(writer->doorbell);
    free(writer);
}

static void become_child(struct trace_writer *writer) {
    close_all(writer); /* the parent keeps its own */
    writer->pid = getpid();
    writer->generation++;
    writer->calls = 0;
    writer->number = 0;
    writer->failed = 0;
    if (writer->fork_guard != NULL)
        *writer->fork_guard = 1;
}

uint32_t trace_writer_generation(struct trace_writer *writer) {
    int forked = writer->fork_guard != NULL ? *writer->fork_guard == 0 : writer->pid != getpid();
    if (forked)
        become_child(writer);
    return writer->generation;
}

uint32_t trace_writer_next_call(struct trace_writer *writer) { return ++writer->calls; }

static void fail(struct trace_writer *writer, int error) {
    close_all(writer);
    writer->failed = 1;
    const char *reason = error == 0 ? "BRIDGECHECK_TRACE is not set" : strerror(error);
    /* One write, so that several workers' lines do not mix; a long path is cut, so that the reason is not. */
    char line[1024];
    int size = snprintf(line, sizeof line,
                        "bridgecheck_observer: process %ld cannot write its trace in '%.700s': %s; the app runs on unobserved\n",
                        (long)writer->pid, writer->folder, reason);
    if (write(STDERR_FILENO, line, (size_t)size) < 0)
        return; /* no one is left to tell */
}

/* Blocks and pages for the file up to END. Returns 0, or an errno. */
static int back(struct trace_writer *writer, uint64_t end) {
    static const unsigned char zeros[ZEROS];
    uint64_t start = writer->backed;
    uint64_t target = (end + STEP - 1) / STEP * STEP;
    if (target > writer->file_size)
        target = writer->file_size;
    while (writer->backed < target) {
        struct iovec pieces[STEP / ZEROS];
        int count = 0;
        for (uint64_t left = target - writer->backed; left > 0 && count < (int)(STEP / ZEROS); count++) {
            pieces[count].iov_base = (void *)(uintptr_t)zeros; /* only read */
            pieces[count].iov_len = left < ZEROS ? left : ZEROS;
            left -= pieces[count].iov_len;
        }
        ssize_t written = pwritev(writer->file, pieces, count, (off_t)writer->backed);
        if (written < 0 && errno != EINTR)
            return errno;
        writer->backed += written < 0 ? 0 : (uint64_t)written;
    }
    /* Only speed: where the kernel does not know it the pages are mapped one by one. */
    uint64_t page = start / STEP * STEP;
    (void)madvise(writer->map + page, target - page, MADV_POPULATE_WRITE);
    return 0;
}

static void ring(struct trace_writer *writer) {
    if (writer->doorbell[0] == '\0')
        return;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(writer->doorbell);
    if (size >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, writer->doorbell, size + 1);
    if (writer->socket < 0)
        writer->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (writer->socket >= 0)
        (void)!sendto(writer->socket, writer->name, strlen(writer->name), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address,
                      sizeof address);
}

static int path_in(const struct trace_writer *writer, const char *suffix, char *path) {
    int size = snprintf(path, PATH_MAX, "%s/%ld-%u%s", writer->folder, (long)writer->pid, writer->number, suffix);
    return size < PATH_MAX ? 0 : ENAMETOOLONG;
}

/* Under a name of its own until the header is whole, so that a reader never meets half of it. Returns 0, or an errno. */
static int open_next(struct trace_writer *writer) {
    char path[PATH_MAX], opening[PATH_MAX];
    int error;
    if (writer->folder[0] == '\0')
        return -1;
    close_file(writer);
    do { /* an earlier process may have had this pid */
        writer->number++;
        if ((error = path_in(writer, ".trace", path)) != 0 || (error = path_in(writer, ".opening", opening)) != 0)
            return error;
    } while (access(path, F_OK) == 0);
    snprintf(writer->name, sizeof writer->name, "%ld-%u.trace", (long)writer->pid, writer->number);
    writer->file = open(opening, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (writer->file < 0)
        return errno;
    if (ftruncate(writer->file, (off_t)writer->file_size) != 0) {
        error = errno;
        goto remove;
    }
    void *map = mmap(NULL, writer->file_size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->file, 0);
    if (map == MAP_FAILED) {
        error = errno;
        goto remove;
    }
    writer->map = map;
    writer->backed = 0;
    if ((error = back(writer, sizeof(struct trace_header))) != 0)
        goto remove;
    struct trace_header *header = header_of(writer);
    memcpy(header->magic, TRACE_MAGIC, sizeof header->magic);
    header->pid = (uint32_t)writer->pid;
    writer->end = sizeof *header;
    atomic_store_explicit(&header->committed, writer->end, memory_order_release);
    if (rename(opening, path) != 0) {
        error = errno;
        goto remove;
    }
    ring(writer);
    return 0;

remove:
    close_file(writer);
    unlink(opening);
    return error;
}

unsigned char *trace_writer_reserve(struct trace_writer *writer, size_t room) {
    if (writer->failed || room > TRACE_VALUE_MAX)
        return NULL;
    int error = 0;
    uint64_t need = sizeof(struct trace_record) + (room + 7) / 8 * 8;
    if (writer->map == NULL || need > writer->file_size - writer->end) {
        if ((error = open_next(writer)) != 0)
            goto failed;
    }
    if (writer->end + need > writer->backed && (error = back(writer, writer->end + need)) != 0)
        goto failed;
    return writer->map + writer->end + sizeof(struct trace_record);

failed:
    fail(writer, error < 0 ? 0 : error);
    return NULL;
}

void trace_writer_publish(struct trace_writer *writer, const struct trace_record *record) {
    struct trace_record *place = (struct trace_record *)(void *)(writer->map + writer->end);
    struct trace_header *header = header_of(writer);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *place = *record;
    place->size = (uint32_t)(sizeof *record + (record->payload + 7) / 8 * 8);
    place->nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    writer->end += place->size;
    atomic_store_explicit(&header->committed, writer->end, memory_order_release);
    int awaited =
        record->kind == TRACE_CALL || record->kind == TRACE_RETURNED || record->kind == TRACE_RAISED || record->kind == TRACE_SETTLED;
    if (!awaited)
        return;
    /* Either this load sees the reader's `armed`, or the reader's look after arming sees this record; without the fence both could miss. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&header->armed, memory_order_relaxed) != 0 && atomic_exchange(&header->armed, 0) != 0)
        ring(writer);
}
