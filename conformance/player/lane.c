#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "lane.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

#define TRIES_MAX 200 /* ports that are in use elsewhere, one after another */

static int fail(struct target_error *error, int number, const char *message) {
    error->number = number;
    snprintf(error->message, sizeof error->message, "%s", message);
    return -1;
}

int lane_init(struct lane *lane, struct lane_kit *kit) {
    const struct exchange_allocator *allocator = &kit->connection_kit->allocator;
    *lane = (struct lane){.kit = kit};
    lane->scripts = memory_zeroed(allocator, kit->target_count, sizeof *lane->scripts);
    lane->saved = memory_zeroed(allocator, kit->target_count, sizeof *lane->saved);
    for (size_t i = 0; lane->saved && i < kit->target_count; i++)
        lane->saved[i].allocator = allocator;
    if (lane->scripts && lane->saved)
        return 0;
    memory_free(allocator, lane->scripts);
    memory_free(allocator, lane->saved);
    return -1;
}

void lane_free(struct lane *lane) {
    lane_end(lane);
    lane_leave(lane);
    const struct exchange_allocator *allocator = &lane->kit->connection_kit->allocator;
    memory_free(allocator, lane->scripts);
    memory_free(allocator, lane->saved);
}

void lane_leave(struct lane *lane) {
    for (size_t i = 0; i < lane->kit->target_count; i++)
        saved_clear(&lane->saved[i]);
    lane->session = NULL;
}

struct calls_claimant *lane_claimant(const struct lane *lane, size_t target) {
    struct script *script = lane->scripts[target];
    return script && script->stage < SCRIPT_FINISHED ? &script->claimant : NULL;
}

static void on_finished(void *context, struct script *script) {
    struct lane *lane = context;
    (void)script;
    lane->running--;
}

static void on_port_taken(void *context, struct script *script) {
    struct lane *lane = context;
    (void)script;
    lane->port_taken = true;
}

static bool on_process(void *context, struct script *script, const struct exchange_step *step) {
    const struct lane *lane = context;
    const struct player_watcher *watcher = lane->kit->watcher;
    size_t target = 0;
    while (lane->scripts[target] != script)
        target++;
    if (!watcher->process(watcher->context, target, step))
        return false;
    target_look(&lane->kit->targets[target]); /* a process that has ended rings no more */
    return true;
}

/* A socket to each target from one port of our own; SOURCES is a matrix of targets and connections. Returns the port, or 0 and *ERROR. */
static uint16_t bind_everywhere(struct lane *lane, size_t connection, size_t connections, int *sources, struct target_error *error) {
    struct lane_kit *kit = lane->kit;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t now = uv_now(kit->connection_kit->loop);
        uint16_t port = ports_take(kit->ports, now);
        if (!port)
            break;
        size_t bound = 0;
        int fd = 0;
        for (; bound < kit->target_count; bound++) {
            fd = connection_bind((struct sockaddr *)&kit->targets[bound].address, port);
            if (fd < 0)
                break;
            sources[bound * connections + connection] = fd;
        }
        if (bound == kit->target_count)
            return port;
        while (bound--)
            close(sources[bound * connections + connection]);
        ports_give_back(kit->ports, port, now + PORTS_REST_MS);
        if (fd != -EADDRINUSE && fd != -EACCES) {
            fail(error, -fd, strerror(-fd));
            return 0;
        }
    }
    fail(error, EADDRINUSE, "no client port is free");
    return 0;
}

static void give_ports_back(struct lane *lane, uint64_t free_from) {
    for (size_t i = 0; i < lane->port_count; i++) {
        bool rests = lane->port_taken;
        for (size_t target = 0; target < lane->kit->target_count; target++) {
            const struct script *script = lane->scripts[target];
            rests |= script && i < script->connection_count && script->connections[i].connection->closed_first;
        }
        lane->kit->claims[lane->ports[i]] = (struct lane_claim){0};
        ports_give_back(lane->kit->ports, lane->ports[i], rests ? free_from + PORTS_REST_MS : 0);
    }
    memory_free(&lane->kit->connection_kit->allocator, lane->ports);
    lane->ports = NULL;
    lane->port_count = 0;
}

