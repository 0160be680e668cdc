#include "store/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/journal.h"
#include "store/state_dir.h"
#include "store/verdicts.h"

static const char orders_database[] = "orders";
static const char answers_key[] = "answers";  /* until when resolvers may have those that were given */
enum { ANSWERS_AGAIN_MS = 25 * 1000 };

/* An order on its way into the journal. */
struct request {
    struct request *next;
    struct state *state;
    struct operate_member *members; /* their names are owned */
    size_t cnt;
    enum operate_kind kind;
    bool is_lifted;
    struct operate_order order; /* its reason is owned */
    void (*fn)(void *arg, const char *why);
    void *arg;
};

struct state {
    uv_loop_t *loop;
    struct balance *balance;
    struct state_dir dir;
    struct journal *journal; /* NULL: the folder can't be used */
    char *unusable;          /* why */
    struct verdicts *verdicts;
    struct request *requests; /* that the journal has not answered */
    uv_timer_t expiry, answers;
    uint64_t next_end_ms; /* of an order, which the timer is for; 0: none */
};

/* ==== loading ==== */

struct loading {
    struct state *state;
    size_t cnt, bad_cnt;
};

static void load_order(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct loading *loading = arg;
    struct state_order record;
    if (state_order_read(&record, key, key_len, value, value_len)) {
        loading->bad_cnt++;
    } else { /* be its time over: then it is lifted as any other */
        operate_set(loading->state->balance, &record.member, record.kind, &record.order);
        loading->cnt++;
    }
}

static void load_answers(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct state *state = arg;
    uint64_t until_wall_ms;
    if (key_len == sizeof answers_key - 1 && !memcmp(key, answers_key, key_len) &&
        !state_time_read(&until_wall_ms, key, key_len, value, value_len))
        operate_remember_cached(state->balance, until_wall_ms);
}

static void load_orders(struct state *state, struct diag *diag)
{
    struct loading loading = {.state = state};
    char why[LMDB_WHY_MAX];
    if (lmdb_each(state->dir.lmdb, orders_database, load_order, &loading, why))
        diag_warning(diag, NULL, 0, "state_dir: drains and forced states cannot be read: %s", why);
    if (lmdb_each(state->dir.lmdb, STATE_TIMES_DATABASE, load_answers, state, why))
        diag_warning(diag, NULL, 0, "state_dir: times cannot be read: %s", why);
    if (loading.bad_cnt)
        diag_warning(diag, NULL, 0, "state_dir: records of drains and forced states that are none, passed over: %zu",
                     loading.bad_cnt);
    if (loading.cnt)
        log_notice("drains and forced states in force from before: %zu", loading.cnt);
}

/* ==== answers ==== */

static void put_answers(struct state *state)
{
    uint8_t value[STATE_TIME_VALUE_LEN];
    struct journal_batch *batch = journal_batch_new();
    state_time_value(value, (const uint8_t *)answers_key, sizeof answers_key - 1, operate_cached_until(state->balance));
    journal_batch_put(batch, STATE_TIMES_DATABASE, answers_key, sizeof answers_key - 1, value, sizeof value);
    journal_write(state->journal, &batch, NULL, NULL);
}

static void on_answers(uv_timer_t *timer) { put_answers(container_of(timer, struct state, answers)); }

/* ==== orders ==== */

static void put_order(struct journal_batch *batch, const struct operate_member *member, enum operate_kind kind,
                      const struct operate_order *order)
{
    uint8_t key[STATE_ORDER_KEY_MAX], value[STATE_ORDER_VALUE_MAX];
    size_t key_len = state_order_key(key, member, kind);
    if (order)
        journal_batch_put(batch, orders_database, key, key_len, value, state_order_value(value, key, key_len, order));
    else
        journal_batch_delete(batch, orders_database, key, key_len);
}

