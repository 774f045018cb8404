#include "calls.h"

#include <string.h>

#include "memory.h"
#include "trace_value.h"

#define BUCKETS 256u

struct calls {
    struct exchange_allocator allocator;
    struct trace_reader *reader;
    calls_claim_cb claim;
    void *context;
    bool history;             /* what is read now began before we came */
    bool out_of_memory, seen; /* anything was read */
    struct calls_list unclaimed, lifespans;
    struct call *buckets[BUCKETS]; /* all that may still have records to come, or are in a list */
};

static struct call **bucket_of(struct calls *calls, uint32_t pid, uint32_t number) {
    return &calls->buckets[(number ^ pid * 31u) % BUCKETS];
}

static struct call *find(struct calls *calls, uint32_t pid, uint32_t number) {
    struct call *call = *bucket_of(calls, pid, number);
    while (call && (call->pid != pid || call->number != number))
        call = call->next_hashed;
    return call;
}

static void free_call(struct calls *calls, struct call *call) {
    struct call **at = bucket_of(calls, call->pid, call->number);
    while (*at != call)
        at = &(*at)->next_hashed;
    *at = call->next_hashed;
    memory_free(&calls->allocator, call->records);
    memory_free(&calls->allocator, call);
}

/* Take the calls out of a list: those that are over are freed, the others only followed to their end. */
static void drop(struct calls *calls, struct calls_list *list) {
    struct call *next;
    for (struct call *call = list->first; call; call = next) {
        next = call->next;
        call->list = NULL;
        call->claimant = NULL;
        call->next = NULL;
        if (call->settled) {
            free_call(calls, call);
            continue;
        }
        memory_free(&calls->allocator, call->records);
        call->records = NULL;
        call->records_size = call->capacity = 0;
    }
    *list = (struct calls_list){0};
}

static int skip_value(struct trace_cursor *cursor, const struct trace_token *token) {
    uint64_t inside = token->kind == TRACE_TOKEN_DICT                                       ? 2 * (uint64_t)token->count
                      : token->kind == TRACE_TOKEN_LIST || token->kind == TRACE_TOKEN_TUPLE ? token->count
                      : token->kind == TRACE_TOKEN_INSTANCE                                 ? 1
                                                                                            : 0;
    struct trace_token next;
    while (inside--)
        if (trace_value_next(cursor, &next) != 1 || skip_value(cursor, &next))
            return -1;
    return 0;
}

static bool is_text(const struct trace_token *token, const char *text) {
    return token->kind == TRACE_TOKEN_TEXT && token->size == strlen(text) && !memcmp(token->data, text, token->size);
}

/* Whether the payload of a TRACE_CALL begins with a scope of type "lifespan". */
static bool is_lifespan(const char *payload, size_t size) {
    struct trace_cursor cursor;
    struct trace_token scope, key, value;
    trace_value_start(&cursor, payload, size);
    if (trace_value_next(&cursor, &scope) != 1 || scope.kind != TRACE_TOKEN_DICT)
        return false;
    for (uint32_t i = 0; i < scope.count; i++) {
        if (trace_value_next(&cursor, &key) != 1 || skip_value(&cursor, &key) || trace_value_next(&cursor, &value) != 1)
            return false;
        if (is_text(&key, "type"))
            return is_text(&value, "lifespan");
        if (skip_value(&cursor, &value))
            return false;
    }
    return false;
}

static struct call *begin(struct calls *calls, uint32_t pid, const struct trace_record *record, const char *payload) {
    struct call *call = memory_zeroed(&calls->allocator, 1, sizeof *call);
    if (!call)
        return NULL;
    call->pid = pid;
    call->number = record->call;
    struct call **bucket = bucket_of(calls, pid, record->call);
    call->next_hashed = *bucket;
    *bucket = call;

    if (is_lifespan(payload, record->payload)) {
        call->list = &calls->lifespans;
    } else if (!calls->history) {
        call->claimant = calls->claim(calls->context, record->client_port, &call->connection);
        call->list = call->claimant ? &call->claimant->calls : &calls->unclaimed;
    }
    if (call->claimant)
        call->claimant->unsettled++;
    if (call->list) {
        *(call->list->first ? &call->list->last->next : &call->list->first) = call;
        call->list->last = call;
    }
    return call;
}

