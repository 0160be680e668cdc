/* The command `pools`. One name is answered at once. All of them take long: they are looked at in slices, one client
 * after the other, between which the loop does everything else, and pools come and go. */
#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "admin/view_json.h"
#include "base/mem.h"
#include "dns/name.h"

/* Once a turn of the loop, beside whatever else there is. */
enum { SLICE_US = 500 };

struct pools_walk {
    struct pools_walk *next;
    struct ctl_reply *reply;
    struct view_pools *view;
    char *name; /* asked for; NULL: all */
    struct balance_hold_view hold;
    char *zone; /* the signed zone that the name is in; NULL: it is in none */
};

static void walk_free(void *arg)
{
    struct pools_walk *walk = arg;
    view_pools_free(walk->view);
    free(walk->name);
    free(walk->zone);
    free(walk);
}

/* In a job, where what is large is freed too. */
static void render(void *arg, struct ctl_result *result)
{
    struct pools_walk *walk = arg;
    struct view_pools *view = walk->view;
    walk->view = NULL;
    if (walk->name && !view->cnt && !view->order_cnt) {
        result->status = CTL_STATUS_FAILED;
        result->error = walk->zone ? mem_printf("\"%s\" is no pool: zone \"%s\" is signed", walk->name, walk->zone)
                                   : mem_printf("\"%s\" is no pool", walk->name);
    } else {
        json_t *list = json_array(), *orders = json_array();
        view_pools_sort(view);
        for (size_t i = 0; i < view->cnt; i++)
            json_array_append_new(list, view_pool_json(&view->pools[i], view->taken_wall_ms));
        for (size_t i = 0; i < view->order_cnt; i++)
            json_array_append_new(orders, view_order_json(&view->orders[i], view->taken_wall_ms));
        result->data = json_pack("{so so}", "pools", list, "hold", view_hold_json(&walk->hold, view->taken_wall_ms));
        if (view->order_cnt)
            json_object_set(result->data, "orders_without_member", orders);
        json_decref(orders);
    }
    view_pools_free(view);
}

static void answer(struct admin *admin, struct pools_walk *walk)
{
    if (admin->setup.balance)
        balance_hold_look(&walk->hold, admin->setup.balance);
    ctl_reply_render(&walk->reply, render, walk_free, walk);
}

struct search {
    const uint8_t *name;
    unsigned depth; /* of the zone nearest to it so far */
    char *zone;     /* its name when it is signed */
};

static void search_zone(void *arg, const struct store_zone_view *zone)
{
    struct search *search = arg;
    char text[NAME_TEXT_MAX];
    unsigned depth = name_depth(zone->apex);
    if (depth < search->depth || !name_within(search->name, zone->apex))
        return;
    free(search->zone);
    search->depth = depth;
    search->zone = zone->signed_kind && strcmp(zone->signed_kind, "no") != 0
                       ? mem_strdup(name_to_text_bare(text, zone->apex))
                       : NULL;
}

/* The pool of that name, or why it is none. */
static void take_name(struct pools_walk *walk, const struct admin *admin)
{
    uint8_t wire[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    unsigned len;
    if (name_from_text(wire, &len, walk->name, strlen(walk->name), NULL))
        return;
    name_to_lower(lower, wire);
    if (admin->setup.balance) {
        view_pools_take(walk->view, admin->setup.balance, lower);
        view_pools_take_orders(walk->view, admin->setup.balance, lower);
    }
    struct search search = {.name = lower};
    if (!walk->view->cnt)
        store_each_zone(admin->setup.store, search_zone, &search);
    walk->zone = search.zone;
}

static struct pools_walk *first_out(struct admin *admin)
{
    struct pools_walk *walk = admin->walks;
    admin->walks = walk->next;
    return walk;
}

static void drop(struct pools_walk *walk, const char *why)
{
    ctl_reply_send(&walk->reply, CTL_STATUS_FAILED, why, NULL);
    walk_free(walk);
}

static void end_walk(struct admin *admin, struct pools_walk *walk)
{
    view_pools_take_orders(walk->view, admin->setup.balance, NULL);
    answer(admin, walk);
}

static void on_turn(uv_idle_t *idle)
{
    struct admin *admin = idle->data;
    if (!ctl_reply_wanted(admin->walks->reply))
        drop(first_out(admin), NULL);
    else if (view_pools_walk(admin->walks->view, admin->setup.balance, SLICE_US))
        end_walk(admin, first_out(admin));
    if (!admin->walks)
        uv_idle_stop(idle);
}

static void queue(struct admin *admin, struct pools_walk *walk)
{
    struct pools_walk **end = &admin->walks;
    while (*end)
        end = &(*end)->next;
    *end = walk;
    uv_idle_start(&admin->walking, on_turn);
}

void admin_pools_ask(struct admin *admin, const char *name, struct ctl_reply *reply)
{
    struct pools_walk *walk = mem_zalloc(1, sizeof *walk);
    walk->reply = reply;
    walk->view = view_pools_new();
    walk->name = name ? mem_strdup(name) : NULL;
    if (name)
        take_name(walk, admin);
    if (name || !admin->setup.balance)
        answer(admin, walk);
    else
        queue(admin, walk);
}

void admin_pools_drop(struct admin *admin, const char *why)
{
    while (admin->walks)
        drop(first_out(admin), why);
    uv_idle_stop(&admin->walking);
}
