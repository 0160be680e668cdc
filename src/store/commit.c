#include "store/commit.h"

#include <stdlib.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/checkpoint.h"
#include "store/private.h"
#include "store/snapshot.h"
#include "store/zone_load.h"
#include "zone/signed.h"

/* ---- it fails */

/* The snapshot of what is refused is in place. Were the process to end, the next one would take it for what came last,
 * and drop what was acknowledged; so what is served takes its place again, if there is room. */
static bool put_back(const struct commit *commit)
{
    char why[SNAPSHOT_WHY_MAX];
    const struct store_zone *zone = commit->zone;
    return !snapshot_write(commit->keeping->place->dir, zone->zone->latest, zone->history.seq, why);
}

static void discard_work(struct job *job)
{
    struct commit *commit = container_of(job, struct commit, job);
    zone_discard(commit->version);
    commit->is_put_back = commit->is_to_be_put_back && put_back(commit);
}

static void end_failed(struct commit *commit)
{
    char *why = commit->why;
    commit->version = NULL;
    commit->why = NULL;
    commit->done(commit, why);
    free(why);
}

static void discard_done(struct job *job)
{
    struct commit *commit = container_of(job, struct commit, job);
    commit->store->job_cnt--;
    if (commit->is_put_back)
        commit->zone->needs_snapshot = false;
    end_failed(commit);
}

/* What was built whole takes long to take apart. */
static void fail(struct commit *commit)
{
    if (!commit->version) {
        end_failed(commit);
        return;
    }
    commit->store->job_cnt++;
    job_run(commit->store->loop, &commit->job, discard_work, discard_done);
}

/* ---- it is published */

static void take_version(struct store *store, struct store_zone *zone, struct zone_version *version)
{
    zone->serial = version->serial;
    zone->name_cnt = version->node_cnt;
    zone->rr_cnt = version->rr_cnt;
    zone->signed_kind = zone_signed_kind(version);
    zone->memory_bytes = zone_memory_bytes(zone->zone);
    zone->loaded_wall_ms = clock_wall_ms();
    struct zone_version *replaced = zone_publish(zone->zone, version);
    zone_version_forget_pools(version);
    if (replaced)
        release_version(store, zone, replaced);
}

/* Pools of the version that comes get their handles, and now is the time for new annotations: not before, or they would
 * meet records for which they were not written. False: not yet. */
static bool take_pools(struct commit *commit)
{
    struct balance *balance = commit->store->balance;
    if (!balance)
        return true;
    if (!commit->pools_diag) {
        commit->pools_diag = diag_new(ZONE_LOAD_DIAG_MOST);
        if (commit->path)
            diag_set_file(commit->pools_diag, commit->path);
    }
    if (!balance_version_ready(balance, commit->version, commit->pools_diag))
        return false;
    if (!commit->store->quiet)
        diag_log(commit->pools_diag);
    return true;
}

/* Whoever writes a zone's addresses must not choose what on this machine is probed (probe/rules.h). */
static void note_origin(const struct commit *commit)
{
    commit->zone->zone->is_foreign =
        commit->zone->is_secondary || commit->keeping->entry.flags & (uint32_t)HISTORY_HAS_UPDATES;
}

static void publish(struct post_item *item)
{
    struct commit *commit = container_of(item, struct commit, item);
    note_origin(commit);
    if (commit->version) {
        if (!take_pools(commit)) {
            post_send(commit->store->post, item, publish); /* for the next slice */
            return;
        }
        take_version(commit->store, commit->zone, commit->version);
    }
    commit->done(commit, NULL);
}

/* ---- it is kept */

static void take_entry(struct commit *commit)
{
    struct store_zone *zone = commit->zone;
    const struct keeping *keeping = commit->keeping;
    zone->history = keeping->entry;
    zone->needs_snapshot = keeping->needs_snapshot;
    checkpoint_note(zone, keeping);
}

static void log_unkept(const struct commit *commit, const char *why)
{
    char name[NAME_TEXT_MAX];
    log_warning("zone \"%s\": what is to be kept of it could not be written: %s",
                name_to_text_bare(name, commit->zone->zone->name), why);
}

/* Does the snapshot still fit the entry, and the entry what is served? */
static void note_unkept(struct commit *commit)
{
    const struct keeping *keeping = commit->keeping;
    struct store_zone *zone = commit->zone;
    bool is_served_all_the_same = commit->is_needed && commit->version;
    commit->is_to_be_put_back = keeping->is_replaced && zone->history.seq && !zone->needs_snapshot &&
                                zone->zone->latest && zone->zone->latest->serial == zone->history.serial;
    zone->needs_snapshot |= keeping->needs_snapshot || keeping->is_replaced || is_served_all_the_same;
}

static void on_kept(void *arg, uint64_t number, const char *why)
{
    struct commit *commit = arg;
    (void)number;
    if (!why) {
        take_entry(commit);
        publish(&commit->item);
        return;
    }
    note_unkept(commit);
    if (commit->is_needed) {
        log_unkept(commit, why);
        publish(&commit->item);
        return;
    }
    commit->why = mem_strdup(why);
    fail(commit);
}

void commit_start(struct commit *commit)
{
    commit->why = NULL;
    commit->pools_diag = NULL;
    if (commit->keeping->batch) {
        journal_write(commit->store->journal, &commit->keeping->batch, on_kept, commit);
        return;
    }
    commit->zone->needs_snapshot = commit->keeping->needs_snapshot;
    publish(&commit->item);
}