void lane_hand_over(struct lane *lane, struct script **scripts) {
    give_ports_back(lane, uv_now(lane->kit->connection_kit->loop));
    for (size_t target = 0; target < lane->kit->target_count; target++) {
        script_leave(lane->scripts[target]);
        scripts[target] = lane->scripts[target];
        lane->scripts[target] = NULL;
    }
}

void lane_end(struct lane *lane) {
    give_ports_back(lane, uv_now(lane->kit->connection_kit->loop));
    for (size_t target = 0; target < lane->kit->target_count; target++) {
        script_free(lane->scripts[target]);
        lane->scripts[target] = NULL;
    }
    lane->running = 0;
    lane->port_taken = false;
}

static struct script *make_script(struct lane *lane, size_t target, const struct exchange *exchange, const int *sources) {
    struct lane_kit *kit = lane->kit;
    char token[RESPONSE_TOKEN_MAX];
    snprintf(token, sizeof token, "%016" PRIx64 "-%" PRIu64, kit->token, ++kit->counter);
    struct script_setup setup = {
        .kit = kit->connection_kit,
        .address = (struct sockaddr *)&kit->targets[target].address,
        .address_size = kit->targets[target].address_size,
        .token = token,
        .patience = kit->patience,
        .saved = &lane->saved[target],
        .calls = kit->targets[target].calls,
        .fence = kit->targets[target].fence,
        .finished = on_finished,
        .port_taken = on_port_taken,
        .process = on_process,
        .context = lane,
    };
    return script_new(&setup, exchange, sources);
}

int lane_begin(struct lane *lane, struct target_error *error) {
    struct lane_kit *kit = lane->kit;
    const struct exchange_allocator *allocator = &kit->connection_kit->allocator;
    const struct exchange *exchange = lane->session->exchanges[lane->exchange].exchange;
    size_t connections = script_openings(exchange), made = 0;
    int *sources = memory_zeroed(allocator, connections * kit->target_count, sizeof *sources);
    lane->ports = memory_zeroed(allocator, connections, sizeof *lane->ports);
    if (!sources || !lane->ports) {
        memory_free(allocator, sources);
        return fail(error, ENOMEM, "out of memory");
    }
    while (lane->port_count < connections) {
        uint16_t port = bind_everywhere(lane, lane->port_count, connections, sources, error);
        if (!port)
            goto close_sources;
        kit->claims[port] = (struct lane_claim){lane, (unsigned)lane->port_count};
        lane->ports[lane->port_count++] = port;
    }
    for (; made < kit->target_count; made++) {
        lane->scripts[made] = make_script(lane, made, exchange, &sources[made * connections]);
        if (!lane->scripts[made]) {
            made++; /* its sockets went with it */
            fail(error, ENOMEM, "out of memory");
            goto close_sources;
        }
    }
    memory_free(allocator, sources);
    lane->running = kit->target_count;
    for (size_t target = 0; target < kit->target_count && !lane->port_taken; target++)
        lane->port_taken = script_open(lane->scripts[target]) != 0;
    for (size_t target = 0; target < kit->target_count && !lane->port_taken; target++)
        script_start(lane->scripts[target]);
    return 0;

close_sources:
    for (size_t target = made; target < kit->target_count; target++)
        for (size_t i = 0; i < lane->port_count; i++)
            close(sources[target * connections + i]);
    memory_free(allocator, sources);
    return -1; /* scripts and ports go with lane_end() */
}

int lane_again(struct lane *lane, struct target_error *error) {
    lane_end(lane);
    if (++lane->tries > TRIES_MAX)
        return fail(error, EADDRNOTAVAIL, "no client port is free");
    return lane_begin(lane, error);
}
