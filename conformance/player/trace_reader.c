#define _POSIX_C_SOURCE 200809L
#include "trace_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

static const char SUFFIX[] = ".trace";

#define FILES_FIRST 8u
#define BUFFER_FIRST (64u << 10)
#define RECORD_MAX (sizeof(struct trace_record) + TRACE_VALUE_MAX + 8u)

struct trace_file {
    uint32_t pid, number;
    int descriptor;              /* -1: given up */
    struct trace_header *header; /* mapped */
    uint64_t position;           /* read up to here */
    uint64_t committed;          /* as it was when last looked at */
};

struct trace_reader {
    struct exchange_allocator allocator;
    char *folder;
    struct trace_file *files; /* by pid, then number */
    size_t count, capacity;
    char *buffer; /* copies of records */
    size_t buffer_capacity;
};

static void close_file(struct trace_file *file) {
    if (file->header)
        munmap(file->header, sizeof *file->header);
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->header = NULL;
    file->descriptor = -1;
}

/* Give FILE up. The first error of a call is the one that is told. */
static void give_up(struct trace_file *file, struct trace_reader_error *error, const char *what) {
    if (error->message[0] == '\0')
        snprintf(error->message, sizeof error->message, "%" PRIu32 "-%" PRIu32 "%s: %s", file->pid, file->number, SUFFIX, what);
    close_file(file);
}

static void give_up_at(struct trace_file *file, struct trace_reader_error *error, const char *what) {
    char message[120];
    snprintf(message, sizeof message, "record at byte %" PRIu64 " %s", file->position, what);
    give_up(file, error, message);
}

/* A number without a leading zero. Returns the place after it, or NULL. */
static const char *take_number(const char *text, const char *end, uint32_t *number) {
    uint64_t value = 0;
    const char *at = text;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
        if (value > UINT32_MAX)
            return NULL;
    }
    if (at == text || (*text == '0' && at - text > 1))
        return NULL;
    *number = (uint32_t)value;
    return at;
}

static bool take_name(const char *name, size_t size, uint32_t *pid, uint32_t *number) {
    const char *end = name + size;
    const char *at = take_number(name, end, pid);
    if (!at || at == end || *at != '-' || !(at = take_number(at + 1, end, number)))
        return false;
    return (size_t)(end - at) == sizeof SUFFIX - 1 && memcmp(at, SUFFIX, sizeof SUFFIX - 1) == 0;
}

