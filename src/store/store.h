/* The door through which zones change: loads zone files in jobs, turns what changed into changesets, builds the next
 * version, publishes it and the catalogue, and releases what was replaced after a grace period. Owns all `struct zone`.
 * Lives on the control thread; only loading, checking, diffing and building run in libuv's pool, one job at a time a
 * zone.
 *
 * What store_each_zone tells is what queries are answered from, at any moment. A zone that never loaded, be it that its
 * first load still runs, is in the catalogue without a version (SERVFAIL); a zone whose new text is broken keeps its
 * old version; a zone that a load removes is served and listed until that load has ended. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "answer/answer.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"
#include "store/load_how.h"
#include "store/serial_mode.h"

struct balance;
struct zone_access;

/* One row of `zones` or `templates`. */
struct store_zone_options {
    char *name;     /* "example.com"; of a template: its name */
    char *file;     /* relative to zone_dir; "%s" stands for the zone's name without the final dot */
    char *template; /* NULL: none */
    int serial;     /* enum store_serial */
    int64_t journal_most_bytes; /* 0: as the template says, or the default; so is the next */
    uint64_t journal_most_ms;
    struct opt_where where;
};
struct store_options {
    char *zone_dir;
};
extern const struct opt_table store_server_opt_table; /* "server" */
extern const struct opt_table store_zone_opt_table;   /* "zones", a list */
extern const struct opt_table store_template_opt_table; /* "templates", a list */

/* A zone as configured, templates and paths resolved. */
struct store_zone_conf {
    const uint8_t *apex; /* wire, lower-cased */
    const char *path;    /* of the zone file */
    enum store_serial serial;
    uint64_t journal_most_bytes, journal_most_ms;
    /* Of what the store knows nothing, filled by whoever makes the plan. */
    bool is_secondary;           /* it comes by transfers, not from its file */
    struct zone_access *access;  /* who may transfer it; NULL: nobody; taken when the plan is put in force */
};
struct store_plan {
    struct store_zone_conf *zones; /* canonical order, each name once */
    size_t cnt;
    struct arena arena; /* of names and paths */
};
void store_plan_free(struct store_plan *plan);
/* The apex (wire, lower-cased, NAME_MAX_LEN bytes) that a row names. ERR_RANGE (a label or the whole too long),
 * ERR_SYNTAX (also when it has no name). */
enum err store_zone_apex(uint8_t *apex, const struct store_zone_options *row) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Resolves names, templates and paths; errors (bad name, unknown template, a zone twice) to
 * `diag`. ERR_INVALID then, and *plan NULL. Rows may be what conf_load left of those with errors:
 * nothing is said that only follows from these. */