/* Keep a copy of the record. */
static int keep(struct calls *calls, struct call *call, const struct trace_record *record, const char *payload) {
    size_t size = sizeof *record + (((size_t)record->payload + 7) & ~(size_t)7);
    bool over = record->kind == TRACE_RETURNED || record->kind == TRACE_RAISED;
    if (call->records_size + size > CALLS_RECORDS_MAX && !over)
        return 0;
    if (call->records_size + size > call->capacity) {
        size_t capacity = 2 * (call->records_size + size);
        char *records = calls->allocator.resize(calls->allocator.context, call->records, capacity);
        if (!records)
            return -1;
        call->records = records;
        call->capacity = capacity;
    }
    memcpy(call->records + call->records_size, record, sizeof *record);
    memcpy(call->records + call->records_size + sizeof *record, payload, record->payload);
    call->records_size += size;
    return 0;
}

static int on_record(void *context, uint32_t pid, const struct trace_record *record, const char *payload) {
    struct calls *calls = context;
    calls->seen = true;
    if (record->kind == TRACE_MARKED)
        return 0;
    struct call *call = find(calls, pid, record->call);
    if (!call && record->kind == TRACE_CALL && !(call = begin(calls, pid, record, payload))) {
        calls->out_of_memory = true;
        return 0;
    }
    if (!call || (call->claimant && call->claimant->over))
        return 0; /* it settled and was reported; an event after that is the app's own affair */
    if (record->kind == TRACE_RETURNED || record->kind == TRACE_RAISED) {
        call->ended = true;
        call->ended_at = record->nanoseconds;
    }
    if (record->kind != TRACE_SETTLED) {
        if (call->list && keep(calls, call, record, payload))
            calls->out_of_memory = true;
        return 0;
    }
    if (!call->settled && call->claimant)
        call->claimant->unsettled--;
    call->settled = true;
    if (!call->list)
        free_call(calls, call);
    return 0;
}

struct calls *calls_open(const char *folder, const struct exchange_allocator *given, calls_claim_cb claim, void *context,
                         struct trace_reader_error *error) {
    const struct exchange_allocator allocator = memory_allocator(given);
    struct calls *calls = memory_zeroed(&allocator, 1, sizeof *calls);
    if (!calls || !(calls->reader = trace_reader_open(folder, given))) {
        memory_free(&allocator, calls);
        *error = (struct trace_reader_error){"out of memory"};
        return NULL;
    }
    calls->allocator = allocator;
    calls->claim = claim;
    calls->context = context;
    calls->history = true;
    if (trace_reader_scan(calls->reader, error) || calls_look(calls, error) < 0) {
        calls_close(calls);
        return NULL;
    }
    calls->history = false;
    return calls;
}

int calls_look(struct calls *calls, struct trace_reader_error *error) {
    calls->seen = false;
    if (trace_reader_read(calls->reader, on_record, calls, error))
        return -1;
    if (calls->out_of_memory) {
        calls->out_of_memory = false;
        *error = (struct trace_reader_error){"out of memory"};
        return -1;
    }
    return calls->seen;
}

void calls_arm(struct calls *calls) { trace_reader_arm(calls->reader); }

int calls_ring(struct calls *calls, const char *name, size_t size, struct trace_reader_error *error) {
    return trace_reader_knows(calls->reader, name, size) ? 0 : trace_reader_scan(calls->reader, error);
}

void calls_release(struct calls *calls, struct calls_claimant *claimant) {
    drop(calls, &claimant->calls);
    claimant->unsettled = 0;
}

const struct calls_list *calls_unclaimed(const struct calls *calls) { return &calls->unclaimed; }
const struct calls_list *calls_lifespans(const struct calls *calls) { return &calls->lifespans; }
void calls_forget_unclaimed(struct calls *calls) { drop(calls, &calls->unclaimed); }

void calls_close(struct calls *calls) {
    if (!calls)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (calls->buckets[i])
            free_call(calls, calls->buckets[i]);
    trace_reader_free(calls->reader);
    const struct exchange_allocator allocator = calls->allocator;
    memory_free(&allocator, calls);
}

const struct trace_record *call_next(const struct call *call, size_t *place, const char **payload) {
    if (*place >= call->records_size)
        return NULL;
    const struct trace_record *record = (const struct trace_record *)(call->records + *place);
    *payload = call->records + *place + sizeof *record;
    *place += sizeof *record + (((size_t)record->payload + 7) & ~(size_t)7);
    return record;
}
