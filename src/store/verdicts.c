#include "store/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "balance/memory.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/state_record.h"

static const char database[] = "verdicts";

enum {
    PASS_AGAIN_MS = 25 * 1000, /* and no later than half a minute is all written */
    PASS_RETRY_MS = 1000,      /* when something was not written */
    SLICE_AGAIN_MS = 5,
    SLICE_US = 500,
    TOLD_AFTER_MS = 100, /* so that many that come together are written together */
    PENDING_MOST = 64,   /* batches that the journal may have before we wait for it */
    RECORDS_A_BATCH = 1000,
};

/* A record that is in the database, or on its way there. */
struct saved {
    struct map_link link; /* by digest */
    struct saved *next;
    uint8_t digest[HEALTH_DIGEST_LEN];
    uint64_t hash; /* of what it says */
    uint32_t mark; /* the last pass that had the target */
};

struct verdicts {
    struct balance *balance;
    struct journal *journal; /* NULL: not started */
    struct hash_key key;
    struct map saved;
    struct saved *all;
    uint32_t mark;
    bool is_full;    /* the pass writes all that it finds */
    bool has_failed; /* something was not written, or not heard: nobody knows what is there until a pass has been */
    bool is_passing;
    /* A pass: over the targets from `at` on, then over what is saved from `sweep` on. */
    uint32_t at;
    struct saved **sweep; /* NULL: not so far */
    uint32_t *told;       /* targets of which something was told */
    size_t told_cnt, told_cap;
    uv_timer_t pass, tell, forget;
};

/* ==== records ==== */

/* Digests are hashes. */
static uint64_t hash_of(const uint8_t *digest)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

static struct saved *find(const struct verdicts *v, const uint8_t *digest)
{
    struct map_link *link = map_first(&v->saved, hash_of(digest));
    while (link && memcmp(container_of(link, struct saved, link)->digest, digest, HEALTH_DIGEST_LEN) != 0)
        link = map_next(link);
    return link ? container_of(link, struct saved, link) : NULL;
}

static struct saved *add(struct verdicts *v, const uint8_t *digest)
{
    struct saved *saved = mem_zalloc(1, sizeof *saved);
    memcpy(saved->digest, digest, HEALTH_DIGEST_LEN);
    saved->next = v->all;
    v->all = saved;
    map_add(&v->saved, &saved->link, hash_of(digest));
    return saved;
}

/* What was measured changes with every check and is worth no record of its own. Never 0. */
static uint64_t content_of(const struct verdicts *v, const struct health_memory *memory)
{
    const uint8_t flags[] = {(uint8_t)memory->verdict, memory->unsettled, memory->measure.drains,
                             memory->measure.agent};
    uint64_t hash = hash_step(memory->contrary_cnt, flags, sizeof flags, &v->key);
    hash = hash_step(hash, (const uint8_t *)&memory->since_wall_ms, sizeof memory->since_wall_ms, &v->key);
    hash = hash_step(hash, (const uint8_t *)memory->reason, (unsigned)strlen(memory->reason), &v->key);
    return hash | 1;
}

/* Of several targets of the same check, which differ in their timing, the first one found in a pass. */
static void save(struct verdicts *v, struct journal_batch *batch, const struct health_memory *memory, bool in_pass)
{
    uint8_t value[STATE_MEMORY_VALUE_MAX];
    struct saved *saved = find(v, memory->digest);
    uint64_t content = content_of(v, memory);
    if (!saved)
        saved = add(v, memory->digest);
    if (in_pass && saved->mark == v->mark)
        return;
    if (in_pass)
        saved->mark = v->mark;
    if (saved->hash == content && !v->is_full)
        return;
    saved->hash = content;
    journal_batch_put(batch, database, memory->digest, HEALTH_DIGEST_LEN, value, state_memory_value(value, memory));
}

static void on_pass(uv_timer_t *timer);

/* What is there is of no use, as the time that goes with it is not written any more, until all is written anew. */
static void miss(struct verdicts *v)
{
    if (!v->has_failed && !v->is_passing)
        uv_timer_start(&v->pass, on_pass, PASS_RETRY_MS, 0);
    v->has_failed = true;
}

static void on_written(void *arg, uint64_t number, const char *why)
{
    struct verdicts *v = arg;
    (void)number;
    if (why && v->journal)
        miss(v);
}

static void hand_in(struct verdicts *v, struct journal_batch **batch)
{
    if (journal_batch_cnt(*batch))
        journal_write(v->journal, batch, on_written, v);
    journal_batch_free(*batch);
    *batch = NULL;
}

/* ==== passes ==== */

