/* player.h: plays sessions of exchanges to all its targets at once, and hands out what came of each exchange.
 *
 * Owns the loop, the targets, the client ports, and who is played when. Knows nothing of files, of comparing or of Python: observations are
 * handed out as scripts (script.h), while they last.
 *
 * Up to `jobs` sessions are under way side by side, an exchange of each. An exchange begins when the one before it is over on all targets.
 * A session that is `alone`, or holds an exchange that is, begins when all before it are over, and has nothing beside it.
 *
 * The servers come first: while it plays, its thread runs as a batch job (SCHED_BATCH), which takes no core from a server at work.
 */
#ifndef BRIDGECHECK_PLAYER_H
#define BRIDGECHECK_PLAYER_H

#include "script.h"
#include "target.h"

#define PLAYER_JOBS_MAX 1024u
#define PLAYER_TICK_MS 100u

struct player_exchange {
    const struct exchange *exchange;
    bool alone; /* its calls cannot be told by the client's port */
};

struct player_session {
    const struct player_exchange *exchanges;
    size_t count;
    bool alone; /* has nothing beside it, whatever its exchanges are */
};

enum player_order { PLAYER_GO_ON, PLAYER_BEGIN_NOTHING_MORE, PLAYER_ABORT };

/* Who is told. The player must not be called from within. */
struct player_watcher {
    /* An exchange was over on all targets: SCRIPTS in the order of the targets, good until this returns. Told a while later, of several
     * exchanges one after another, in the order in which they were over. */
    enum player_order (*played)(void *context, size_t session, size_t exchange, struct script *const *scripts);
    /* About ten times a second; PLAYED exchanges so far. */
    enum player_order (*tick)(void *context, size_t played);
    /* Do a process step on a target, or look whether what it waits for is so; asked again and again until that is true. NULL: no exchange
     * may have process steps. */
    bool (*process)(void *context, size_t target, const struct exchange_step *step);
    void *context;
};

struct player;

/* PATIENCE in milliseconds; ALLOCATOR (copied) may be NULL. Returns NULL and *ERROR. */
struct player *player_open(const struct target_place *places, size_t count, uint64_t patience, const struct exchange_allocator *allocator,
                           struct target_error *error);

/* Play. What is not handed out was not played, because a target was gone or the watcher said so. Every exchange has to be one that scripts
 * can play. Returns 0, or -1 and *ERROR; what was under way then, or not yet handed out, is given up. */
int player_play(struct player *player, const struct player_session *sessions, size_t count, size_t jobs,
                const struct player_watcher *watcher, struct target_error *error);

size_t player_target_count(const struct player *player);

/* The calls of one target, up to date. Returns NULL and *ERROR. */
struct calls *player_calls(struct player *player, size_t target, struct target_error *error);

/* NULL is let through. */
void player_close(struct player *player);

#endif
