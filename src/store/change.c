#include "store/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "balance/marking.h"
#include "base/container.h"
#include "base/mem.h"
#include "store/load.h"
#include "store/private.h"
#include "store/zone_load.h"

static struct store_change *of_job(struct job *job) { return container_of(job, struct store_change, job); }

static struct store_zone *zone_of(const struct store_change *change) { return change->commit.zone; }

/* ---- the end */

static void end(struct store_change *change, enum err err, const char *why)
{
    struct store *store = change->commit.store;
    struct store_zone *zone = zone_of(change);
    bool is_new = !err && change->making.version;
    diag_log(change->making.diag);
    diag_free(change->making.diag);
    balance_marking_fini(change->marking);
    free(change->marking);
    if (change->plan)
        balance_give_plan(store->balance, change->plan);
    diag_free(change->commit.pools_diag);
    keeping_fini(&change->making.keeping);
    if (is_new)
        store_tell_version(store, zone);
    change->done(change, err, why);
    zone->building = false;
    store->change_cnt--;
    store->wanted_cnt--;
    store_zone_idle(store, zone);
}

static void committed(struct commit *commit, const char *why)
{
    struct store_change *change = container_of(commit, struct store_change, commit);
    struct store_zone *zone = commit->zone;
    if (why) {
        end(change, ERR_LIMIT, why);
        return;
    }
    if (change->making.version) {
        zone->marked = change->marking->marked;
        store_zone_revived(commit->store, zone);
        free(zone->last_error);
        zone->last_error = NULL;
    }
    end(change, ERR_OK, NULL);
}

/* ---- the job */

static enum err not_made(struct store_making *making, enum err err)
{
    zone_discard(making->version);
    making->version = NULL;
    return err;
}

enum err store_make_changes(struct store_making *making, const struct changeset *all,
                            struct changeset *const *changes, size_t cnt)
{
    if (zone_apply(&making->version, making->base, all, making->marks)) {
        snprintf(making->why, sizeof making->why, "its changes do not fit the version that they are to change");
        return ERR_INVALID;
    }
    if (making->version->serial != all->serial_to) {
        snprintf(making->why, sizeof making->why, "its changes lead to another serial than they say");
        return not_made(making, ERR_INVALID);
    }
    if (keeping_changes(&making->keeping, making->base, making->version, changes, cnt, making->why))
        return not_made(making, ERR_LIMIT);
    return ERR_OK;
}

static void work(struct job *job)
{
    struct store_change *change = of_job(job);
    struct store_making *making = &change->making;
    change->err = change->make(change, making);
    if (making->version && zone_wastes_memory(making->version))
        zone_pack(making->version);
}

static void work_done(struct job *job)
{
    struct store_change *change = of_job(job);
    if (change->err) {
        zone_of(change)->needs_snapshot |= change->making.keeping.needs_snapshot;
        end(change, change->err, change->making.why);
        return;
    }
    change->commit.version = change->making.version;
    change->commit.keeping = &change->making.keeping;
    change->commit.is_needed = false;
    change->commit.path = NULL;
    change->commit.done = committed;
    commit_start(&change->commit);
}

static void start(struct store_change *change)
{
    struct store *store = change->commit.store;
    struct store_zone *zone = zone_of(change);
    struct store_making *making = &change->making;
    zone->building = true;
    store->change_cnt++;
    change->marking = mem_zalloc(1, sizeof *change->marking);
    change->plan = store->balance ? balance_hold_plan(store->balance) : NULL; /* a reload may bring another meanwhile */
    balance_marking_init(change->marking, change->plan, zone->zone, &zone->marked);
    change->marking->marks.diag = diag_new(ZONE_LOAD_DIAG_MOST);
    *making = (struct store_making){.zone = zone->zone, .base = zone->zone->latest, .path = zone->path,
                                    .marks = change->marking->used, .diag = change->marking->marks.diag,
                                    .journal_most_ms = zone->journal_most_ms, .serial_mode = zone->serial_mode,
                                    .is_secondary = zone->is_secondary, .is_frozen = zone->is_frozen};
    store_zone_keeping(store, zone, &making->keeping);
    job_run(store->loop, &change->job, work, work_done);
}

/* ---- the queue */

void change_try(struct store *store, struct store_zone *zone)
{
    struct store_change *change = zone->changes;
    if (!change || zone->building || zone->releasing || zone->is_leaving || load_is_near(store, zone))
        return;
    zone->changes = change->next;
    start(change);
}

void change_drop_all(struct store *store, struct store_zone *zone)
{
    for (struct store_change *change; (change = zone->changes) != NULL;) {
        zone->changes = change->next;
        store->wanted_cnt--;
        change->done(change, ERR_NOT_FOUND, "the zone is gone");
    }
}

void store_change(struct store *store, const uint8_t *apex, struct store_change *change)
{
    struct store_zone *zone = store_find(store, apex);
    if (!zone || zone->is_leaving) {
        change->done(change, ERR_NOT_FOUND, "there is no such zone");
        return;
    }
    struct store_change **end = &zone->changes;
    while (*end)
        end = &(*end)->next;
    *end = change;
    change->next = NULL;
    change->commit = (struct commit){.store = store, .zone = zone};
    store->wanted_cnt++;
    change_try(store, zone);
}