/* True: there are no more. */
static bool pass_targets(struct verdicts *v, struct journal_batch *batch, uint64_t end_us)
{
    enum { BETWEEN_LOOKS = 16 }; /* at the clock */
    struct health_memory memory;
    for (unsigned n = 1; v->at + 1 < balance_target_end(v->balance); n++) {
        if (balance_recall(v->balance, ++v->at, &memory))
            save(v, batch, &memory, true);
        if ((n % BETWEEN_LOOKS == 0 && clock_mono_us() >= end_us) || journal_batch_cnt(batch) >= RECORDS_A_BATCH)
            return false;
    }
    return true;
}

/* Records of targets that there are no more. True: that was all. */
static bool sweep(struct verdicts *v, struct journal_batch *batch, uint64_t end_us)
{
    enum { BETWEEN_LOOKS = 64 };
    for (unsigned n = 1; *v->sweep; n++) {
        struct saved *saved = *v->sweep;
        if (saved->mark == v->mark) {
            v->sweep = &saved->next;
        } else {
            journal_batch_delete(batch, database, saved->digest, HEALTH_DIGEST_LEN);
            *v->sweep = saved->next;
            map_remove(&v->saved, &saved->link);
            free(saved);
        }
        if (n % BETWEEN_LOOKS == 0 && (clock_mono_us() >= end_us || journal_batch_cnt(batch) >= RECORDS_A_BATCH))
            return false;
    }
    return true;
}

/* Only when it is true of all of them. A failure that is not told yet lets this fail too (store/journal.h). */
static void put_time(struct verdicts *v, struct journal_batch *batch)
{
    uint8_t value[STATE_TIME_VALUE_LEN];
    if (!v->all || v->has_failed)
        return;
    state_time_value(value, (const uint8_t *)database, sizeof database - 1, clock_wall_ms());
    journal_batch_put(batch, STATE_TIMES_DATABASE, database, sizeof database - 1, value, sizeof value);
}

static void begin_pass(struct verdicts *v)
{
    v->mark++;
    v->at = 0;
    v->sweep = NULL;
    v->is_full |= v->has_failed;
    v->has_failed = false;
    v->is_passing = true;
}

/* A slice; true: that was the last. */
static bool pass_some(struct verdicts *v, uint64_t end_us)
{
    struct journal_batch *batch = journal_batch_new();
    bool is_done = v->sweep || pass_targets(v, batch, end_us);
    if (is_done && !v->sweep)
        v->sweep = &v->all;
    is_done = is_done && sweep(v, batch, end_us);
    if (is_done)
        put_time(v, batch);
    hand_in(v, &batch);
    return is_done;
}

static void on_slice(uv_timer_t *timer);

static void on_pass(uv_timer_t *timer)
{
    struct verdicts *v = container_of(timer, struct verdicts, pass);
    begin_pass(v);
    on_slice(timer);
}

static void on_slice(uv_timer_t *timer)
{
    struct verdicts *v = container_of(timer, struct verdicts, pass);
    if (journal_pending(v->journal) > PENDING_MOST || !pass_some(v, clock_mono_us() + SLICE_US)) {
        uv_timer_start(timer, on_slice, SLICE_AGAIN_MS, 0);
        return;
    }
    v->is_full = v->is_passing = false;
    uv_timer_start(timer, on_pass, v->has_failed ? PASS_RETRY_MS : PASS_AGAIN_MS, 0);
}

/* ==== what is told ==== */

static void on_tell(uv_timer_t *timer)
{
    struct verdicts *v = container_of(timer, struct verdicts, tell);
    uint64_t end_us = clock_mono_us() + SLICE_US;
    struct journal_batch *batch = journal_batch_new();
    struct health_memory memory;
    while (v->told_cnt && journal_pending(v->journal) <= PENDING_MOST && clock_mono_us() < end_us)
        if (balance_recall(v->balance, v->told[--v->told_cnt], &memory))
            save(v, batch, &memory, false);
    if (!v->told_cnt)
        put_time(v, batch); /* every verdict is as it stands here; only counters may be of the last pass */
    hand_in(v, &batch);
    if (v->told_cnt)
        uv_timer_start(timer, on_tell, SLICE_AGAIN_MS, 0);
}

/* So many that wait are as well found by the next pass. */
static void on_verdict(void *arg, uint32_t target)
{
    enum { TOLD_MOST = 100 * 1000 };
    struct verdicts *v = arg;
    if (v->told_cnt == TOLD_MOST) {
        miss(v);
        return;
    }
    if (v->told_cnt == v->told_cap) {
        v->told_cap = v->told_cap ? v->told_cap * 2 : 64;
        v->told = mem_realloc(v->told, v->told_cap, sizeof *v->told);
    }
    v->told[v->told_cnt++] = target;
    if (!uv_is_active((uv_handle_t *)&v->tell))
        uv_timer_start(&v->tell, on_tell, TOLD_AFTER_MS, 0);
}

/* ==== loading ==== */

struct loading {
    struct verdicts *verdicts;
    struct health_memory *memories;
    size_t cnt, cap, bad_cnt;
    bool is_fresh;
    uint64_t until_wall_ms;
};

