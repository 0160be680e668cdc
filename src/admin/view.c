#include "admin/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

const char *const view_zone_state_names[STORE_ZONE_STATES] = {
    [STORE_ZONE_LOADING] = "loading", [STORE_ZONE_SERVED] = "served", [STORE_ZONE_FAILED] = "failed",
    [STORE_ZONE_SERVED_STALE] = "stale", [STORE_ZONE_EMPTY] = "empty", [STORE_ZONE_EXPIRED] = "expired",
};
const char *const view_load_state_names[VIEW_LOAD_REFUSED + 1] = {[VIEW_LOAD_NONE] = "none",
                                                                  [VIEW_LOAD_DONE] = "done",
                                                                  [VIEW_LOAD_ZONES_FAILED] = "zones failed",
                                                                  [VIEW_LOAD_REFUSED] = "refused"};

void view_zones_free(struct view_zones *view)
{
    if (!view)
        return;
    arena_fini(&view->arena);
    free(view->zones);
    free(view);
}

struct taking {
    struct view_zones *view;
    size_t cap;
};

static void zone_take(void *arg, const struct store_zone_view *zone)
{
    struct taking *taking = arg;
    struct view_zones *view = taking->view;
    char name[NAME_TEXT_MAX];
    if (view->cnt == taking->cap) {
        taking->cap = taking->cap ? taking->cap * 2 : 64;
        view->zones = mem_realloc(view->zones, taking->cap, sizeof *view->zones);
    }
    view->zones[view->cnt++] = (struct view_zone){
        .name = arena_strdup(&view->arena, name_to_text_bare(name, zone->apex)),
        .file = arena_strdup(&view->arena, zone->path),
        .error = zone->last_error ? arena_strdup(&view->arena, zone->last_error) : NULL,
        .state = zone->state,
        .has_version = zone->loaded_wall_ms != 0,
        .serial = zone->serial,
        .name_cnt = zone->name_cnt,
        .signed_kind = zone->signed_kind,
        .rr_cnt = zone->rr_cnt,
        .memory_bytes = zone->memory_bytes,
        .loaded_wall_ms = zone->loaded_wall_ms,
    };
}

struct view_zones *view_zones_take(const struct store *store)
{
    struct view_zones *view = mem_zalloc(1, sizeof *view);
    struct taking taking = {view, 0};
    arena_init(&view->arena);
    view->taken_wall_ms = clock_wall_ms();
    store_each_zone(store, zone_take, &taking);
    return view;
}

const struct view_zone *view_zones_find(const struct view_zones *view, const char *name)
{
    uint8_t wire[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];
    unsigned len;
    if (name_from_text(wire, &len, name, strlen(name), NULL))
        return NULL;
    name_to_lower(lower, wire);
    name_to_text_bare(text, lower);
    for (size_t i = 0; i < view->cnt; i++)
        if (strcmp(view->zones[i].name, text) == 0)
            return &view->zones[i];
    return NULL;
}