enum err store_plan_make(struct store_plan **plan, const struct store_options *server, const struct opt_list *zones,
                         const struct opt_list *templates, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;

struct store;
enum { STORE_REPORT_MOST = 10000 };

enum store_zone_state {
    STORE_ZONE_LOADING,
    STORE_ZONE_SERVED,
    STORE_ZONE_FAILED,
    STORE_ZONE_SERVED_STALE, /* the old version is served, the new text was refused */
    STORE_ZONE_EMPTY,        /* a secondary that has nothing yet */
    STORE_ZONE_EXPIRED,      /* a secondary whose primaries were gone for too long: its version is not served */
    STORE_ZONE_STATES
};

/* A zone as shown to people. [control], valid during the call. */
struct store_zone_view {
    const uint8_t *apex;
    const char *path;
    enum store_zone_state state;
    uint32_t serial;             /* of the served version */
    size_t name_cnt, rr_cnt, memory_bytes;
    const char *signed_kind; /* "no", "nsec" or "nsec3"; NULL: none was loaded yet */
    uint64_t loaded_wall_ms; /* when the served version was published; 0: never */
    const char *last_error;  /* the first error of the last load; NULL: none */
    bool is_secondary;
    bool is_frozen;          /* see store/write.h */
    bool has_updates;        /* changes that its file lacks */
    /* What of its history is kept (IXFR). */
    bool has_history;
    uint64_t change_cnt;         /* changesets; they lead to `serial` */
    uint32_t checkpoint_serial;  /* of the whole zone that is kept besides */
    bool is_measured;            /* these are known: */
    size_t change_bytes;
    uint32_t oldest_serial;      /* that they lead on from */
};

/* What a load did. `diag` and `failed_names` (with its strings, each of its own) are valid during the call, unless the
 * callee takes them and leaves NULL. */
struct store_report {
    size_t loaded, unchanged, failed, added, removed;
    size_t empty; /* secondaries that have nothing yet */
    struct diag *diag;   /* every zone's errors and warnings, the first STORE_REPORT_MOST */
    char **failed_names; /* text of the zones that failed */
    bool cancelled;      /* store_cancel ended it: zones may not have been read */
};
typedef void store_report_fn(void *arg, struct store_report *report);

/* All loads and changes must have ended, versions that were held be given back, readers be stopped. What is still to be
 * released is released before it returns, waiting for grace periods and jobs (it runs the loop's callbacks for that);
 * the loop then has one more round to go. [control] */
void store_free(struct store *store);
/* `shared` (its key set) is published to; all borrowed. Each zone's errors, warnings and result go to the log.
 * `balance` is asked which names are pools and told of versions and zones that come and go; NULL: no name is a pool.
 * NULL when the system gives no descriptor, which is logged. [control] */
struct store *store_new(uv_loop_t *loop, struct answer_shared *shared, struct balance *balance)
    ATTR_FREED_BY(store_free) ATTR_MUST_USE ATTR_NONNULL(1, 2);
/* From now on zones' changes are kept by `journal` (borrowed until store_stop_keeping) and in a folder of `state_dir`;
 * what is there of zones is read, and zones begin with it. ERR_IO with a warning: they cannot be. [before the loop
 * runs, before the first load] */
struct journal;
enum err store_keep(struct store *store, struct journal *journal, const char *state_dir, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The journal is about to close. No load or change may run or wait (store_busy). */
void store_stop_keeping(struct store *store) ATTR_NONNULL_ALL;
/* A load, or a change (store/change.h), runs, or waits. */
bool store_busy(const struct store *store) ATTR_NONNULL_ALL;
/* A zone that has expired is answered with SERVFAIL until it is revived, or another version of it is published.
 * Nothing, where there is no such zone, or it has no version. */
void store_expire(struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
void store_revive(struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
/* The zone's latest version, be it expired; NULL: none. Valid during the turn; see store/hold.h for longer. */
struct zone_version;
const struct zone_version *store_version(const struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
/* When a secondary's zone was last known to be what its primaries have, by wall clock: as it was written down (0: it
 * was not), and to be written down, without waiting. */
uint64_t store_good_wall_ms(const struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
void store_set_good(struct store *store, const uint8_t *apex, uint64_t wall_ms) ATTR_NONNULL_ALL;
/* It had expired when the last process ended, and nothing newer has come since. */
bool store_was_expired(const struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
/* Who is told, on the loop, when a zone has another version, which is published, or when its first load has ended
 * without one (`latest` NULL: a secondary that has nothing yet, or a text that is refused). */
typedef void store_watch_fn(void *arg, const uint8_t *apex, const struct zone_version *latest);
void store_watch(struct store *store, store_watch_fn *fn, void *arg) ATTR_NONNULL(1);
/* Makes `plan` (taken) the set of zones: new ones enter the catalogue and load, kept ones are read again if a byte of
 * their files changed, each goes live as soon as it has been read, and gone ones leave when all have. A changed file
 * whose serial did not rise (RFC 1982) is refused. Names are marked by the plan that balance has now, and keeps until
 * the load has ended. `fn` is called once, on the loop, when all is published. ERR_BUSY while a load runs. */
enum err store_load(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg)
    ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
/* The same for the text of one zone, which is there, and nothing else. ERR_BUSY;
 * ERR_NOT_FOUND. */
enum err store_load_zone(struct store *store, const uint8_t *apex, enum store_load_how how, store_report_fn *fn,
                         void *arg)
    ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
bool store_loading(const struct store *store) ATTR_NONNULL_ALL;
/* Leaves zones' errors, warnings and results to the reader of the report. */
void store_set_quiet(struct store *store) ATTR_NONNULL_ALL;
/* A load that runs ends as soon as the zones being read just now are done; its `fn` is called as ever. For shutdown. */
void store_cancel(struct store *store) ATTR_NONNULL_ALL;
/* In order of name (canonical). */
void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
    ATTR_NONNULL(1, 2);
/* Likewise, the first `most` of those behind the name `after` (lower-cased, be there such a zone or not; NULL: of all):
 * for whoever goes on in another turn. False: these were the last. */
bool store_each_zone_after(const struct store *store, const uint8_t *after, size_t most,
                           void (*fn)(void *arg, const struct store_zone_view *zone), void *arg) ATTR_NONNULL(1, 4);
/* False: there is no such zone. */
bool store_get_zone(const struct store *store, const uint8_t *apex, struct store_zone_view *view) ATTR_NONNULL_ALL;
size_t store_zone_cnt(const struct store *store, enum store_zone_state state) ATTR_NONNULL_ALL;