static void load_time(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct loading *loading = arg;
    if (key_len != sizeof database - 1 || memcmp(key, database, key_len) != 0)
        return;
    if (state_time_read(&loading->until_wall_ms, key, key_len, value, value_len))
        loading->bad_cnt++;
}

static void load_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct loading *loading = arg;
    struct health_memory memory;
    if (state_memory_read(&memory, key, key_len, value, value_len)) {
        loading->bad_cnt++;
        return;
    }
    add(loading->verdicts, memory.digest); /* to be taken out unless it is found again */
    if (!loading->is_fresh)
        return;
    if (loading->cnt == loading->cap) {
        loading->cap = loading->cap ? loading->cap * 2 : 64;
        loading->memories = mem_realloc(loading->memories, loading->cap, sizeof *loading->memories);
    }
    loading->memories[loading->cnt++] = memory;
}

/* A clock that was set by as much makes them worthless too. */
static uint64_t age_ms(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : then_ms - now_ms;
}

static void on_forget(uv_timer_t *timer)
{
    balance_forget(container_of(timer, struct verdicts, forget)->balance);
}

static void take(struct verdicts *v, const struct loading *loading)
{
    if (!v->all)
        return;
    uint64_t age = age_ms(loading->until_wall_ms, clock_wall_ms());
    if (!loading->is_fresh) {
        log_info("verdicts from before are older than five minutes and not used");
        return;
    }
    log_notice("verdicts from before, %llu s old: %zu", (unsigned long long)age / 1000, loading->cnt);
    balance_remember(v->balance, loading->memories, loading->cnt);
    uv_timer_start(&v->forget, on_forget, age < HEALTH_MEMORY_MS ? HEALTH_MEMORY_MS - age : 0, 0);
}

void verdicts_load(struct verdicts *v, struct lmdb *lmdb, struct diag *diag)
{
    struct loading loading = {.verdicts = v};
    char why[LMDB_WHY_MAX];
    enum err err = lmdb_each(lmdb, STATE_TIMES_DATABASE, load_time, &loading, why);
    loading.is_fresh = age_ms(loading.until_wall_ms, clock_wall_ms()) <= HEALTH_MEMORY_MS;
    if (!err)
        err = lmdb_each(lmdb, database, load_one, &loading, why);
    if (err)
        diag_warning(diag, NULL, 0, "state_dir: verdicts cannot be read: %s", why);
    if (loading.bad_cnt)
        diag_warning(diag, NULL, 0, "state_dir: records of verdicts that are none, passed over: %zu", loading.bad_cnt);
    take(v, &loading);
    free(loading.memories);
}

/* ==== life ==== */

struct verdicts *verdicts_new(uv_loop_t *loop, struct balance *balance)
{
    struct verdicts *v = mem_zalloc(1, sizeof *v);
    v->balance = balance;
    hash_key_random(&v->key);
    uv_timer_t *const timers[] = {&v->pass, &v->tell, &v->forget};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        uv_timer_init(loop, timers[i]);
        uv_unref((uv_handle_t *)timers[i]);
    }
    return v;
}

void verdicts_start(struct verdicts *v, struct journal *journal)
{
    if (v->journal)
        return;
    v->journal = journal;
    balance_on_verdict(v->balance, on_verdict, v);
    uv_timer_start(&v->pass, on_pass, PASS_AGAIN_MS, 0);
}

void verdicts_end(struct verdicts *v)
{
    if (!v->journal)
        return;
    balance_on_verdict(v->balance, NULL, NULL);
    uv_timer_stop(&v->pass);
    uv_timer_stop(&v->tell);
    begin_pass(v);
    v->is_full = true;
    while (!pass_some(v, UINT64_MAX))
        continue;
    v->journal = NULL;
}

static void on_last_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)(void *)handle, struct verdicts, forget));
}

static void on_tell_closed(uv_handle_t *handle)
{
    struct verdicts *v = container_of((uv_timer_t *)(void *)handle, struct verdicts, tell);
    uv_close((uv_handle_t *)&v->forget, on_last_closed);
}

static void on_pass_closed(uv_handle_t *handle)
{
    struct verdicts *v = container_of((uv_timer_t *)(void *)handle, struct verdicts, pass);
    uv_close((uv_handle_t *)&v->tell, on_tell_closed);
}

void verdicts_close(struct verdicts *v)
{
    if (!v)
        return;
    balance_on_verdict(v->balance, NULL, NULL);
    uv_timer_stop(&v->tell);
    uv_timer_stop(&v->forget);
    uv_close((uv_handle_t *)&v->pass, on_pass_closed);
    for (struct saved *saved = v->all, *next; saved; saved = next) {
        next = saved->next;
        free(saved);
    }
    v->all = NULL;
    map_fini(&v->saved);
    free(v->told);
}
