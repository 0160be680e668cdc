#include "admin/view_zones.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

const char *const view_zone_state_names[STORE_ZONE_STATES] = {
    [STORE_ZONE_LOADING] = "loading", [STORE_ZONE_SERVED] = "served", [STORE_ZONE_FAILED] = "failed",
    [STORE_ZONE_SERVED_STALE] = "stale", [STORE_ZONE_EMPTY] = "empty", [STORE_ZONE_EXPIRED] = "expired",
};

void view_zones_free(struct view_zones *view)
{
    if (!view)
        return;
    arena_fini(&view->arena);
    free(view->zones);
    free(view);
}

struct view_zones *view_zones_new(void)
{
    struct view_zones *view = mem_zalloc(1, sizeof *view);
    arena_init(&view->arena);
    view->taken_wall_ms = clock_wall_ms();
    return view;
}

struct taking {
    struct view_zones *view;
    const struct sync *sync;
};

static void take_primaries(struct view_zones *view, struct view_zone *zone, const struct sync_zone *conf)
{
    struct addr *addrs = arena_alloc(&view->arena, conf->primary_cnt * sizeof *addrs + 1, _Alignof(struct addr));
    for (size_t i = 0; i < conf->primary_cnt; i++)
        addrs[i] = conf->primaries[i].addr;
    zone->primaries = addrs;
    zone->primary_cnt = conf->primary_cnt;
}

static void take_targets(struct view_zones *view, struct view_zone *zone)
{
    const struct sync_view *sync = &zone->sync;
    size_t bytes = sync->target_cnt * sizeof(struct addr) + 1;
    struct addr *addrs = arena_alloc(&view->arena, bytes, _Alignof(struct addr));
    zone->unanswered = addrs;
    for (uint32_t i = 0; i < sync->target_cnt; i++)
        if (!notify_has_answered(&sync->targets[i]))
            addrs[zone->unanswered_cnt++] = sync->targets[i].peer.addr;
}

static void take_sync(struct view_zones *view, struct view_zone *zone, const struct sync *sync, const uint8_t *apex)
{
    if (!sync || !sync_get_view(sync, apex, &zone->sync))
        return;
    const struct sync_transfer *last = zone->sync.last;
    if (zone->sync.zone) {
        take_primaries(view, zone, zone->sync.zone);
        if (zone->sync.zone->is_secondary && !zone->sync.zone->has_file)
            zone->store.path = NULL; /* where it would be if it had one */
    }
    if (zone->sync.fault)
        zone->sync.fault = arena_dup(&view->arena, zone->sync.fault, sizeof *zone->sync.fault,
                                     _Alignof(struct sync_fault));
    take_targets(view, zone);
    zone->sync.zone = NULL;
    zone->sync.targets = NULL;
    zone->sync.last = NULL;
    if (last && last->wall_ms)
        zone->sync.last = arena_dup(&view->arena, last, sizeof *last, _Alignof(struct sync_transfer));
}

static void take(void *arg, const struct store_zone_view *from)
{
    const struct taking *taking = arg;
    struct view_zones *view = taking->view;
    char name[NAME_TEXT_MAX];
    if (view->cnt == view->cap) {
        view->cap = view->cap ? view->cap * 2 : 64;
        view->zones = mem_realloc(view->zones, view->cap, sizeof *view->zones);
    }
    struct view_zone *zone = &view->zones[view->cnt++];
    *zone = (struct view_zone){.name = arena_strdup(&view->arena, name_to_text_bare(name, from->apex)), .store = *from};
    zone->store.apex = NULL;
    zone->store.path = arena_strdup(&view->arena, from->path);
    if (from->last_error)
        zone->store.last_error = arena_strdup(&view->arena, from->last_error);
    take_sync(view, zone, taking->sync, from->apex);
    name_to_lower(view->last, from->apex);
    view->has_begun = true;
}

bool view_zones_walk(struct view_zones *view, const struct store *store, const struct sync *sync, size_t most)
{
    struct taking taking = {view, sync};
    uint8_t after[NAME_MAX_LEN];
    if (view->has_begun)
        name_to_lower(after, view->last);
    return store_each_zone_after(store, view->has_begun ? after : NULL, most, take, &taking);
}

bool view_zones_take(struct view_zones *view, const struct store *store, const struct sync *sync, const uint8_t *apex)
{
    struct taking taking = {view, sync};
    struct store_zone_view from;
    if (!store_get_zone(store, apex, &from))
        return false;
    take(&taking, &from);
    return true;
}
