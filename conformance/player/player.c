#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "player.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lane.h"
#include "memory.h"
#include "peer.h"

/* Whose calls a target's are: the context of calls_claim_cb. */
struct claim_context {
    struct player *player;
    size_t target;
};

/* Making something of what was observed is code and data that are no longer in the processor's caches when another exchange is over: for
 * several of them, one after another, it costs half. So exchanges wait for that, up to this many, and up to this size. */
#define FINISHED_MAX 32u
#define FINISHED_SIZE_MAX (1u << 20)

struct finished {
    size_t session, exchange;
    struct script **scripts; /* one for each target; in the player's finished_scripts */
};

struct player {
    uv_loop_t loop;
    uv_timer_t ticker;
    struct connection_kit connection_kit;
    struct ports ports;
    struct target *targets;
    struct claim_context *contexts;
    size_t target_count;
    struct lane_claim claims[65536];
    struct lane_kit lane_kit;
    struct script **finished_scripts; /* FINISHED_MAX times one for each target; owned */

    /* While playing. */
    struct lane *lanes;
    size_t lane_count, active;
    const struct player_session *sessions;
    size_t session_count, next_session, played;
    struct finished finished[FINISHED_MAX];
    size_t finished_count, finished_size;
    const struct player_watcher *watcher;
    enum player_order order;
    struct target_error *error; /* set, and order PLAYER_ABORT, when something failed */
    bool failed;
};

static int fail(struct player *player, int number, const char *message) {
    if (!player->failed)
        *player->error = (struct target_error){.number = number};
    if (!player->failed)
        snprintf(player->error->message, sizeof player->error->message, "%s", message);
    player->failed = true;
    player->order = PLAYER_ABORT;
    return -1;
}

/* A call is told by its client port; where that is not visible or not ours, by there being only one exchange that it can belong to. */
static struct calls_claimant *claim(void *context, uint16_t client_port, unsigned *connection) {
    const struct claim_context *claim_context = context;
    const struct player *player = claim_context->player;
    const struct lane_claim *of_port = &player->claims[client_port];
    if (client_port && of_port->lane) {
        *connection = of_port->connection;
        return lane_claimant(of_port->lane, claim_context->target);
    }
    for (size_t i = 0; i < player->lane_count && player->active == 1; i++) {
        const struct lane *lane = &player->lanes[i];
        if (!lane->session || (client_port && !lane->alone) || !lane->scripts[claim_context->target])
            continue;
        *connection = script_likely_connection(lane->scripts[claim_context->target]);
        return lane_claimant(lane, claim_context->target);
    }
    return NULL;
}

static void obey(struct player *player, enum player_order order) {
    if (order > player->order)
        player->order = order;
}

static void on_tick(uv_timer_t *timer) {
    struct player *player = timer->data;
    if (player->watcher->tick)
        obey(player, player->watcher->tick(player->watcher->context, player->played));
}

static bool is_alone(const struct player_session *session) {
    for (size_t i = 0; i < session->count; i++)
        if (session->exchanges[i].alone)
            return true;
    return session->alone;
}

/* Begin what may begin now. */
static void launch(struct player *player) {
    for (size_t i = 0; i < player->lane_count && player->order == PLAYER_GO_ON; i++) {
        struct lane *lane = &player->lanes[i];
        while (player->next_session < player->session_count && !player->sessions[player->next_session].count)
            player->next_session++;
        if (player->next_session == player->session_count)
            return;
        if (lane->session) {
            if (lane->alone)
                return;
            continue;
        }
        const struct player_session *session = &player->sessions[player->next_session];
        bool alone = is_alone(session);
        if (alone && player->active)
            return;
        lane->session = session;
        lane->session_index = player->next_session++;
        lane->exchange = 0;
        lane->tries = 0;
        lane->alone = alone;
        player->active++;
        struct target_error error;
        if (lane_begin(lane, &error))
            fail(player, error.number, error.message);
        if (alone)
            return;
    }
}

/* Hand out what has finished. */
static void hand_out(struct player *player) {
    for (size_t i = 0; i < player->finished_count; i++) {
        const struct finished *finished = &player->finished[i];
        if (player->order != PLAYER_ABORT)
            obey(player, player->watcher->played(player->watcher->context, finished->session, finished->exchange, finished->scripts));
        for (size_t target = 0; target < player->target_count; target++)
            script_free(finished->scripts[target]);
    }
    player->finished_count = player->finished_size = 0;
}