static void log_order(const struct operate_member *member, enum operate_kind kind, const struct operate_order *order,
                      const char *how)
{
    char owner[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    const char *what = kind == OPERATE_DRAIN ? "drained" : "forced";
    name_to_text_bare(owner, member->owner);
    addr_to_text(address, &member->address);
    if (!order)
        log_notice("pool \"%s\": %s is no longer %s (%s)", owner, address, what, how);
    else
        log_notice("pool \"%s\": %s is %s%s%s by user %lld, process %lld%s%s%s", owner, address, what,
                   kind == OPERATE_FORCE ? " " : "", kind == OPERATE_FORCE ? health_verdict_name(order->forced) : "",
                   (long long)order->uid, (long long)order->pid, *order->reason ? ": \"" : "", order->reason,
                   *order->reason ? "\"" : "");
}

/* ---- their end */

/* A record that is on its way must not be overtaken by what we make of the one before it. */
static bool is_requested(const struct state *state, const struct operate_member *member, enum operate_kind kind)
{
    for (const struct request *request = state->requests; request; request = request->next)
        for (size_t i = 0; i < request->cnt && request->kind == kind; i++)
            if (addr_same_host(&request->members[i].address, &member->address) &&
                name_equal(request->members[i].owner, member->owner) &&
                name_equal(request->members[i].apex, member->apex))
                return true;
    return false;
}

struct ended {
    struct operate_member member; /* its names are balance's */
    enum operate_kind kind;
};

struct expiring {
    struct state *state;
    uint64_t now_ms, next_ms; /* wall; next_ms 0: none */
    struct ended *ended;
    size_t cnt;
};

static void look_at_end(void *arg, const struct operate_member *member, enum operate_kind kind,
                        const struct operate_order *order)
{
    struct expiring *expiring = arg;
    if (!order->until_wall_ms)
        return;
    if (order->until_wall_ms <= expiring->now_ms && !is_requested(expiring->state, member, kind)) {
        expiring->ended = mem_realloc(expiring->ended, expiring->cnt + 1, sizeof *expiring->ended);
        expiring->ended[expiring->cnt++] = (struct ended){*member, kind};
    } else if (!expiring->next_ms || order->until_wall_ms < expiring->next_ms) {
        expiring->next_ms = order->until_wall_ms;
    }
}

/* They end now, be the records there a little longer: those have their end in them. */
static void lift(struct state *state, const struct ended *ended, size_t cnt)
{
    struct journal_batch *batch = journal_batch_new();
    for (size_t i = 0; i < cnt; i++)
        put_order(batch, &ended[i].member, ended[i].kind, NULL);
    journal_write(state->journal, &batch, NULL, NULL);
    for (size_t i = 0; i < cnt; i++) {
        log_order(&ended[i].member, ended[i].kind, NULL, "its time is over");
        operate_set(state->balance, &ended[i].member, ended[i].kind, NULL);
    }
}

static void on_expiry(uv_timer_t *timer);

/* An order ends at `end_ms` (wall; 0: never), and all are looked at then. The wall clock may be set: they are looked at
 * within a minute. */
static void look_in_time(struct state *state, uint64_t end_ms)
{
    enum { LOOK_AGAIN_MS = 60 * 1000, SOON_MS = 20 };
    uint64_t now_ms = clock_wall_ms();
    if (!end_ms || (state->next_end_ms && state->next_end_ms <= end_ms))
        return;
    state->next_end_ms = end_ms;
    uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    left_ms = left_ms < SOON_MS ? SOON_MS : left_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left_ms;
    uv_update_time(state->loop);
    uv_timer_start(&state->expiry, on_expiry, left_ms, 0);
}

static void on_expiry(uv_timer_t *timer)
{
    struct state *state = container_of(timer, struct state, expiry);
    struct expiring expiring = {.state = state, .now_ms = clock_wall_ms()};
    operate_each(state->balance, look_at_end, &expiring);
    if (expiring.cnt)
        lift(state, expiring.ended, expiring.cnt);
    free(expiring.ended);
    state->next_end_ms = 0;
    look_in_time(state, expiring.next_ms);
}

/* ---- given */

static void free_request(struct request *request)
{
    struct request **at = &request->state->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    for (size_t i = 0; i < request->cnt; i++) {
        free((void *)(uintptr_t)request->members[i].apex);
        free((void *)(uintptr_t)request->members[i].owner);
    }
    free(request->members);
    free((void *)(uintptr_t)request->order.reason);
    free(request);
}

static void on_kept(void *arg, uint64_t number, const char *why)
{
    struct request *request = arg;
    struct state *state = request->state;
    const struct operate_order *order = request->is_lifted ? NULL : &request->order;
    (void)number;
    for (size_t i = 0; i < request->cnt && !why; i++) {
        log_order(&request->members[i], request->kind, order, "by command");
        operate_set(state->balance, &request->members[i], request->kind, order);
    }
    char *text = why ? mem_printf("state_dir cannot be written, nothing was changed: %s", why) : NULL;
    request->fn(request->arg, text);
    free(text);
    if (!why && order)
        look_in_time(state, order->until_wall_ms);
    free_request(request);
}

static const uint8_t *dup_name(const uint8_t *name) { return mem_dup(name, name_len(name)); }

static struct request *make_request(struct state *state, const struct operate_member *members, size_t cnt,
                                    enum operate_kind kind, const struct operate_order *order)
{
    struct request *request = mem_zalloc(1, sizeof *request), **end = &state->requests;
    *request = (struct request){.state = state, .cnt = cnt, .kind = kind, .is_lifted = !order};
    request->members = mem_dup(members, cnt * sizeof *members);
    for (size_t i = 0; i < cnt; i++) {
        request->members[i].apex = dup_name(members[i].apex);
        request->members[i].owner = dup_name(members[i].owner);
    }
    if (order) {
        request->order = *order;
        request->order.reason = mem_strdup(order->reason);
    }
    while (*end)
        end = &(*end)->next;
    *end = request;
    return request;
}

/* What is known of a last answer stays so when the same is ordered again. */
static void put_new_order(const struct state *state, struct journal_batch *batch, const struct operate_member *member,
                          enum operate_kind kind, const struct operate_order *order)
{
    const struct operate_order *was = order ? operate_get(state->balance, member, kind) : NULL;
    struct operate_order whole;
    if (!was) {
        put_order(batch, member, kind, order);
        return;
    }
    whole = *order;
    whole.last_answer_wall_ms = was->last_answer_wall_ms;
    whole.ttl_sec = was->ttl_sec;
    put_order(batch, member, kind, &whole);
}

void state_order(struct state *state, const struct operate_member *members, size_t cnt, enum operate_kind kind,
                 const struct operate_order *order, void (*fn)(void *arg, const char *why), void *arg)
{
    if (!state->journal) {
        fn(arg, state->unusable);
        return;
    }
    struct request *request = make_request(state, members, cnt, kind, order);
    struct journal_batch *batch = journal_batch_new();
    request->fn = fn;
    request->arg = arg;
    for (size_t i = 0; i < cnt; i++)
        put_new_order(state, batch, &members[i], kind, order);
    journal_write(state->journal, &batch, on_kept, request);
}

/* More is known of a last answer. */
static void on_change(void *arg, const struct operate_member *member, const struct operate_order *drain)
{
    struct state *state = arg;
    if (is_requested(state, member, OPERATE_DRAIN))
        return; /* it will come again, or not matter */
    struct journal_batch *batch = journal_batch_new();
    put_order(batch, member, OPERATE_DRAIN, drain);
    journal_write(state->journal, &batch, NULL, NULL);
}

/* ==== life ==== */

static void on_close(uv_handle_t *handle)
{
    struct state *state = container_of((uv_timer_t *)handle, struct state, answers);
    free(state->unusable);
    free(state);
}

static void on_expiry_closed(uv_handle_t *handle)
{
    struct state *state = container_of((uv_timer_t *)handle, struct state, expiry);
    uv_close((uv_handle_t *)&state->answers, on_close);
}

void state_close(struct state *state)
{
    if (!state)
        return;
    operate_on_change(state->balance, NULL, NULL);
    verdicts_close(state->verdicts);
    journal_close(state->journal);
    state_dir_close(&state->dir);
    uv_close((uv_handle_t *)&state->expiry, on_expiry_closed);
}

static void take_dir(struct state *state, struct diag *diag)
{
    load_orders(state, diag);
    state->verdicts = verdicts_new(state->loop, state->balance);
    verdicts_load(state->verdicts, state->dir.lmdb, diag);
    if (journal_open(&state->journal, state->loop, &state->dir.lmdb)) {
        state->unusable = mem_strdup("state_dir cannot be used: there is no journal thread");
        return;
    }
    operate_on_change(state->balance, on_change, state);
    on_expiry(&state->expiry);
}

/* The last warning says it. */
static char *why_unusable(const struct diag *diag)
{
    const struct diag_entry *entry, *last = NULL;
    for (size_t i = 0; (entry = diag_at(diag, i)) != NULL; i++)
        last = entry;
    return mem_strdup(last ? last->text : "state_dir cannot be used");
}

enum err state_open(struct state **state, uv_loop_t *loop, const char *dir, struct balance *balance, struct diag *diag)
{
    struct state *made = mem_zalloc(1, sizeof *made);
    made->loop = loop;
    made->balance = balance;
    uv_timer_init(loop, &made->expiry);
    uv_unref((uv_handle_t *)&made->expiry);
    uv_timer_init(loop, &made->answers);
    uv_unref((uv_handle_t *)&made->answers);
    enum err err = state_dir_open(&made->dir, dir, diag);
    *state = made;
    if (!err)
        take_dir(made, diag);
    else if (err != ERR_BUSY)
        made->unusable = why_unusable(diag);
    if (err == ERR_BUSY) {
        state_close(made);
        *state = NULL;
    }
    return err == ERR_BUSY ? err : ERR_OK;
}

struct journal *state_journal(const struct state *state) { return state->journal; }

void state_follow(struct state *state)
{
    if (!state->journal)
        return;
    verdicts_start(state->verdicts, state->journal);
    if (!uv_is_active((uv_handle_t *)&state->answers))
        uv_timer_start(&state->answers, on_answers, 0, ANSWERS_AGAIN_MS);
}

void state_end(struct state *state)
{
    if (!state->journal)
        return;
    uv_timer_stop(&state->answers);
    put_answers(state);
    verdicts_end(state->verdicts);
}

bool state_ended(const struct state *state) { return !state->journal || !journal_pending(state->journal); }
