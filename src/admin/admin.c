#include "admin/admin.h"

#include <stdlib.h>
#include <unistd.h>

#include "admin/internal.h"
#include "base/clock.h"
#include "base/mem.h"

static const struct opt opts[] = {
    {OPT_KEY("control", OPT_STRING, OPT_PATH | OPT_RESTART, admin_options, control), .least = 1, .most = 107,
     .text_default = "\"" CONTROL_SOCKET "\"",
     .help = "The unix socket that rondoctl talks to, mode 0660: whoever may write to it controls the server. Its "
             "folder is made when missing."},
};
const struct opt_table admin_opt_table = {
    .path = "server",
    .size = sizeof(struct admin_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
};

enum err admin_open(struct admin **admin, const struct admin_setup *setup, struct diag *diag)
{
    struct admin *made = mem_zalloc(1, sizeof *made);
    *admin = NULL;
    enum err err = ctl_server_open(&made->server, setup->loop, setup->control_path, admin_run, made, diag);
    if (err) {
        free(made);
        return err;
    }
    made->setup = *setup;
    made->setup.control_path = mem_strdup(setup->control_path);
    made->setup.conf_path = mem_strdup(setup->conf_path);
    made->started_wall_ms = clock_wall_ms();
    made->started_mono_ms = clock_mono_ms();
    uv_timer_init(setup->loop, &made->again);
    made->again.data = made;
    uv_idle_init(setup->loop, &made->walking);
    made->walking.data = made;
    uv_idle_init(setup->loop, &made->zones_walking);
    made->zones_walking.data = made;
    *admin = made;
    return ERR_OK;
}

enum err admin_give_to(const struct admin *admin, uid_t uid, gid_t gid, struct diag *diag)
{
    return ctl_server_give_to(admin->server, uid, gid, diag);
}

void admin_set_state(struct admin *admin, struct state *state) { admin->state = state; }

void admin_set_sync(struct admin *admin, struct sync *sync) { admin->sync = sync; }

static void zones_walking_closed(uv_handle_t *handle)
{
    struct admin *admin = handle->data;
    free(admin->running.items);
    free(admin->queued.items);
    free((void *)(uintptr_t)admin->setup.control_path);
    free((void *)(uintptr_t)admin->setup.conf_path);
    free(admin);
}

static void walking_closed(uv_handle_t *handle)
{
    struct admin *admin = handle->data;
    uv_close((uv_handle_t *)&admin->zones_walking, zones_walking_closed);
}

static void again_closed(uv_handle_t *handle)
{
    struct admin *admin = handle->data;
    uv_close((uv_handle_t *)&admin->walking, walking_closed);
}

void admin_close(struct admin **admin)
{
    static const char stopping[] = "rondod is stopping";
    struct admin *closing = *admin;
    *admin = NULL;
    if (!closing)
        return;
    admin_reload_drop(closing, stopping);
    admin_pools_drop(closing, stopping);
    admin_zones_drop(closing, stopping);
    admin_zone_load_drop(closing, stopping);
    ctl_server_close(&closing->server);
    uv_close((uv_handle_t *)&closing->again, again_closed);
}

static void count_transfer(void *arg, const struct outgoing_view *view)
{
    size_t *cnt = arg;
    (void)view;
    ++*cnt;
}

void admin_status_take(const struct admin *admin, struct view_status *status)
{
    *status = (struct view_status){
        .conf_path = admin->setup.conf_path,
        .pid = getpid(),
        .started_wall_ms = admin->started_wall_ms,
        .taken_wall_ms = clock_wall_ms(),
        .uptime_ms = clock_mono_ms() - admin->started_mono_ms,
        .log_level = log_get_level(),
        .load = admin->last_load,
    };
    for (size_t i = 0; i < STORE_ZONE_STATES; i++)
        status->zones[i] = store_zone_cnt(admin->setup.store, (enum store_zone_state)i);
    if (admin->setup.lag)
        status->control_lag_us = lag_longest_us(admin->setup.lag);
    if (admin->setup.balance) {
        balance_count(&status->pools, admin->setup.balance);
        balance_hold_look(&status->hold, admin->setup.balance);
    }
    if (admin->setup.io) {
        status->workers = io_worker_cnt(admin->setup.io);
        status->tcp_open = io_tcp_open(admin->setup.io);
        io_sum_counters(admin->setup.io, &status->answers, &status->sockets);
    }
    if (admin->sync) {
        status->transfers = *outgoing_counters(sync_outgoing(admin->sync));
        outgoing_each(sync_outgoing(admin->sync), count_transfer, &status->transfer_cnt);
    }
    uv_resident_set_memory(&status->memory_bytes);
}
