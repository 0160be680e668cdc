/* The door through which zones change: loads zone files in jobs, turns what changed into changesets, builds the next version, publishes it
 * and the catalogue, and releases what was replaced after a grace period. Owns all `struct zone`. Lives on the control thread;
 * only loading, checking, diffing and building run in libuv's pool, one job at a time a zone.
 *
 * A zone that never loaded stays in the catalogue without a version (SERVFAIL); a zone whose new text is broken keeps its old version. */
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

/* One row of `zones` or `templates`. */
struct store_zone_options {
    char *name;     /* "example.com"; of a template: its name */
    char *file;     /* relative to zone_dir; "%s" stands for the zone's name without the final dot */
    char *template; /* NULL: none */
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
};
struct store_plan {
    struct store_zone_conf *zones; /* canonical order, each name once */
    size_t cnt;
    struct arena arena; /* of names and paths */
};
void store_plan_free(struct store_plan *plan);
/* Resolves names, templates and paths; errors (bad name, unknown template, a zone twice) to `diag`. ERR_INVALID then, and *plan NULL. */
enum err store_plan_make(struct store_plan **plan, const struct store_options *server, const struct opt_list *zones,
                         const struct opt_list *templates, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;

struct store;
enum { STORE_REPORT_MOST = 10000 };

enum store_zone_state { STORE_ZONE_LOADING, STORE_ZONE_SERVED, STORE_ZONE_FAILED, STORE_ZONE_SERVED_STALE };

/* A zone as shown to people. [control], valid during the call. */
struct store_zone_view {
    const uint8_t *apex;
    const char *path;
    enum store_zone_state state; /* SERVED_STALE: the old version is served, the new text was refused */
    uint32_t serial;             /* of the served version */
    size_t name_cnt, rr_cnt, memory_bytes;
    uint64_t loaded_wall_ms; /* when the served version was published; 0: never */
    const char *last_error;  /* the first error of the last load; NULL: none */
};

/* What a load did. */
struct store_report {
    size_t loaded, unchanged, failed, added, removed;
    const struct diag *diag;   /* every zone's errors and warnings, the first STORE_REPORT_MOST; borrowed during the call */
    char **failed_names;       /* text of the zones that failed, borrowed */
    bool cancelled;            /* store_cancel ended it: zones may not have been read */
};
typedef void store_report_fn(void *arg, const struct store_report *report);

/* All loads must have ended, readers be stopped. What is still to be released is released before it returns, waiting for grace periods and jobs
 * (it runs the loop's callbacks for that); the loop then has one more round to go. [control] */
void store_free(struct store *store);
/* `shared` (its key set) is published to; both borrowed. Each zone's errors, warnings and result go to the log. [control] */
struct store *store_new(uv_loop_t *loop, struct answer_shared *shared) ATTR_FREED_BY(store_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Makes `plan` (taken) the set of zones: new ones load, gone ones leave the catalogue, kept ones are read again if a byte of their files changed. A changed file
 * whose serial did not rise (RFC 1982) is refused. `fn` is called once, on the loop, when all is published. ERR_BUSY while a load runs. */
enum err store_load(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg) ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
bool store_loading(const struct store *store) ATTR_NONNULL_ALL;
/* Leaves zones' errors, warnings and results to the reader of the report. */
void store_set_quiet(struct store *store) ATTR_NONNULL_ALL;
/* A load that runs ends as soon as the zones being read just now are done; its `fn` is called as ever. For shutdown. */
void store_cancel(struct store *store) ATTR_NONNULL_ALL;
/* In order of name (canonical). */
void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg) ATTR_NONNULL(1, 2);
size_t store_zone_cnt(const struct store *store, enum store_zone_state state) ATTR_NONNULL_ALL;
