/* The command `reload`: one load at a time, whoever asked; each reply tells of a load that began after it was asked
 * for. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/internal.h"
#include "admin/view_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ctl/text.h"

enum { NAMES_IN_ERROR_MAX = 10 };

/* ==== who waits ==== */

/* Clients that left are dropped here, so that a list never outgrows the server's limit of clients. */
static void list_add(struct reply_list *list, struct ctl_reply *reply)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->cnt; i++) {
        if (ctl_reply_wanted(list->items[i]))
            list->items[kept++] = list->items[i];
        else
            ctl_reply_send(&list->items[i], CTL_STATUS_FAILED, NULL, NULL);
    }
    list->cnt = kept;
    if (list->cnt == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->items = mem_realloc(list->items, list->cap, sizeof *list->items);
    }
    list->items[list->cnt++] = reply;
}

static void list_move(struct reply_list *to, struct reply_list *from)
{
    for (size_t i = 0; i < from->cnt; i++)
        list_add(to, from->items[i]);
    from->cnt = 0;
}

/* `data` is borrowed. */
static void list_answer(struct reply_list *list, int status, const char *error, json_t *data)
{
    size_t cnt = list->cnt;
    list->cnt = 0;
    for (size_t i = 0; i < cnt; i++)
        ctl_reply_send(&list->items[i], status, error, json_incref(data));
}

/* ==== asking ==== */

static void begin(struct admin *admin)
{
    if (admin->own_load || !admin->queued.cnt)
        return;
    list_move(&admin->running, &admin->queued);
    admin->own_load = true; /* before the hook: the load may end within it */
    enum err err = admin->setup.hooks.start_reload(admin->setup.hooks.arg);
    if (!err || !admin->own_load)
        return;
    admin->own_load = false;
    if (err == ERR_BUSY)
        list_move(&admin->queued, &admin->running);
    else
        list_answer(&admin->running, CTL_STATUS_FAILED, err_text(err), NULL);
}

void admin_reload_again(uv_timer_t *timer)
{
    begin(timer->data);
}

void admin_reload_ask(struct admin *admin, struct ctl_reply *reply)
{
    list_add(&admin->queued, reply);
    begin(admin);
}

void admin_reload_drop(struct admin *admin, const char *why)
{
    list_answer(&admin->running, CTL_STATUS_FAILED, why, NULL);
    list_answer(&admin->queued, CTL_STATUS_FAILED, why, NULL);
}

/* ==== telling ==== */

static struct view_load load_view(const struct admin_load *load)
{
    struct view_load view = {.state = load->err ? VIEW_LOAD_REFUSED : VIEW_LOAD_DONE, .ended_wall_ms = clock_wall_ms()};
    const struct store_report *zones = load->zones;
    if (zones) {
        if (zones->failed && !load->err)
            view.state = VIEW_LOAD_ZONES_FAILED;
        view.loaded = zones->loaded;
        view.unchanged = zones->unchanged;
        view.failed = zones->failed;
        view.added = zones->added;
        view.removed = zones->removed;
    }
    const struct diag *diags[] = {load->diag, zones ? zones->diag : NULL};
    for (size_t i = 0; i < 2; i++) {
        view.error_cnt += diags[i] ? diag_cnt(diags[i], DIAG_ERROR) : 0;
        view.warning_cnt += diags[i] ? diag_cnt(diags[i], DIAG_WARNING) : 0;
    }
    return view;
}

static json_t *load_data(const struct admin *admin, const struct admin_load *load)
{
    json_t *data = view_load_json(&admin->last_load);
    json_t *names = json_array(), *messages = json_array();
    for (size_t i = 0; load->zones && load->zones->failed_names && i < load->zones->failed; i++)
        json_array_append_new(names, ctl_json_text(load->zones->failed_names[i]));
    size_t omitted = view_messages_add(messages, load->diag);
    omitted += view_messages_add(messages, load->zones ? load->zones->diag : NULL);
    json_object_set_new(data, "configuration", ctl_json_text(admin->setup.conf_path));
    json_object_set_new(data, "failed_zones", names);
    json_object_set_new(data, "messages", messages);
    json_object_set_new(data, "messages_omitted", json_integer((json_int_t)omitted));
    return data;
}

static char *zones_error(const struct store_report *zones)
{
    char *text = mem_printf("%zu zone%s failed", zones->failed, zones->failed == 1 ? "" : "s");
    for (size_t i = 0; zones->failed_names && i < zones->failed && i < NAMES_IN_ERROR_MAX; i++) {
        char *longer = mem_printf("%s%s %s", text, i ? "," : ":", zones->failed_names[i]);
        free(text);
        text = longer;
    }
    if (!zones->failed_names || zones->failed <= NAMES_IN_ERROR_MAX)
        return text;
    char *longer = mem_printf("%s and %zu more", text, zones->failed - NAMES_IN_ERROR_MAX);
    free(text);
    return longer;
}

static char *load_error(const struct view_load *view, const struct admin_load *load)
{
    if (view->state == VIEW_LOAD_ZONES_FAILED)
        return zones_error(load->zones);
    if (view->state != VIEW_LOAD_REFUSED)
        return NULL;
    if (!view->error_cnt)
        return mem_printf("configuration refused: %s; nothing was changed", err_text(load->err));
    return mem_printf("configuration refused: %zu error%s; nothing was changed", view->error_cnt,
                      view->error_cnt == 1 ? "" : "s");
}

void admin_load_done(struct admin *admin, const struct admin_load *load)
{
    admin->last_load = load_view(load);
    if (admin->own_load && admin->running.cnt) {
        json_t *data = load_data(admin, load);
        char *error = load_error(&admin->last_load, load);
        list_answer(&admin->running, error ? CTL_STATUS_FAILED : CTL_STATUS_DONE, error, data);
        free(error);
        json_decref(data);
    }
    admin->own_load = false;
    if (admin->queued.cnt)
        uv_timer_start(&admin->again, admin_reload_again, 0, 0);
}
