/* recording.c: see recording.h. */
#define _GNU_SOURCE
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char MAGIC[] = "bridgecheck-exchange 1\n";

/* PATH, or for a later file PATH with the file's number before its ending. */
static int name_file(char *name, const char *path, unsigned files) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem = dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
    int size = files == 1 ? snprintf(name, RECORDING_PATH_MAX, "%s", path)
                          : snprintf(name, RECORDING_PATH_MAX, "%.*s.%u%s", (int)stem, path, files, path + stem);
    return size < (int)RECORDING_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* All of it or nothing. */
static int append(struct recording *recording, struct iovec *parts, int count) {
    uint64_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    ssize_t written;
    do
        written = writev(recording->fd, parts, count);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)size) {
        recording->size += size;
        return 0;
    }
    recording->error = written < 0 ? -errno : -ENOSPC;
    if (ftruncate(recording->fd, (off_t)recording->size) && !recording->error)
        recording->error = -errno;
    return -1;
}

static int open_file(struct recording *recording, bool append_to) {
    char name[RECORDING_PATH_MAX];
    int failed = name_file(name, recording->path, recording->files);
    if (failed)
        return failed;
    recording->fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC | (append_to ? 0 : O_CREAT | O_EXCL), 0600);
    if (recording->fd < 0)
        return -errno;
    struct stat status;
    recording->size = append_to && fstat(recording->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    recording->last = 0;
    struct iovec magic = {.iov_base = (char *)MAGIC, .iov_len = sizeof MAGIC - 1};
    if (recording->size == 0 && append(recording, &magic, 1)) {
        failed = recording->error;
        close(recording->fd);
        recording->fd = -1;
    }
    return failed;
}

int recording_open(struct recording *recording, const char *path, bool append, const char *origin, uint64_t file_max) {
    *recording = (struct recording){.fd = -1, .files = 1, .path = path, .origin = origin};
    recording->file_max = file_max ? file_max : RECORDING_FILE_MAX;
    return recording->error = open_file(recording, append);
}

static int next_file(struct recording *recording) {
    close(recording->fd);
    recording->fd = -1;
    do { /* one of an earlier run is left alone */
        recording->files++;
        recording->error = open_file(recording, false);
    } while (recording->error == -EEXIST);
    return recording->error ? -1 : 0;
}

int recording_write(struct recording *recording, struct recording_connection *connection, const struct dialogue_text *text) {
    if (recording->error)
        return -1;
    uint64_t size = 2 * RECORDING_ORIGIN_MAX;
    struct iovec parts[DIALOGUE_PARTS + 1];
    for (int i = 0; i < DIALOGUE_PARTS; i++) {
        parts[i + 1] = (struct iovec){.iov_base = text->parts[i].data, .iov_len = text->parts[i].size};
        size += text->parts[i].size;
    }
    if (recording->size + size > recording->file_max && recording->last != 0 && next_file(recording))
        return -1;
    char session[RECORDING_ORIGIN_MAX + 100] = "\n", number[16] = "";
    if (recording->last != connection->number) {
        if (++connection->sessions > 1)
            snprintf(number, sizeof number, ".%u", connection->sessions);
        snprintf(session, sizeof session, "\nsession connection-%" PRIu64 "%s\norigin: %.*s\n\n", connection->number, number,
                 (int)RECORDING_ORIGIN_MAX, recording->origin);
    }
    parts[0] = (struct iovec){.iov_base = session, .iov_len = strlen(session)};
    if (append(recording, parts, DIALOGUE_PARTS + 1))
        return -1;
    recording->last = connection->number;
    recording->exchanges++;
    return 0;
}

void recording_close(struct recording *recording) {
    if (recording->fd >= 0)
        close(recording->fd);
    recording->fd = -1;
}
