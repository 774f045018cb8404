#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "memory.h"

#define RINGS_AT_ONCE 64

static int fail(struct target_error *error, int number, const char *what, const char *which) {
    error->number = number;
    snprintf(error->message, sizeof error->message, "%s: %s", which, what);
    return -1;
}

static int read_address(struct target *target, const struct target_place *place) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&target->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target->address;
    if (inet_pton(AF_INET, place->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(place->port);
        target->address_size = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, place->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(place->port);
        target->address_size = sizeof *v6;
        return 0;
    }
    return -1;
}

static void ring(struct target *target, const char *name, size_t size) {
    struct trace_reader_error error;
    if (calls_ring(target->calls, name, size, &error) && !target->error.message[0])
        fail(&target->error, 0, error.message, "trace");
}

void target_look(struct target *target) { ring(target, "", 0); }

/* The doorbell says only "look": but a file that is new has to be taken in. Everything else is done before the loop sleeps again. */
static void on_bell(uv_poll_t *poll, int status, int events) {
    struct target *target = poll->data;
    char name[256];
    (void)status;
    (void)events;
    for (int i = 0; i < RINGS_AT_ONCE; i++) {
        ssize_t size = recv(target->bell_fd, name, sizeof name, MSG_DONTWAIT);
        if (size < 0)
            return;
        ring(target, name, (size_t)size);
    }
}

/* What a player that was killed left behind is in nobody's use. */
static void remove_stale(const char *path) {
    struct stat there;
    if (!lstat(path, &there) && S_ISSOCK(there.st_mode))
        unlink(path);
}

static int hang_bell(struct target *target, const char *path, struct target_error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return fail(error, ENAMETOOLONG, "the doorbell's path is longer than a Unix socket's may be (107 bytes)", path);
    strcpy(address.sun_path, path);
    target->bell_path = memory_zeroed(&target->kit->allocator, 1, strlen(path) + 1);
    if (!target->bell_path)
        return fail(error, ENOMEM, "out of memory", path);
    strcpy(target->bell_path, path);
    target->bell_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (target->bell_fd < 0) {
        fail(error, errno, strerror(errno), path);
        goto free_path;
    }
    remove_stale(path);
    if (bind(target->bell_fd, (struct sockaddr *)&address, sizeof address)) {
        fail(error, errno, strerror(errno), path);
        goto close_socket;
    }
    return 0;
close_socket:
    close(target->bell_fd);
free_path:
    memory_free(&target->kit->allocator, target->bell_path);
    return -1;
}

static void take_bell_down(struct target *target) {
    close(target->bell_fd);
    unlink(target->bell_path);
    memory_free(&target->kit->allocator, target->bell_path);
}

int target_open(struct target *target, const struct target_place *place, struct connection_kit *kit, const char *token, uint64_t patience,
                calls_claim_cb claim, void *context, struct target_error *error) {
    struct trace_reader_error trace;
    memset(target, 0, sizeof *target);
    target->kit = kit;
    if (read_address(target, place))
        return fail(error, EINVAL, "is no address", place->host);
    if (hang_bell(target, place->doorbell, error))
        return -1;
    target->calls = calls_open(place->trace, &kit->allocator, claim, context, &trace);
    if (!target->calls) {
        fail(error, 0, trace.message, place->trace);
        goto take_bell_down;
    }
    target->fence = fence_new(kit, (struct sockaddr *)&target->address, target->address_size, token, patience);
    if (!target->fence) {
        fail(error, ENOMEM, "out of memory", place->host);
        goto close_calls;
    }
    int failed = uv_poll_init(kit->loop, &target->bell, target->bell_fd);
    if (failed) {
        fail(error, -failed, uv_strerror(failed), place->doorbell);
        goto free_fence;
    }
    target->bell.data = target;
    uv_poll_start(&target->bell, UV_READABLE, on_bell);
    return 0;

free_fence:
    fence_free(target->fence);
close_calls:
    calls_close(target->calls);
take_bell_down:
    take_bell_down(target);
    return -1;
}

void target_close(struct target *target) {
    uv_close((uv_handle_t *)&target->bell, NULL);
    take_bell_down(target);
    fence_free(target->fence);
    calls_close(target->calls);
}