/* What an observation holds, about; SIZE_MAX where it may be anything, or is not to wait: a call that goes on has to be followed. */
static size_t size_of(const struct script *script) {
    size_t size = 0;
    for (size_t i = 0; i < script->connection_count; i++) {
        const struct connection *connection = script->connections[i].connection;
        if (connection->upgraded) /* a little may have been inflated to much */
            return SIZE_MAX;
        size += connection->received;
    }
    for (const struct call *call = script->claimant.calls.first; call; call = call->next)
        size += call->records_size;
    return script->settled ? size : SIZE_MAX;
}

/* The exchange is over on all targets: take what was observed, and go on to the next. */
static void finish(struct player *player, struct lane *lane) {
    struct finished *finished = &player->finished[player->finished_count];
    *finished = (struct finished){.session = lane->session_index,
                                  .exchange = lane->exchange,
                                  .scripts = &player->finished_scripts[player->finished_count * player->target_count]};
    lane_hand_over(lane, finished->scripts);
    player->finished_count++;
    player->played++;
    for (size_t i = 0; i < player->target_count; i++) {
        const struct script *script = finished->scripts[i];
        size_t size = size_of(script), room = FINISHED_SIZE_MAX - player->finished_size;
        player->finished_size += size < room ? size : room;
        if (script->out_of_memory)
            fail(player, ENOMEM, "out of memory");
        if (script->refused)
            obey(player, PLAYER_BEGIN_NOTHING_MORE);
    }
    if (player->finished_count == FINISHED_MAX || player->finished_size == FINISHED_SIZE_MAX)
        hand_out(player);
    if (player->order != PLAYER_GO_ON || lane->exchange + 1 == lane->session->count) {
        lane_leave(lane);
        player->active--;
        return;
    }
    lane->exchange++;
    lane->tries = 0;
    struct target_error error;
    if (lane_begin(lane, &error))
        fail(player, error.number, error.message);
}

/* Read the traces that someone waits for. Returns whether there was anything. */
static bool read_traces(struct player *player, bool arm) {
    bool anything = false;
    for (size_t target = 0; target < player->target_count; target++) {
        struct trace_reader_error error;
        bool awaited = false;
        for (size_t i = 0; i < player->lane_count && !awaited; i++)
            awaited = player->lanes[i].session && player->lanes[i].scripts[target] && script_awaits_trace(player->lanes[i].scripts[target]);
        if (player->targets[target].error.message[0])
            fail(player, player->targets[target].error.number, player->targets[target].error.message);
        if (!awaited)
            continue;
        if (arm)
            calls_arm(player->targets[target].calls);
        int read = calls_look(player->targets[target].calls, &error);
        if (read < 0)
            fail(player, 0, error.message);
        anything |= read > 0;
    }
    return anything;
}

/* Let every script that waits for its trace look at it. Returns whether one has to be read again. */
static bool look(struct player *player) {
    bool again = false;
    for (size_t i = 0; i < player->lane_count; i++) {
        struct lane *lane = &player->lanes[i];
        struct target_error error;
        for (size_t target = 0; lane->session && target < player->target_count; target++)
            if (lane->scripts[target] && script_awaits_trace(lane->scripts[target]))
                script_look(lane->scripts[target]);
        if (lane->session && lane->port_taken && lane_again(lane, &error))
            fail(player, error.number, error.message);
        while (lane->session && !lane->running && player->order != PLAYER_ABORT)
            finish(player, lane);
        for (size_t target = 0; lane->session && target < player->target_count; target++)
            again |= lane->scripts[target] && lane->scripts[target]->needs_look;
        again |= lane->session && lane->port_taken;
    }
    return again;
}

/* Do what can be done without waiting. Returns whether there is more of it: only then may the loop not sleep. An app that never stops
 * writing its trace must not keep the loop from running. */
static bool settle(struct player *player) {
    launch(player);
    read_traces(player, false);
    bool again = look(player);
    launch(player);
    return again || read_traces(player, true);
}

/* An answer does not drive a server that is still at work off its core: more answers have come by the time we look, and we wake less often.
 * This thread's policy alone; where it may not be set, or is another than the usual one, it stays. Returns whether it was set. */
