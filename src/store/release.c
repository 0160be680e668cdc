/* Releasing what was replaced. A version goes through a grace period and then is put on the control thread; it waits
 * longer while a job builds its zone's next version, because both work on the zone's memory. Many objects to free are a
 * job of their own, during which the zone must not be built: no load starts before such jobs have ended. Zones that
 * left are freed by a job, after all their versions. */
#include <stdlib.h>

#include "base/container.h"
#include "base/mem.h"
#include "store/load.h"
#include "store/private.h"

/* An object takes some 50 ns to free when it is not cached: this many take 0.1 ms. */
enum { RELEASE_INLINE_MOST = 2000 };

struct release {
    struct grace grace;
    struct job job;
    struct store *store;
    struct store_zone *zone;
    struct zone_version *version;
    struct release *next;
};

struct removal {
    struct grace grace;
    struct job job;
    struct store *store;
    struct store_zone **zones;
    size_t cnt;
    bool grace_ended;
    struct removal *next;
};

/* ---- zones */

static void free_zones_work(struct job *job)
{
    struct removal *removal = container_of(job, struct removal, job);
    for (size_t i = 0; i < removal->cnt; i++)
        store_zone_free(removal->zones[i]);
}

static void free_zones_done(struct job *job)
{
    struct removal *removal = container_of(job, struct removal, job);
    removal->store->job_cnt--;
    free(removal->zones);
    free(removal);
}

static bool versions_gone(const struct removal *removal)
{
    for (size_t i = 0; i < removal->cnt; i++)
        if (removal->zones[i]->release_cnt)
            return false;
    return true;
}

/* Starts to free the removed zones whose last reader and last version are gone. */
static void try_removals(struct store *store)
{
    for (struct removal **at = &store->removals; *at;) {
        struct removal *removal = *at;
        if (!removal->grace_ended || !versions_gone(removal)) {
            at = &removal->next;
            continue;
        }
        *at = removal->next;
        store->job_cnt++;
        job_run(store->loop, &removal->job, free_zones_work, free_zones_done);
    }
}

static void removal_grace_ended(struct grace *grace)
{
    struct removal *removal = container_of(grace, struct removal, grace);
    removal->grace_ended = true;
    try_removals(removal->store);
}

void release_zones(struct store *store, struct store_zone ***zones, size_t cnt)
{
    struct removal *removal = mem_zalloc(1, sizeof *removal);
    removal->store = store;
    removal->zones = *zones;
    removal->cnt = cnt;
    *zones = NULL;
    removal->next = store->removals;
    store->removals = removal;
    grace_after(&removal->grace, store->post, removal_grace_ended);
}

/* ---- versions */

/* What releasing the version frees, when it is the oldest. */
static size_t cost(const struct zone_version *version)
{
    return zone_version_put_cost(version);
}

static void note_memory(struct store_zone *zone)
{
    zone->memory_bytes = zone_memory_bytes(zone->zone);
}

/* True when the zone has more to release; otherwise it may be gone by then. */
static bool release_end(struct release *release)
{
    struct store *store = release->store;
    struct store_zone *zone = release->zone;
    free(release);
    note_memory(zone);
    if (--zone->release_cnt)
        return true;
    try_removals(store);
    return false;
}

static void put_work(struct job *job)
{
    zone_version_put(container_of(job, struct release, job)->version);
}

static void put_done(struct job *job)
{
    struct release *release = container_of(job, struct release, job);
    struct store *store = release->store;
    struct store_zone *zone = release->zone;
    zone->releasing = false;
    store->job_cnt--;
    store->release_job_cnt--;
    if (release_end(release)) {
        release_resume(store, zone);
        change_try(store, zone);
    }
    if (store->load)
        load_try_runners(store->load);
}

void release_resume(struct store *store, struct store_zone *zone)
{
    while (zone->ready && !zone->building && !zone->releasing) {
        struct release *release = zone->ready;
        zone->ready = release->next;
        if (cost(release->version) <= RELEASE_INLINE_MOST) {
            zone_version_put(release->version);
            if (!release_end(release))
                return;
            continue;
        }
        zone->releasing = true;
        store->job_cnt++;
        store->release_job_cnt++;
        job_run(store->loop, &release->job, put_work, put_done);
    }
}

static void make_ready(struct release *release)
{
    struct release **end = &release->zone->ready;
    while (*end)
        end = &(*end)->next;
    *end = release;
    release_resume(release->store, release->zone);
}

static void version_grace_ended(struct grace *grace) { make_ready(container_of(grace, struct release, grace)); }

static struct release *release_new(struct store *store, struct store_zone *zone, struct zone_version *version)
{
    struct release *release = mem_zalloc(1, sizeof *release);
    release->store = store;
    release->zone = zone;
    release->version = version;
    return release;
}

void release_version(struct store *store, struct store_zone *zone, struct zone_version *version)
{
    struct release *release = release_new(store, zone, version);
    zone->release_cnt++;
    grace_after(&release->grace, store->post, version_grace_ended);
}

void release_held(struct store *store, struct store_zone *zone, struct zone_version *version)
{
    make_ready(release_new(store, zone, version));
}

/* ---- catalogues */

static void free_catalogue(struct rcu_deferred *deferred)
{
    catalogue_free(container_of(deferred, struct catalogue, deferred));
}

void release_catalogue(struct catalogue *catalogue)
{
    rcu_defer(&catalogue->deferred, free_catalogue);
}
