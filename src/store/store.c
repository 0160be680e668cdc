#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/load.h"
#include "store/private.h"
#include "store/snapshot.h"

struct store_zone *store_zone_new(const uint8_t *apex, const char *path, const struct hash_key *key)
{
    struct store_zone *zone = mem_zalloc(1, sizeof *zone);
    zone->zone = zone_new(apex, key);
    zone->path = mem_strdup(path);
    zone->state = STORE_ZONE_LOADING;
    return zone;
}

static int cmp_zone(const void *apex, const void *zone)
{
    return name_cmp(apex, (*(struct store_zone *const *)zone)->zone->name);
}

struct store_zone *store_find(const struct store *store, const uint8_t *apex)
{
    struct store_zone **found =
        store->cnt ? bsearch(apex, store->zones, store->cnt, sizeof(struct store_zone *), cmp_zone) : NULL;
    return found ? *found : NULL;
}

void store_zone_keeping(const struct store *store, const struct store_zone *zone, struct keeping *keeping)
{
    keeping_init(keeping, &store->place, &zone->history);
    keeping->needs_snapshot = zone->needs_snapshot;
    keeping->most_bytes = zone->journal_most_bytes;
    keeping->sources = zone->has_source ? zone->sources : NULL;
    keeping->source_serial = zone->source_serial;
}

void store_zone_idle(struct store *store, struct store_zone *zone)
{
    release_resume(store, zone);
    checkpoint_try(store, zone);
    change_try(store, zone);
    if (store->load)
        load_try_runners(store->load);
}

void store_tell_version(const struct store *store, const struct store_zone *zone)
{
    if (store->watch)
        store->watch(store->watch_arg, zone->zone->name, zone->zone->latest);
}

void store_zone_free(struct store_zone *zone)
{
    zone_free(zone->zone);
    zonefile_sources_free(zone->sources);
    free(zone->path);
    free(zone->last_error);
    free(zone);
}

void store_zone_set_state(struct store *store, struct store_zone *zone, enum store_zone_state state)
{
    store->state_cnt[zone->state]--;
    store->state_cnt[state]++;
    zone->state = state;
}

struct store *store_new(uv_loop_t *loop, struct answer_shared *shared, struct balance *balance)
{
    struct post *post = post_open(loop);
    if (!post)
        return NULL;
    struct store *store = mem_zalloc(1, sizeof *store);
    store->loop = loop;
    store->post = post;
    store->shared = shared;
    store->balance = balance;
    return store;
}

enum err store_keep(struct store *store, struct journal *journal, const char *state_dir, struct diag *diag)
{
    char why[SNAPSHOT_WHY_MAX], *dir;
    if (snapshot_dir_make(&dir, state_dir, why)) {
        diag_warning(diag, NULL, 0, "state_dir \"%s\": zones' histories cannot be kept there: %s", state_dir, why);
        return ERR_IO;
    }
    store->journal = journal;
    store->dir = dir;
    store->place = (struct keeping_place){journal_lmdb(journal), dir};
    store->histories = histories_read(journal, dir, &store->shared->key, diag);
    return ERR_OK;
}

void store_watch(struct store *store, store_watch_fn *fn, void *arg)
{
    store->watch = fn;
    store->watch_arg = arg;
}

bool store_busy(const struct store *store) { return store->load || store->wanted_cnt; }

void store_stop_keeping(struct store *store)
{
    assert(!store_busy(store));
    store->journal = NULL;
    store->place = (struct keeping_place){NULL, NULL};
}

/* No reader is left, so grace periods end at once; what they let go may be jobs, and these may let go more. */
static void release_all(struct store *store)
{
    do {
        rcu_drain();
        post_run_all(store->post);
        if (store->job_cnt)
            uv_run(store->loop, UV_RUN_ONCE);
    } while (store->job_cnt || store->removals);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    release_all(store);
    for (size_t i = 0; i < store->cnt; i++)
        store_zone_free(store->zones[i]);
    free(store->zones);
    free(store->dir);
    histories_free(store->histories);
    if (store->shared->catalogue)
        catalogue_free(store->shared->catalogue);
    store->shared->catalogue = NULL;
    post_close(store->post);
    free(store);
}

enum err store_load(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg)
{
    if (store->load)
        return ERR_BUSY;
    load_start(store, plan, fn, arg);
    return ERR_OK;
}

