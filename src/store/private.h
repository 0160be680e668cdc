/* What the files of store share: the store and its zones. [control] but where a field says otherwise. */
#pragma once

#include "balance/marking.h"
#include "store/checkpoint.h"
#include "store/histories.h"
#include "store/keeping.h"
#include "loop/grace.h"
#include "loop/job.h"
#include "store/store.h"
#include "ldnsx/zonefile.h"
#include "zone/version.h"

struct store_load;

/* A zone of the store. Its `zone` is the handle that workers see; the rest is ours. */
struct store_zone {
    struct zone *zone;
    char *path;
    bool is_secondary;
    bool keeps; /* changes are kept, be there no history yet */
    enum store_serial serial_mode;
    uint64_t journal_most_bytes, journal_most_ms;
    struct history_zone history; /* what of it is durable; all zero: nothing */
    bool needs_snapshot;         /* see store/keeping.h */
    struct checkpoint checkpoint;
    struct store_change *changes; /* that wait */
    bool is_frozen;               /* see store/write.h; its history says so too, if it has one */
    bool is_leaving;              /* nothing more may be wanted of it */
    /* of the text that is served; NULL: read it again in any case. While `building`: the job's */
    struct zonefile_sources *sources;
    char *last_error;
    uint64_t loaded_wall_ms;
    size_t name_cnt, rr_cnt, memory_bytes;
    const char *signed_kind; /* a literal; NULL: none was loaded yet */
    bool has_source;
    uint32_t source_serial; /* of the text that is served, if there was one; not always what is published */
    uint32_t serial;
    enum store_zone_state state;
    struct balance_marked marked; /* what the served version was marked by */
    bool building;          /* a load or a change has it and has not ended yet: nothing of its memory may be freed */
    bool releasing;         /* a job releases a version */
    unsigned release_cnt;   /* versions under way to their release, and those that are held */
    struct release *ready;  /* those whose grace period has ended */
};

struct store {
    uv_loop_t *loop;
    struct post *post;
    struct answer_shared *shared;
    struct balance *balance; /* NULL: no pools */
    struct store_zone **zones; /* canonical order */
    size_t cnt;
    size_t state_cnt[STORE_ZONE_STATES];
    struct store_load *load;   /* NULL: none runs */
    size_t change_cnt;         /* changes that run */
    size_t wanted_cnt;         /* those, and those that wait */
    struct journal *journal;   /* NULL: nothing can be kept; so is place.lmdb */
    struct keeping_place place;
    char *dir; /* of the snapshots */
    struct histories *histories; /* of zones that are not there, or not yet; NULL likewise */
    store_watch_fn *watch;
    void *watch_arg;
    struct removal *removals;  /* zones that left the catalogue, not freed yet */
    size_t job_cnt;            /* jobs in the pool that are no loads and no changes */
    size_t release_job_cnt;    /* those of them that release versions */
    unsigned export_cnt;       /* those that write a version for somebody, see store/export.h */
    bool quiet;
};

/* store.c */
void store_zone_set_state(struct store *store, struct store_zone *zone, enum store_zone_state state);
struct store_zone *store_zone_new(const uint8_t *apex, const char *path, const struct hash_key *key); /* [job] too */
void store_zone_free(struct store_zone *zone);                                                       /* [job] too */
struct store_zone *store_find(const struct store *store, const uint8_t *apex); /* lower-cased; NULL: none */
/* What whoever makes a version of the zone keeps of it. */
void store_zone_keeping(const struct store *store, const struct store_zone *zone, struct keeping *keeping);
/* Nobody builds the zone any more: what waited for that goes on. */
void store_zone_idle(struct store *store, struct store_zone *zone);
/* Its version may be served, be it that it had expired. */
void store_zone_revived(struct store *store, struct store_zone *zone);
/* The zone has another version, or it is known that it has none. */
void store_tell_version(const struct store *store, const struct store_zone *zone);

/* change.c */
/* Starts the next change, if it may. */
void change_try(struct store *store, struct store_zone *zone);
/* Those that wait end without having been made. */
void change_drop_all(struct store *store, struct store_zone *zone);

/* release.c: what readers may still see, and what costs more than the control thread has time for. */

/* Puts `version`, which was replaced just now, once nobody reads it and no build of its zone runs. */
void release_version(struct store *store, struct store_zone *zone, struct zone_version *version);
/* Puts a version that was held, and for which the zone's release_cnt was raised. */
void release_held(struct store *store, struct store_zone *zone, struct zone_version *version);
/* `zone` has stopped building: what waited for that goes on. */
void release_resume(struct store *store, struct store_zone *zone);
/* Frees `cnt` zones (the array is taken), which just left the catalogue, once nobody reads them. */
void release_zones(struct store *store, struct store_zone ***zones, size_t cnt);
/* Frees a catalogue that was replaced just now. */
void release_catalogue(struct catalogue *catalogue);
