/* What the files of this folder share: the admin itself. [control] */
#pragma once

#include "admin/admin.h"
#include "admin/view.h"
#include "ctl/server.h"

/* Replies that wait for the end of a load. */
struct reply_list {
    struct ctl_reply **items;
    size_t cnt, cap;
};

struct admin {
    struct admin_setup setup; /* its strings owned */
    struct state *state;      /* NULL: none */
    struct sync *sync;        /* NULL: none */
    struct ctl_server *server;
    uint64_t started_wall_ms, started_mono_ms;
    struct view_load last_load;

    /* The load that runs is answered to `running`; what is asked for meanwhile waits in `queued`, because that load may
     * have read its files before the operator changed them. `again` starts the next on the loop's next round, unless
     * somebody else has started one by then. */
    struct reply_list running, queued;
    uv_timer_t again;

    /* Clients for whom all pools are looked at: the first of them in each turn of the loop. */
    struct pools_walk *walks;
    uv_idle_t walking;
    struct zones_walk *zones_walks; /* likewise, all zones */
    uv_idle_t zones_walking;

    /* Loads of one zone that are waited for, the first of them running or tried again by `again`. */
    struct zone_load_ask *zone_loads;
    bool zone_load_runs;
};

/* Handlers of commands that have files of their own. */
ctl_command_fn admin_run_failback, admin_run_release;
ctl_command_fn admin_run_zones;
ctl_command_fn admin_run_refresh, admin_run_retransfer, admin_run_notify, admin_run_dump, admin_run_sync,
    admin_run_freeze;

/* admin/commands.c: one handler a command. */
extern ctl_command_fn *const admin_run[CTL_COMMAND_CNT];

/* admin/reload.c */
void admin_reload_ask(struct admin *admin, struct ctl_reply *reply) ATTR_NONNULL_ALL;
/* Tells all that wait why it will not be. */
void admin_reload_drop(struct admin *admin, const char *why) ATTR_NONNULL_ALL;
void admin_reload_again(uv_timer_t *timer) ATTR_NONNULL_ALL;
struct view_load admin_load_view(const struct admin_load *load) ATTR_NONNULL_ALL;
/* What the answer about a load is made of, in a job (ctl_reply_render): messages and names are taken. `zone`: it was of
 * this one alone; NULL: of all. `frozen`: what the answer says of that; NULL: nothing. */
void *admin_load_answer_new(const struct admin *admin, struct admin_load *load, const struct view_load *view,
                            const char *zone, const bool *frozen) ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
void admin_load_answer_free(void *answer);
ctl_render_fn admin_load_answer_render;

/* admin/zone_load.c: `reload ZONE` and `thaw`. The reply is taken. */
void admin_zone_load_ask(struct admin *admin, const struct ctl_request *request, bool is_thaw, struct ctl_reply *reply)
    ATTR_NONNULL_ALL;
/* Starts the first that waits, if it may. */
void admin_zone_load_try(struct admin *admin) ATTR_NONNULL_ALL;
/* Tells all that wait why it will not be. */
void admin_zone_load_drop(struct admin *admin, const char *why) ATTR_NONNULL_ALL;

/* admin/zones.c */
/* The zone of that name (text, whatever its case, with or without the final dot). False: there is none, and the reply,
 * which is taken, says so. */
bool admin_zone_find(const struct admin *admin, const char *text, uint8_t apex[NAME_MAX_LEN],
                     struct store_zone_view *view, struct ctl_reply **reply) ATTR_NONNULL_ALL ATTR_MUST_USE;
void admin_zones_drop(struct admin *admin, const char *why) ATTR_NONNULL_ALL;

/* admin/pools.c */

/* `name` NULL: all. The reply is taken. */
void admin_pools_ask(struct admin *admin, const char *name, struct ctl_reply *reply) ATTR_NONNULL(1, 3);
/* Tells all that wait why it will not be. */
void admin_pools_drop(struct admin *admin, const char *why) ATTR_NONNULL_ALL;

/* admin/explain.c */

/* The reply is taken. */
void admin_explain_ask(struct admin *admin, const struct ctl_request *request, struct ctl_reply *reply)
    ATTR_NONNULL_ALL;

/* admin/operate.c; `kind` and `is_lifted` say which command it is. The reply is taken. */
void admin_operate_ask(const struct admin *admin, const struct ctl_request *request, enum operate_kind kind,
                       bool is_lifted, struct ctl_reply *reply) ATTR_NONNULL_ALL;

/* admin/check.c; likewise. */
void admin_check_ask(const struct admin *admin, const struct ctl_request *request,
                     struct ctl_reply *reply) ATTR_NONNULL_ALL;

/* admin/admin.c */
void admin_status_take(const struct admin *admin, struct view_status *status) ATTR_NONNULL_ALL;
