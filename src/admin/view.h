/* The one model of what operators see, as plain data taken at one moment: what the control socket answers today, and
 * metrics, API and status page later. Taken on the control thread in well under its 5 ms (10,000 zones), owned by
 * whoever took it, then readable by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/view_pools.h"
#include "answer/counters.h"
#include "balance/count.h"
#include "balance/hold.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/log.h"
#include "io/io.h"
#include "store/store.h"

/* "loading", "served", "failed", "stale", "empty", "expired". */
extern const char *const view_zone_state_names[STORE_ZONE_STATES];

struct view_zone {
    const char *name; /* text without the final dot, lower case; so is all text in the arena of its view_zones */
    const char *file;
    const char *error; /* NULL: none */
    enum store_zone_state state;
    bool has_version;
    uint32_t serial;
    size_t name_cnt, rr_cnt, memory_bytes;
    const char *signed_kind; /* "no", "nsec", "nsec3"; NULL: it has no version */
    uint64_t loaded_wall_ms; /* 0: never */
};
struct view_zones {
    struct view_zone *zones; /* in canonical order */
    size_t cnt;
    uint64_t taken_wall_ms;
    struct arena arena;
};
void view_zones_free(struct view_zones *view);
struct view_zones *view_zones_take(const struct store *store)
    ATTR_FREED_BY(view_zones_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The zone of that name (text, whatever its case, with or without the final dot); NULL: there is none. */
const struct view_zone *view_zones_find(const struct view_zones *view, const char *name) ATTR_NONNULL_ALL;

/* How the last load ended. */
enum view_load_state { VIEW_LOAD_NONE, VIEW_LOAD_DONE, VIEW_LOAD_ZONES_FAILED, VIEW_LOAD_REFUSED };
/* "none", "done", "zones failed", "refused". */
extern const char *const view_load_state_names[VIEW_LOAD_REFUSED + 1];
struct view_load {
    enum view_load_state state;
    uint64_t ended_wall_ms;
    size_t loaded, unchanged, failed, added, removed; /* zones */
    size_t error_cnt, warning_cnt;                    /* of configuration and zones together */
};

struct view_status {
    const char *conf_path; /* borrowed from the admin */
    pid_t pid;
    uint64_t started_wall_ms, taken_wall_ms, uptime_ms;
    size_t workers, tcp_open, memory_bytes; /* resident */
    uint64_t control_lag_us;                /* the longest turn of the control thread lately, see loop/lag.h */
    enum log_level log_level;
    size_t zones[STORE_ZONE_STATES];
    struct balance_counts pools;
    struct balance_hold_view hold;
    struct answer_counters answers;
    struct io_counters sockets;
    struct view_load load;
};
