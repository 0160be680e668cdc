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

static void list_answer(struct reply_list *list, int status, const char *error)
{
    size_t cnt = list->cnt;
    list->cnt = 0;
    for (size_t i = 0; i < cnt; i++)
        ctl_reply_send(&list->items[i], status, error, NULL);
}

/* ==== asking ==== */

static void begin(struct admin *admin)
{
    if (!admin->queued.cnt)
        return;
    enum err err = admin->setup.hooks.start_reload(admin->setup.hooks.arg);
    if (err && err != ERR_BUSY)
        list_answer(&admin->queued, CTL_STATUS_FAILED, err_text(err));
}

void admin_load_begins(struct admin *admin)
{
    list_move(&admin->running, &admin->queued);
}

void admin_reload_again(uv_timer_t *timer)
{
    struct admin *admin = timer->data;
    begin(admin);
    admin_zone_load_try(admin);
}

void admin_reload_ask(struct admin *admin, struct ctl_reply *reply)
{
    list_add(&admin->queued, reply);
    begin(admin);
}

void admin_reload_drop(struct admin *admin, const char *why)
{
    list_answer(&admin->running, CTL_STATUS_FAILED, why);
    list_answer(&admin->queued, CTL_STATUS_FAILED, why);
}

/* ==== telling ==== */

struct view_load admin_load_view(const struct admin_load *load)
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
        view.empty = zones->empty;
    }
    const struct diag *diags[] = {load->diag, zones ? zones->diag : NULL};
    for (size_t i = 0; i < 2; i++) {
        view.error_cnt += diags[i] ? diag_cnt(diags[i], DIAG_ERROR) : 0;
        view.warning_cnt += diags[i] ? diag_cnt(diags[i], DIAG_WARNING) : 0;
    }
    return view;
}

/* What an answer is made of, in a job: thousands of names and messages take
 * longer than the control thread may be away. */
struct load_answer {
    struct view_load view;
    enum err err;
    char *conf_path;
    struct diag *conf_diag, *zones_diag; /* NULL: none */
    char **failed_names;                 /* view.failed of them; NULL: not known */
    char *zone; /* NULL: all */
    bool says_frozen, is_frozen;
};

void *admin_load_answer_new(const struct admin *admin, struct admin_load *load, const struct view_load *view,
                            const char *zone, const bool *frozen)
{
    struct load_answer *answer = mem_zalloc(1, sizeof *answer);
    *answer = (struct load_answer){.view = *view, .err = load->err, .conf_diag = load->diag};
    answer->conf_path = mem_strdup(admin->setup.conf_path);
    answer->zone = zone ? mem_strdup(zone) : NULL;
    answer->says_frozen = frozen != NULL;
    answer->is_frozen = frozen && *frozen;
    load->diag = NULL;
    if (!load->zones)
        return answer;
    answer->zones_diag = load->zones->diag;
    answer->failed_names = load->zones->failed_names;
    load->zones->diag = NULL;
    load->zones->failed_names = NULL;
    return answer;
}

static void answer_drop_parts(struct load_answer *answer)
{
    for (size_t i = 0; answer->failed_names && i < answer->view.failed; i++)
        free(answer->failed_names[i]);
    free(answer->failed_names);
    diag_free(answer->conf_diag);
    diag_free(answer->zones_diag);
}

void admin_load_answer_free(void *arg)
{
    struct load_answer *answer = arg;
    free(answer->conf_path);
    free(answer->zone);
    free(answer);
}

static json_t *load_data(const struct load_answer *answer)
{
    json_t *data = view_load_json(&answer->view);
    json_t *names = json_array(), *messages = json_array();
    for (size_t i = 0; answer->failed_names && i < answer->view.failed; i++)
        json_array_append_new(names, ctl_json_text(answer->failed_names[i]));
    size_t omitted = view_messages_add(messages, answer->conf_diag);
    omitted += view_messages_add(messages, answer->zones_diag);
    json_object_set_new(data, "configuration", ctl_json_text(answer->conf_path));
    json_object_set_new(data, "failed_zones", names);
    json_object_set_new(data, "messages", messages);
    json_object_set_new(data, "messages_omitted", json_integer((json_int_t)omitted));
    if (answer->zone)
        json_object_set_new(data, "zone", ctl_json_text(answer->zone));
    if (answer->says_frozen)
        json_object_set_new(data, "frozen", json_boolean(answer->is_frozen));
    return data;
}

static char *zones_error(const struct load_answer *answer)
{
    size_t failed = answer->view.failed;
    char *text = mem_printf("%s%zu zone%s failed", answer->is_frozen ? "it stays frozen: " : "", failed,
                            failed == 1 ? "" : "s");
    for (size_t i = 0; answer->failed_names && i < failed && i < NAMES_IN_ERROR_MAX; i++) {
        char *longer = mem_printf("%s%s %s", text, i ? "," : ":", answer->failed_names[i]);
        free(text);
        text = longer;
    }
    if (!answer->failed_names || failed <= NAMES_IN_ERROR_MAX)
        return text;
    char *longer = mem_printf("%s and %zu more", text, failed - NAMES_IN_ERROR_MAX);
    free(text);
    return longer;
}

static char *load_error(const struct load_answer *answer)
{
    size_t errors = answer->view.error_cnt;
    if (answer->view.state == VIEW_LOAD_ZONES_FAILED)
        return zones_error(answer);
    if (answer->view.state != VIEW_LOAD_REFUSED)
        return NULL;
    if (!errors)
        return mem_printf("configuration refused: %s; nothing was changed", err_text(answer->err));
    return mem_printf("configuration refused: %zu error%s; nothing was changed", errors, errors == 1 ? "" : "s");
}

void admin_load_answer_render(void *arg, struct ctl_result *result)
{
    struct load_answer *answer = arg;
    result->data = load_data(answer);
    result->error = load_error(answer);
    result->status = result->error ? CTL_STATUS_FAILED : CTL_STATUS_DONE;
    answer_drop_parts(answer);
}

void admin_load_done(struct admin *admin, struct admin_load *load)
{
    size_t cnt = admin->running.cnt;
    admin->last_load = admin_load_view(load);
    admin->running.cnt = 0;
    if (cnt)
        ctl_replies_render(admin->running.items, cnt, admin_load_answer_render, admin_load_answer_free,
                           admin_load_answer_new(admin, load, &admin->last_load, NULL, NULL));
    if (admin->queued.cnt || admin->zone_loads)
        uv_timer_start(&admin->again, admin_reload_again, 0, 0);
}