enum err store_load_zone(struct store *store, const uint8_t *apex, enum store_load_how how, store_report_fn *fn,
                         void *arg)
{
    struct store_zone *zone = store_find(store, apex);
    if (store->load)
        return ERR_BUSY;
    if (!zone)
        return ERR_NOT_FOUND;
    load_start_zone(store, zone, how, fn, arg);
    return ERR_OK;
}

void store_expire(struct store *store, const uint8_t *apex)
{
    struct store_zone *zone = store_find(store, apex);
    if (!zone || !zone->zone->latest)
        return;
    zone_expire(zone->zone);
    store_zone_set_state(store, zone, STORE_ZONE_EXPIRED);
    if (store->journal)
        histories_set_wall_ms(store->histories, store->journal, HISTORIES_EXPIRED, apex, clock_wall_ms());
}

void store_revive(struct store *store, const uint8_t *apex)
{
    struct store_zone *zone = store_find(store, apex);
    if (!zone || zone->state != STORE_ZONE_EXPIRED)
        return;
    zone_revive(zone->zone);
    store_zone_revived(store, zone);
}

void store_zone_revived(struct store *store, struct store_zone *zone)
{
    const uint8_t *apex = zone->zone->name;
    store_zone_set_state(store, zone, STORE_ZONE_SERVED);
    if (store->journal && histories_wall_ms(store->histories, HISTORIES_EXPIRED, apex))
        histories_set_wall_ms(store->histories, store->journal, HISTORIES_EXPIRED, apex, 0);
}

const struct zone_version *store_version(const struct store *store, const uint8_t *apex)
{
    const struct store_zone *zone = store_find(store, apex);
    return zone ? zone->zone->latest : NULL;
}

uint64_t store_good_wall_ms(const struct store *store, const uint8_t *apex)
{
    return store->histories ? histories_wall_ms(store->histories, HISTORIES_GOOD, apex) : 0;
}

void store_set_good(struct store *store, const uint8_t *apex, uint64_t wall_ms)
{
    if (store->journal)
        histories_set_wall_ms(store->histories, store->journal, HISTORIES_GOOD, apex, wall_ms);
}

bool store_was_expired(const struct store *store, const uint8_t *apex)
{
    return store->histories && histories_wall_ms(store->histories, HISTORIES_EXPIRED, apex);
}

bool store_loading(const struct store *store)
{
    return store->load != NULL;
}

void store_set_quiet(struct store *store)
{
    store->quiet = true;
}

void store_cancel(struct store *store)
{
    if (store->load)
        load_cancel(store->load);
}

static struct store_zone_view view_of(const struct store_zone *zone)
{
    const struct history_zone *history = &zone->history;
    return (struct store_zone_view){
        .apex = zone->zone->name,
        .path = zone->path,
        .state = zone->state,
        .serial = zone->serial,
        .name_cnt = zone->name_cnt,
        .signed_kind = zone->signed_kind,
        .rr_cnt = zone->rr_cnt,
        .memory_bytes = zone->memory_bytes,
        .loaded_wall_ms = zone->loaded_wall_ms,
        .last_error = zone->last_error,
        .is_secondary = zone->is_secondary,
        .is_frozen = zone->is_frozen,
        .has_updates = history->flags & HISTORY_HAS_UPDATES,
        .has_history = history->seq != 0,
        .change_cnt = history->seq - history->dropped_seq,
        .checkpoint_serial = history->checkpoint_serial,
        .is_measured = zone->checkpoint.is_measured,
        .change_bytes = zone->checkpoint.bytes,
        .oldest_serial = zone->checkpoint.oldest_serial,
    };
}

/* The first of those that are not before `apex`. */
static size_t place_of(const struct store *store, const uint8_t *apex)
{
    size_t low = 0, high = store->cnt;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (name_cmp(store->zones[middle]->zone->name, apex) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool store_each_zone_after(const struct store *store, const uint8_t *after, size_t most,
                           void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    size_t i = after ? place_of(store, after) : 0;
    if (after && i < store->cnt && name_equal(store->zones[i]->zone->name, after))
        i++;
    for (; i < store->cnt && most; i++, most--) {
        const struct store_zone_view view = view_of(store->zones[i]);
        fn(arg, &view);
    }
    return i < store->cnt;
}

void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    (void)store_each_zone_after(store, NULL, store->cnt, fn, arg);
}

bool store_get_zone(const struct store *store, const uint8_t *apex, struct store_zone_view *view)
{
    const struct store_zone *zone = store_find(store, apex);
    if (zone)
        *view = view_of(zone);
    return zone != NULL;
}

size_t store_zone_cnt(const struct store *store, enum store_zone_state state)
{
    return store->state_cnt[state];
}
