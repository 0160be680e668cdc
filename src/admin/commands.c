/* The commands that rondoctl knows; ctl/commands.h lists them. */
#include "ctl/commands.h"

#include "admin/internal.h"
#include "admin/view_json.h"
#include "base/log.h"

/* ==== status ==== */

static void admin_run_status(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct view_status status;
    (void)request;
    admin_status_take(arg, &status);
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, view_status_json(&status));
}

/* ==== pools, explain, reload, log, stop ==== */

static void admin_run_pools(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_pools_ask(arg, request->arg_cnt ? request->args[0] : NULL, reply);
}

static void admin_run_explain(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_explain_ask(arg, request, reply);
}

static void admin_run_drain(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_operate_ask(arg, request, OPERATE_DRAIN, false, reply);
}

static void admin_run_undrain(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_operate_ask(arg, request, OPERATE_DRAIN, true, reply);
}

static void admin_run_force(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_operate_ask(arg, request, OPERATE_FORCE, false, reply);
}

static void admin_run_unforce(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_operate_ask(arg, request, OPERATE_FORCE, true, reply);
}

static void admin_run_check(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_check_ask(arg, request, reply);
}

static void admin_run_reload(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    if (request->arg_cnt)
        admin_zone_load_ask(arg, request, false, reply);
    else
        admin_reload_ask(arg, reply);
}

static void admin_run_thaw(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    admin_zone_load_ask(arg, request, true, reply);
}

static void admin_run_log(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    enum log_level was = log_get_level(), level;
    (void)arg;
    if (log_level_from_name(&level, request->args[0])) {
        ctl_reply_send(&reply, CTL_STATUS_USAGE, "unknown log level; expected error, warning, notice, info or debug",
                       NULL);
        return;
    }
    log_set_level(level);
    log_notice("log level \"%s\", was \"%s\"", log_level_name(level), log_level_name(was));
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL,
                   json_pack("{ss ss}", "log_level", log_level_name(level), "was", log_level_name(was)));
}

static void admin_run_stop(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    struct view_status status;
    (void)request;
    admin_status_take(admin, &status);
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, json_pack("{si}", "pid", (int)status.pid));
    admin->setup.hooks.stop(admin->setup.hooks.arg);
}

ctl_command_fn *const admin_run[CTL_COMMAND_CNT] = {
#define X(name, usage, least, most, timeout_sec, help) [CTL_COMMAND_##name] = admin_run_##name,
    CTL_COMMANDS(X)
#undef X
};