/* Where the file is, or would stand. */
static size_t find(const struct trace_reader *reader, uint32_t pid, uint32_t number, bool *found) {
    size_t low = 0, high = reader->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct trace_file *file = &reader->files[middle];
        if (file->pid < pid || (file->pid == pid && file->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < reader->count && reader->files[low].pid == pid && reader->files[low].number == number;
    return low;
}

struct trace_reader *trace_reader_open(const char *folder, const struct exchange_allocator *allocator) {
    struct exchange_allocator memory = memory_allocator(allocator);
    size_t size = strlen(folder) + 1;
    struct trace_reader *reader = memory.resize(memory.context, NULL, sizeof *reader);
    char *copy = memory.resize(memory.context, NULL, size);
    if (!reader || !copy) {
        memory_free(&memory, reader);
        memory_free(&memory, copy);
        return NULL;
    }
    *reader = (struct trace_reader){.allocator = memory, .folder = memcpy(copy, folder, size)};
    return reader;
}

void trace_reader_free(struct trace_reader *reader) {
    if (!reader)
        return;
    struct exchange_allocator memory = reader->allocator;
    for (size_t i = 0; i < reader->count; i++)
        close_file(&reader->files[i]);
    memory_free(&memory, reader->files);
    memory_free(&memory, reader->buffer);
    memory_free(&memory, reader->folder);
    memory_free(&memory, reader);
}

bool trace_reader_knows(const struct trace_reader *reader, const char *name, size_t size) {
    uint32_t pid, number;
    bool found = false;
    if (take_name(name, size, &pid, &number))
        find(reader, pid, number, &found);
    return found;
}

/* Whether the mapped header may be looked at; the file's size into *SIZE. */
static bool header_is_there(const struct trace_file *file, uint64_t *size) {
    struct stat status;
    if (fstat(file->descriptor, &status) != 0 || (uint64_t)status.st_size < sizeof *file->header)
        return false;
    *size = (uint64_t)status.st_size;
    return true;
}

static void map_header(struct trace_file *file, struct trace_reader_error *error) {
    uint64_t size;
    if (!header_is_there(file, &size)) {
        give_up(file, error, "too short for a header, or no plain file");
        return;
    }
    void *map = mmap(NULL, sizeof *file->header, PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor, 0);
    if (map == MAP_FAILED) {
        give_up(file, error, strerror(errno));
        return;
    }
    file->header = map;
    if (memcmp(file->header->magic, TRACE_MAGIC, sizeof file->header->magic) != 0)
        give_up(file, error, "does not begin as a trace does");
    else if (file->header->pid != file->pid)
        give_up(file, error, "was written by another process than its name says");
}

/* Take in one file. Returns 0, or -1 where there is no room for it. */
static int add(struct trace_reader *reader, int folder, const char *name, uint32_t pid, uint32_t number, struct trace_reader_error *error) {
    bool found;
    size_t place = find(reader, pid, number, &found);
    if (found)
        return 0;
    if (reader->count == TRACE_READER_FILES_MAX) {
        if (error->message[0] == '\0')
            snprintf(error->message, sizeof error->message, "more than %u trace files", TRACE_READER_FILES_MAX);
        return -1;
    }
    size_t needed = reader->count + 1;
    struct trace_file *files =
        memory_grow(&reader->allocator, reader->files, &reader->capacity, needed < FILES_FIRST ? FILES_FIRST : needed, sizeof *files);
    if (!files) {
        if (error->message[0] == '\0')
            snprintf(error->message, sizeof error->message, "out of memory");
        return -1;
    }
    reader->files = files;
    struct trace_file file = {.pid = pid, .number = number, .position = sizeof(struct trace_header)};
    file.descriptor = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file.descriptor < 0 && errno == ENOENT)
        return 0;
    if (file.descriptor < 0)
        give_up(&file, error, strerror(errno));
    else
        map_header(&file, error);
    memmove(files + place + 1, files + place, (reader->count - place) * sizeof *files);
    files[place] = file;
    reader->count++;
    return 0;
}

int trace_reader_scan(struct trace_reader *reader, struct trace_reader_error *error) {
    error->message[0] = '\0';
    DIR *folder = opendir(reader->folder);
    if (!folder) {
        snprintf(error->message, sizeof error->message, "%.120s: %s", reader->folder, strerror(errno));
        return -1;
    }
    const struct dirent *entry;
    uint32_t pid, number;
    int result = 0;
    while (result == 0 && (entry = readdir(folder)))
        if (take_name(entry->d_name, strlen(entry->d_name), &pid, &number))
            result = add(reader, dirfd(folder), entry->d_name, pid, number, error);
    closedir(folder);
    return error->message[0] == '\0' ? 0 : -1;
}

/* How far FILE may be read, into file->committed. Returns whether it may be; else it is given up, or was before. */
static bool look(struct trace_file *file, struct trace_reader_error *error) {
    uint64_t size;
    if (file->descriptor < 0)
        return false;
    if (!header_is_there(file, &size)) {
        give_up(file, error, "was cut: its header is gone");
        return false;
    }
    file->committed = atomic_load_explicit(&file->header->committed, memory_order_acquire);
    if (file->committed > size)
        give_up(file, error, "was cut, or claims to be longer than it is");
    else if (file->committed < file->position)
        give_up(file, error, "ends before what was read already");
    else if (file->committed % 8 != 0)
        give_up(file, error, "ends within a record");
    return file->descriptor >= 0;
}

/* What is wrong with a record's header where LEFT bytes are left for it; NULL: nothing. */
static const char *judge(const struct trace_record *record, uint64_t left) {
    if (record->size < sizeof *record || record->size % 8 != 0)
        return "has an impossible size";
    if (record->size > left)
        return "is larger than what is left";
    if (record->payload > record->size - sizeof *record || record->size > RECORD_MAX || record->payload > TRACE_VALUE_MAX)
        return "has an impossible payload";
    if (record->kind < TRACE_CALL || record->kind > TRACE_MARKED)
        return "is of an unknown kind";
    if ((record->kind == TRACE_MARKED) != (record->call == 0))
        return "belongs to no call";
    return NULL;
}

/* Copy what comes next in FILE, WANTED bytes at least, into the buffer. Returns how many bytes came, 0 where the file was given up. */
static size_t copy(struct trace_reader *reader, struct trace_file *file, size_t wanted, struct trace_reader_error *error) {
    uint64_t left = file->committed - file->position;
    char *buffer =
        memory_grow(&reader->allocator, reader->buffer, &reader->buffer_capacity, wanted < BUFFER_FIRST ? BUFFER_FIRST : wanted, 1);
    if (!buffer) {
        give_up(file, error, "out of memory"); /* its records are lost, so what follows them must not look whole */
        return 0;
    }
    reader->buffer = buffer;
    size_t size = left < reader->buffer_capacity ? (size_t)left : reader->buffer_capacity;
    ssize_t got;
    do
        got = pread(file->descriptor, buffer, size, (off_t)file->position);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        give_up(file, error, strerror(errno));
    else if ((size_t)got < wanted)
        give_up(file, error, "was cut while it was read");
    else
        return (size_t)got;
    return 0;
}

/* Hand out FILE's records up to file->committed. Returns what the callback returned. */
static int read_file(struct trace_reader *reader, struct trace_file *file, trace_record_cb callback, void *context,
                     struct trace_reader_error *error) {
    size_t wanted = sizeof(struct trace_record);
    while (file->position < file->committed) {
        if (file->committed - file->position < sizeof(struct trace_record)) {
            give_up_at(file, error, "has no room for its header");
            return 0;
        }
        size_t size = copy(reader, file, wanted, error);
        if (size == 0)
            return 0;
        wanted = sizeof(struct trace_record);
        for (size_t at = 0; size - at >= sizeof(struct trace_record);) {
            /* Aligned: the buffer is, and sizes are multiples of 8. */
            const struct trace_record *record = (const void *)(reader->buffer + at);
            const char *wrong = judge(record, file->committed - file->position);
            if (wrong) {
                give_up_at(file, error, wrong);
                return 0;
            }
            if (record->size > size - at) {
                wanted = record->size;
                break;
            }
            at += record->size;
            file->position += record->size;
            int result = callback(context, file->pid, record, (const char *)(record + 1));
            if (result != 0)
                return result;
        }
    }
    return 0;
}

int trace_reader_read(struct trace_reader *reader, trace_record_cb callback, void *context, struct trace_reader_error *error) {
    error->message[0] = '\0';
    int result = 0;
    /* A process goes on in a new file only when the one before is full. So what is known to have a next one does not grow, and file after
     * file is in the order of writing. */
    for (size_t i = 0; i < reader->count && result == 0; i++)
        if (look(&reader->files[i], error))
            result = read_file(reader, &reader->files[i], callback, context, error);
    if (result != 0)
        return result;
    return error->message[0] == '\0' ? 0 : TRACE_READER_FAILED;
}

void trace_reader_arm(struct trace_reader *reader) {
    uint64_t size;
    for (size_t i = 0; i < reader->count; i++)
        if (reader->files[i].descriptor >= 0 && header_is_there(&reader->files[i], &size))
            atomic_store_explicit(&reader->files[i].header->armed, 1, memory_order_relaxed);
    /* Before the next read looks at what is committed; the writer has a fence of its own between committing and looking at `armed`. */
    atomic_thread_fence(memory_order_seq_cst);
}
