#include "store/write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/change.h"
#include "store/dump.h"
#include "store/private.h"

enum what { WRITE, FREEZE, THAW };

struct writing {
    struct store_change change;
    enum what what;
    store_write_fn *fn;
    void *arg;
    bool is_written;
    uint32_t serial;
    struct zonefile_sources *sources; /* of what was written */
};

static struct store_zone *zone_of(const struct writing *w) { return w->change.commit.zone; }

/* ---- the change [job] */

static enum err refuse(struct store_making *making, enum err err, const char *why)
{
    snprintf(making->why, sizeof making->why, "%s", why);
    return err;
}

static const char is_changed[] =
    "its file has changed since it was read: reload the zone, or move the file away, first";

static bool is_there(const char *path) { return !access(path, F_OK) || errno != ENOENT; }

/* The file says all that the zone has. */
static bool is_current(const struct writing *w, const struct store_making *making)
{
    const struct zonefile_sources *sources = zone_of(w)->sources;
    return sources && !(making->keeping.entry.flags & HISTORY_HAS_UPDATES) && zonefile_unchanged(sources);
}

/* Somebody wrote it. */
static bool is_foreign(const struct writing *w, const struct store_making *making)
{
    const struct zonefile_sources *sources = zone_of(w)->sources;
    return is_there(making->path) && !(sources && zonefile_unchanged(sources));
}

static bool count_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    size_t *cnt = arg;
    (void)rr;
    (void)file;
    (void)line;
    ++*cnt;
    return true;
}

/* What is on disk now is to be known by its bytes; that these are ours is seen by what they say. */
static enum err read_back(struct writing *w, struct store_making *making)
{
    size_t cnt = 0;
    struct diag *diag = diag_new(1);
    bool is_ours = !zonefile_read(making->path, making->zone->name, count_record, &cnt, diag, &w->sources) &&
                   cnt == making->base->rr_cnt;
    diag_free(diag);
    if (!is_ours) {
        zonefile_sources_free(w->sources);
        w->sources = NULL;
    }
    return is_ours ? ERR_OK : refuse(making, ERR_EXISTS, "its file was changed by somebody while it was written");
}

/* A large zone takes a while to write, in which people save files. */
struct replacing {
    const struct writing *w;
    const struct store_making *making;
};

static bool may_replace(void *arg)
{
    const struct replacing *replacing = arg;
    return zone_of(replacing->w)->is_secondary || !is_foreign(replacing->w, replacing->making);
}

static enum err write_file(struct writing *w, struct store_making *making)
{
    char name[NAME_TEXT_MAX], reason[STORE_DUMP_WHY_MAX];
    char *header = mem_printf("zone %s, written by rondod", name_to_text_bare(name, making->zone->name));
    struct replacing replacing = {w, making};
    const struct store_dump_to to = {making->path, header, 0644, may_replace, &replacing};
    enum err err = store_dump_file(&to, making->base, reason);
    free(header);
    if (err == ERR_EXISTS)
        return refuse(making, err, is_changed);
    if (err) {
        snprintf(making->why, sizeof making->why, "its file \"%s\" could not be written: %s", making->path, reason);
        return err;
    }
    w->is_written = true;
    return zone_of(w)->is_secondary ? ERR_OK : read_back(w, making);
}

/* Of a history that does not fit what is served nothing more can be said before it has begun anew. */
static enum err mend_history(struct store_making *making)
{
    struct keeping *k = &making->keeping;
    return k->entry.seq && k->needs_snapshot ? keeping_whole(k, making->base, making->why) : ERR_OK;
}

static enum err bring_to_file(struct writing *w, struct store_making *making)
{
    if (zone_of(w)->is_secondary)
        return write_file(w, making);
    if (is_current(w, making))
        return ERR_OK;
    if (is_foreign(w, making))
        return refuse(making, ERR_EXISTS, is_changed);
    enum err err = write_file(w, making);
    if (!err)
        err = mend_history(making);
    if (err)
        return err;
    struct keeping *k = &making->keeping;
    keeping_set_flags(k, making->zone->name, k->entry.flags & ~(uint32_t)HISTORY_HAS_UPDATES);
    keeping_source(k, making->zone->name, w->sources, making->base->serial, k->entry.seq);
    return ERR_OK;
}

