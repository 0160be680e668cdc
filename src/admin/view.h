/* The one model of what operators see, as plain data: what the control socket answers today, and metrics, API and
 * status page later. Taken on the control thread, at one moment, or in slices where it is much (admin/view_zones.h,
 * admin/view_pools.h); owned by whoever took it, then readable by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/view_pools.h"
#include "answer/counters.h"
#include "balance/count.h"
#include "balance/hold.h"
#include "base/attr.h"
#include "base/log.h"
#include "io/io.h"
#include "store/store.h"
#include "sync/sync.h"

/* How the last load ended. */
enum view_load_state { VIEW_LOAD_NONE, VIEW_LOAD_DONE, VIEW_LOAD_ZONES_FAILED, VIEW_LOAD_REFUSED };
/* "none", "done", "zones failed", "refused". */
extern const char *const view_load_state_names[VIEW_LOAD_REFUSED + 1];
struct view_load {
    enum view_load_state state;
    uint64_t ended_wall_ms;
    size_t loaded, unchanged, failed, added, removed, empty; /* zones */
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
    struct outgoing_counters transfers; /* to others */
    size_t transfer_cnt;                /* that are under way */
    struct view_load load;
};
