#include "store/store.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/load.h"
#include "store/private.h"

struct store_zone *store_zone_new(const uint8_t *apex, const char *path, const struct hash_key *key)
{
    struct store_zone *zone = mem_zalloc(1, sizeof *zone);
    zone->zone = zone_new(apex, key);
    zone->path = mem_strdup(path);
    zone->state = STORE_ZONE_LOADING;
    return zone;
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

void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    for (size_t i = 0; i < store->cnt; i++) {
        const struct store_zone *zone = store->zones[i];
        const struct store_zone_view view = {
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
        };
        fn(arg, &view);
    }
}

size_t store_zone_cnt(const struct store *store, enum store_zone_state state)
{
    return store->state_cnt[state];
}
