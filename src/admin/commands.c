/* The commands that rondoctl knows; ctl/commands.h lists them. */
#include "ctl/commands.h"

#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "admin/view_json.h"
#include "base/log.h"
#include "base/mem.h"
#include "ctl/text.h"

/* ==== status ==== */

static void admin_run_status(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct view_status status;
    (void)request;
    admin_status_take(arg, &status);
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, view_status_json(&status));
}

/* ==== zones ==== */

struct zones_answer {
    struct view_zones *view;
    char **names; /* asked for; none: all */
    size_t name_cnt;
};

static void zones_answer_free(void *arg)
{
    struct zones_answer *answer = arg;
    view_zones_free(answer->view);
    for (size_t i = 0; i < answer->name_cnt; i++)
        free(answer->names[i]);
    free(answer->names);
    free(answer);
}

static void zones_named(const struct zones_answer *answer, json_t *list, struct ctl_result *result)
{
    for (size_t i = 0; i < answer->name_cnt; i++) {
        const struct view_zone *zone = view_zones_find(answer->view, answer->names[i]);
        if (zone) {
            json_array_append_new(list, view_zone_json(zone, answer->view->taken_wall_ms));
        } else if (!result->error) {
            result->status = CTL_STATUS_FAILED;
            result->error = mem_printf("no zone \"%s\" is configured", answer->names[i]);
        }
    }
}

/* In a job: ten thousand zones take longer than the control thread may be away. */
static void zones_render(void *arg, struct ctl_result *result)
{
    const struct zones_answer *answer = arg;
    json_t *list = json_array();
    if (answer->name_cnt)
        zones_named(answer, list, result);
    for (size_t i = 0; !answer->name_cnt && i < answer->view->cnt; i++)
        json_array_append_new(list, view_zone_json(&answer->view->zones[i], answer->view->taken_wall_ms));
    result->data = json_pack("{so}", "zones", list);
}

static void admin_run_zones(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    struct zones_answer *answer = mem_zalloc(1, sizeof *answer);
    answer->view = view_zones_take(admin->setup.store);
    answer->names = mem_zalloc(request->arg_cnt, sizeof *answer->names);
    for (; answer->name_cnt < request->arg_cnt; answer->name_cnt++)
        answer->names[answer->name_cnt] = mem_strdup(request->args[answer->name_cnt]);
    ctl_reply_render(&reply, zones_render, zones_answer_free, answer);
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
    (void)request;
    admin_reload_ask(arg, reply);
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