static bool yield_to_servers(void) {
    return sched_getscheduler(0) == SCHED_OTHER && !sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

int player_play(struct player *player, const struct player_session *sessions, size_t count, size_t jobs,
                const struct player_watcher *watcher, struct target_error *error) {
    size_t lanes = jobs > PLAYER_JOBS_MAX ? PLAYER_JOBS_MAX : jobs;
    if (lanes > count)
        lanes = count;
    player->sessions = sessions;
    player->session_count = count;
    player->next_session = player->played = player->active = 0;
    player->watcher = player->lane_kit.watcher = watcher;
    player->order = PLAYER_GO_ON;
    player->error = error;
    player->failed = false;
    player->lanes = memory_zeroed(&player->connection_kit.allocator, lanes, sizeof *player->lanes);
    if (!player->lanes)
        return fail(player, ENOMEM, "out of memory");
    while (player->lane_count < lanes && !lane_init(&player->lanes[player->lane_count], &player->lane_kit))
        player->lane_count++;
    if (player->lane_count < lanes)
        fail(player, ENOMEM, "out of memory");

    bool yields = yield_to_servers();
    uv_update_time(&player->loop);
    uv_timer_start(&player->ticker, on_tick, PLAYER_TICK_MS, PLAYER_TICK_MS);
    for (;;) {
        bool more = settle(player);
        if (player->order == PLAYER_ABORT || !player->active)
            break;
        uv_run(&player->loop, more ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    hand_out(player);
    uv_timer_stop(&player->ticker);
    if (yields)
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    for (size_t i = 0; i < player->lane_count; i++)
        lane_free(&player->lanes[i]);
    memory_free(&player->connection_kit.allocator, player->lanes);
    player->lanes = NULL;
    player->lane_count = player->active = 0;
    uv_run(&player->loop, UV_RUN_NOWAIT); /* memory comes back in the close callbacks */
    return player->failed ? -1 : 0;
}

static uint64_t random_number(void) {
    uint64_t number = uv_hrtime() ^ (uint64_t)getpid() << 32;
    uv_random(NULL, NULL, &number, sizeof number, 0, NULL);
    return number;
}

static void free_player(struct player *player) {
    const struct exchange_allocator allocator = player->connection_kit.allocator;
    if (player->ports.free_from)
        ports_free(&player->ports);
    memory_free(&allocator, player->targets);
    memory_free(&allocator, player->contexts);
    memory_free(&allocator, player->finished_scripts);
    memory_free(&allocator, player);
}

struct player *player_open(const struct target_place *places, size_t count, uint64_t patience, const struct exchange_allocator *given,
                           struct target_error *error) {
    const struct exchange_allocator allocator = memory_allocator(given);
    struct player *player = memory_zeroed(&allocator, 1, sizeof *player);
    char token[40];
    unsigned low, high;
    *error = (struct target_error){.number = ENOMEM, .message = "out of memory"};
    if (!player)
        return NULL;
    player->connection_kit.allocator = allocator;
    player->lane_kit.token = random_number();
    ports_kernel_range(&low, &high);
    player->targets = memory_zeroed(&allocator, count, sizeof *player->targets);
    player->contexts = memory_zeroed(&allocator, count, sizeof *player->contexts);
    player->finished_scripts = memory_zeroed(&allocator, FINISHED_MAX * count, sizeof *player->finished_scripts);
    if (!player->targets || !player->contexts || !player->finished_scripts ||
        ports_init(&player->ports, low, high, (uint32_t)player->lane_kit.token, &allocator))
        goto release;
    int failed = uv_loop_init(&player->loop);
    if (failed) {
        *error = (struct target_error){.number = -failed, .message = "no event loop"};
        goto release;
    }
    uv_timer_init(&player->loop, &player->ticker);
    player->ticker.data = player;
    player->connection_kit.loop = &player->loop;
    player->connection_kit.diagnosis = peer_open();
    snprintf(token, sizeof token, "%016llx-fence", (unsigned long long)player->lane_kit.token);
    for (; player->target_count < count; player->target_count++) {
        size_t target = player->target_count;
        player->contexts[target] = (struct claim_context){player, target};
        if (target_open(&player->targets[target], &places[target], &player->connection_kit, token, patience, claim,
                        &player->contexts[target], error)) {
            player_close(player);
            return NULL;
        }
    }
    player->lane_kit.connection_kit = &player->connection_kit;
    player->lane_kit.targets = player->targets;
    player->lane_kit.target_count = count;
    player->lane_kit.ports = &player->ports;
    player->lane_kit.claims = player->claims;
    player->lane_kit.patience = patience;
    return player;

release:
    free_player(player);
    return NULL;
}

size_t player_target_count(const struct player *player) { return player->target_count; }

struct calls *player_calls(struct player *player, size_t target, struct target_error *error) {
    struct trace_reader_error trace;
    if (calls_look(player->targets[target].calls, &trace) >= 0)
        return player->targets[target].calls;
    *error = (struct target_error){0};
    snprintf(error->message, sizeof error->message, "%s", trace.message);
    return NULL;
}

void player_close(struct player *player) {
    if (!player)
        return;
    for (size_t target = 0; target < player->target_count; target++)
        target_close(&player->targets[target]);
    uv_close((uv_handle_t *)&player->ticker, NULL);
    uv_run(&player->loop, UV_RUN_DEFAULT);
    uv_loop_close(&player->loop);
    if (player->connection_kit.diagnosis >= 0)
        close(player->connection_kit.diagnosis);
    free_player(player);
}
