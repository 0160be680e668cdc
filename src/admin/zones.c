/* The command `zones`. Those that are named are looked at at once: a request has no room for many. All of them are
 * looked at in slices, one client after the other, between which the loop does everything else. */
#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "admin/view_json.h"
#include "admin/view_zones.h"
#include "base/mem.h"

/* Once a turn of the loop; a zone takes one or two microseconds. */
enum { SLICE = 200 };

struct zones_walk {
    struct zones_walk *next;
    struct ctl_reply *reply;
    struct view_zones *view;
    char *missing; /* the first name asked for that is no zone; NULL: none */
};

/* ==== names ==== */

static bool read_name(uint8_t apex[NAME_MAX_LEN], const char *text)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    if (name_from_text(wire, &len, text, strlen(text), NULL))
        return false;
    name_to_lower(apex, wire);
    return true;
}

static char *missing_text(const char *name) { return mem_printf("no zone \"%s\" is configured", name); }

bool admin_zone_find(const struct admin *admin, const char *text, uint8_t apex[NAME_MAX_LEN],
                     struct store_zone_view *view, struct ctl_reply **reply)
{
    if (read_name(apex, text) && store_get_zone(admin->setup.store, apex, view))
        return true;
    char *error = missing_text(text);
    ctl_reply_send(reply, CTL_STATUS_FAILED, error, NULL);
    free(error);
    return false;
}

/* ==== the answer ==== */

static void walk_free(void *arg)
{
    struct zones_walk *walk = arg;
    view_zones_free(walk->view);
    free(walk->missing);
    free(walk);
}

/* In a job, where what is large is freed too. */
static void render(void *arg, struct ctl_result *result)
{
    struct zones_walk *walk = arg;
    struct view_zones *view = walk->view;
    json_t *list = json_array();
    for (size_t i = 0; i < view->cnt; i++)
        json_array_append_new(list, view_zone_json(&view->zones[i], view->taken_wall_ms));
    result->data = json_pack("{so}", "zones", list);
    result->error = walk->missing ? missing_text(walk->missing) : NULL;
    result->status = walk->missing ? CTL_STATUS_FAILED : CTL_STATUS_DONE;
    view_zones_free(view);
    walk->view = NULL;
}

/* ==== all zones ==== */

static struct zones_walk *first_out(struct admin *admin)
{
    struct zones_walk *walk = admin->zones_walks;
    admin->zones_walks = walk->next;
    return walk;
}

static void drop(struct zones_walk *walk, const char *why)
{
    ctl_reply_send(&walk->reply, CTL_STATUS_FAILED, why, NULL);
    walk_free(walk);
}

static void on_turn(uv_idle_t *idle)
{
    struct admin *admin = idle->data;
    struct zones_walk *walk = admin->zones_walks;
    if (!ctl_reply_wanted(walk->reply)) {
        drop(first_out(admin), NULL);
    } else if (!view_zones_walk(walk->view, admin->setup.store, admin->sync, SLICE)) {
        first_out(admin);
        ctl_reply_render(&walk->reply, render, walk_free, walk);
    }
    if (!admin->zones_walks)
        uv_idle_stop(idle);
}

static void queue(struct admin *admin, struct zones_walk *walk)
{
    struct zones_walk **end = &admin->zones_walks;
    while (*end)
        end = &(*end)->next;
    *end = walk;
    uv_idle_start(&admin->zones_walking, on_turn);
}

void admin_zones_drop(struct admin *admin, const char *why)
{
    while (admin->zones_walks)
        drop(first_out(admin), why);
    uv_idle_stop(&admin->zones_walking);
}

/* ==== the command ==== */

static void take_names(struct zones_walk *walk, const struct admin *admin, const struct ctl_request *request)
{
    uint8_t apex[NAME_MAX_LEN];
    for (size_t i = 0; i < request->arg_cnt; i++)
        if (!(read_name(apex, request->args[i]) &&
              view_zones_take(walk->view, admin->setup.store, admin->sync, apex)) && !walk->missing)
            walk->missing = mem_strdup(request->args[i]);
}

void admin_run_zones(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct admin *admin = arg;
    struct zones_walk *walk = mem_zalloc(1, sizeof *walk);
    walk->reply = reply;
    walk->view = view_zones_new();
    if (request->arg_cnt) {
        take_names(walk, admin, request);
        ctl_reply_render(&walk->reply, render, walk_free, walk);
    } else {
        queue(admin, walk);
    }
}