/* There is nothing yet that could say that it is frozen. */
static enum err begin_history(const struct writing *w, struct store_making *making)
{
    struct keeping *k = &making->keeping;
    enum err err = keeping_whole(k, making->base, making->why);
    if (!err && w->sources)
        keeping_source(k, making->zone->name, w->sources, w->serial, k->entry.seq);
    else if (!err && k->sources)
        keeping_source(k, making->zone->name, k->sources, k->source_serial, k->entry.seq);
    return err;
}

static enum err freeze(struct writing *w, struct store_making *making)
{
    struct keeping *k = &making->keeping;
    if (!keeping_is_possible(k)) /* nothing is promised that nothing keeps */
        return refuse(making, ERR_LIMIT,
                      "state_dir cannot be used, so that it would not survive a restart; updates are refused anyway");
    if (making->is_frozen)
        return refuse(making, ERR_EXISTS, "it is frozen already");
    enum err err = bring_to_file(w, making);
    if (!err)
        err = k->entry.seq ? mend_history(making) : begin_history(w, making);
    if (!err)
        keeping_set_flags(k, making->zone->name, k->entry.flags | HISTORY_IS_FROZEN);
    return err;
}

static enum err thaw(struct store_making *making)
{
    struct keeping *k = &making->keeping;
    if (!making->is_frozen)
        return refuse(making, ERR_EXISTS, "it is not frozen");
    enum err err = mend_history(making);
    if (!err)
        keeping_set_flags(k, making->zone->name, k->entry.flags & ~(uint32_t)HISTORY_IS_FROZEN);
    return err;
}

static enum err make(struct store_change *change, struct store_making *making)
{
    struct writing *w = container_of(change, struct writing, change);
    if (!making->base)
        return refuse(making, ERR_CLOSED, "it has no version");
    w->serial = making->base->serial;
    switch (w->what) {
    case FREEZE:
        return freeze(w, making);
    case THAW:
        return thaw(making);
    default:
        return bring_to_file(w, making);
    }
}

/* ---- [control] */

/* Its file has what is served, whatever it had before. */
static void take_sources(struct writing *w)
{
    struct store_zone *zone = zone_of(w);
    zonefile_sources_free(zone->sources);
    zone->sources = w->sources;
    w->sources = NULL;
    zone->has_source = true;
    zone->source_serial = w->serial;
    if (zone->state != STORE_ZONE_SERVED_STALE)
        return;
    free(zone->last_error);
    zone->last_error = NULL;
    store_zone_set_state(w->change.commit.store, zone, STORE_ZONE_SERVED);
}

static void log_done(const struct writing *w)
{
    char name[NAME_TEXT_MAX];
    const struct store_zone *zone = zone_of(w);
    name_to_text_bare(name, zone->zone->name);
    if (w->is_written)
        log_info("zone \"%s\": serial %u written to \"%s\"", name, w->serial, zone->path);
    if (w->what != WRITE)
        log_notice("zone \"%s\": %s", name, zone->is_frozen ? "frozen, updates are refused" : "thawed");
}

static void done(struct store_change *change, enum err err, const char *why)
{
    struct writing *w = container_of(change, struct writing, change);
    struct store_zone *zone = zone_of(w);
    if (w->sources) /* also when that could not be kept */
        take_sources(w);
    if (!err && w->what != WRITE)
        zone->is_frozen = w->what == FREEZE;
    if (!err)
        log_done(w);
    const struct store_written written = {w->serial, w->is_written, zone ? zone->path : ""};
    w->fn(w->arg, err, why, &written);
    free(w);
}

static void start(struct store *store, const uint8_t *apex, enum what what, store_write_fn *fn, void *arg)
{
    struct writing *w = mem_zalloc(1, sizeof *w);
    w->change.make = make;
    w->change.done = done;
    w->what = what;
    w->fn = fn;
    w->arg = arg;
    store_change(store, apex, &w->change);
}

void store_write(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    start(store, apex, WRITE, fn, arg);
}

void store_freeze(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    start(store, apex, FREEZE, fn, arg);
}

void store_thaw(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    start(store, apex, THAW, fn, arg);
}

bool store_is_frozen(const struct store *store, const uint8_t *apex)
{
    const struct store_zone *zone = store_find(store, apex);
    return zone && zone->is_frozen;
}
