/* The commands `reload ZONE` and `thaw`: the file of one zone is read, one zone at a time and none while another load
 * runs; who is frozen is thawed when its file has been taken. */
#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "base/mem.h"
#include "store/write.h"

struct zone_load_ask {
    struct zone_load_ask *next;
    struct ctl_reply *reply;
    uint8_t apex[NAME_MAX_LEN];
    enum store_load_how how;
    bool is_thaw;
};

/* A zone that is being thawed, its file read. Of the admin nothing: it may end before. */
struct thawing {
    struct ctl_reply *reply;
    void *answer;
};

/* ==== who waits ==== */

static void drop_first(struct admin *admin, int status, const char *why)
{
    struct zone_load_ask *ask = admin->zone_loads;
    admin->zone_loads = ask->next;
    ctl_reply_send(&ask->reply, status, why, NULL);
    free(ask);
}

void admin_zone_load_drop(struct admin *admin, const char *why)
{
    while (admin->zone_loads)
        drop_first(admin, CTL_STATUS_FAILED, why);
}

/* Those of clients that left are not begun any more, so that there are never more than clients. */
static void drop_unwanted(struct admin *admin)
{
    struct zone_load_ask **at = &admin->zone_loads;
    if (admin->zone_load_runs)
        at = &(*at)->next;
    while (*at) {
        struct zone_load_ask *ask = *at;
        if (ctl_reply_wanted(ask->reply)) {
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        ctl_reply_send(&ask->reply, CTL_STATUS_FAILED, NULL, NULL);
        free(ask);
    }
}

/* ==== the end ==== */

static void on_thawed(void *arg, enum err err, const char *why, const struct store_written *written)
{
    struct thawing *thawing = arg;
    (void)written;
    if (err) {
        char *error = mem_printf("its file was read, but it stays frozen: %s", why);
        ctl_reply_send(&thawing->reply, CTL_STATUS_FAILED, error, NULL);
        free(error);
        struct ctl_result unused = {0}; /* which frees what the answer was to be made of */
        admin_load_answer_render(thawing->answer, &unused);
        json_decref(unused.data);
        free(unused.error);
        admin_load_answer_free(thawing->answer);
    } else {
        ctl_reply_render(&thawing->reply, admin_load_answer_render, admin_load_answer_free, thawing->answer);
    }
    free(thawing);
}

static void answer(struct admin *admin, struct zone_load_ask *ask, struct store_report *report)
{
    struct admin_load load = {.err = ERR_OK, .zones = report};
    struct view_load view = admin_load_view(&load);
    char name[NAME_TEXT_MAX];
    bool stays_frozen = report->failed || report->cancelled;
    void *made = admin_load_answer_new(admin, &load, &view, name_to_text_bare(name, ask->apex),
                                       ask->is_thaw ? &stays_frozen : NULL);
    if (!ask->is_thaw || stays_frozen) {
        ctl_reply_render(&ask->reply, admin_load_answer_render, admin_load_answer_free, made);
        return;
    }
    struct thawing *thawing = mem_zalloc(1, sizeof *thawing);
    *thawing = (struct thawing){ask->reply, made};
    store_thaw(admin->setup.store, ask->apex, on_thawed, thawing);
}

static void on_loaded(void *arg, struct store_report *report)
{
    struct admin *admin = arg;
    struct zone_load_ask *ask = admin->zone_loads;
    admin->zone_loads = ask->next;
    admin->zone_load_runs = false;
    answer(admin, ask, report);
    free(ask);
    if (admin->zone_loads || admin->queued.cnt)
        uv_timer_start(&admin->again, admin_reload_again, 0, 0);
}

/* ==== the start ==== */

void admin_zone_load_try(struct admin *admin)
{
    const struct admin_hooks *hooks = &admin->setup.hooks;
    while (admin->zone_loads && !admin->zone_load_runs) {
        const struct zone_load_ask *ask = admin->zone_loads;
        admin->zone_load_runs = true;
        enum err err = hooks->load_zone(hooks->arg, ask->apex, ask->how, on_loaded, admin);
        if (!err)
            return;
        admin->zone_load_runs = false;
        if (err == ERR_BUSY)
            return;
        drop_first(admin, CTL_STATUS_FAILED, err == ERR_NOT_FOUND ? "the zone is gone" : err_text(err));
    }
}

static void queue(struct admin *admin, const uint8_t *apex, enum store_load_how how, bool is_thaw,
                  struct ctl_reply *reply)
{
    struct zone_load_ask *ask = mem_zalloc(1, sizeof *ask), **end = &admin->zone_loads;
    ask->reply = reply;
    name_to_lower(ask->apex, apex);
    ask->how = how;
    ask->is_thaw = is_thaw;
    drop_unwanted(admin);
    while (*end)
        end = &(*end)->next;
    *end = ask;
    admin_zone_load_try(admin);
}

/* NULL in: nothing is said. False: that is no word for it. */
static bool read_how(enum store_load_how *how, const char *word)
{
    *how = STORE_LOAD_CAREFULLY;
    if (!word)
        return true;
    *how = strcmp(word, "--force") == 0 ? STORE_LOAD_FORCE : STORE_LOAD_MERGE;
    return *how == STORE_LOAD_FORCE || strcmp(word, "--merge") == 0;
}

void admin_zone_load_ask(struct admin *admin, const struct ctl_request *request, bool is_thaw, struct ctl_reply *reply)
{
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    enum store_load_how how;
    char *error = NULL;
    if (*request->args[0] == '-' || !read_how(&how, request->arg_cnt > 1 ? request->args[1] : NULL)) {
        ctl_reply_send(&reply, CTL_STATUS_USAGE, "one zone may be named, and --force or --merge behind it", NULL);
        return;
    }
    if (!admin_zone_find(admin, request->args[0], apex, &zone, &reply))
        return;
    if (zone.is_secondary)
        error = mem_printf("zone \"%s\" is a secondary: its file is not read; \"rondoctl retransfer\" fetches it",
                           request->args[0]);
    else if (is_thaw && !zone.is_frozen)
        error = mem_printf("zone \"%s\" is not frozen", request->args[0]);
    if (error)
        ctl_reply_send(&reply, CTL_STATUS_FAILED, error, NULL);
    else
        queue(admin, apex, how, is_thaw, reply);
    free(error);
}
