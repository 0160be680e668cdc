#include "admin/view_json.h"
#include "ctl/text.h"

static json_t *count(uint64_t n) { return json_integer((json_int_t)n); }

static json_t *addr_json(const struct addr *addr)
{
    char text[ADDR_TEXT_MAX];
    return json_string(addr_port_to_text(text, addr));
}

static json_t *transfer_json(const struct sync_transfer *last, uint64_t now_wall_ms)
{
    if (!last)
        return json_null();
    return json_pack("{so so so ss so so so so so}",
                     "ended", ctl_json_time(last->wall_ms),
                     "age_seconds", view_age_json(last->wall_ms, now_wall_ms),
                     "from", addr_json(&last->primary),
                     "kind", last->kind,
                     "serial", count(last->serial),
                     "bytes", count(last->wire_bytes),
                     "records", count(last->record_cnt),
                     "took_ms", count(last->took_ms),
                     "error", *last->why ? ctl_json_text(last->why) : json_null());
}

static json_t *fault_json(const struct sync_fault *fault, uint64_t now_wall_ms)
{
    if (!fault)
        return json_null();
    return json_pack("{so so so so}",
                     "asked", ctl_json_time(fault->wall_ms),
                     "age_seconds", view_age_json(fault->wall_ms, now_wall_ms),
                     "primary", addr_json(&fault->primary),
                     "error", ctl_json_text(fault->why));
}

static json_t *addrs_json(const struct addr *addrs, size_t cnt)
{
    json_t *json = json_array();
    for (size_t i = 0; i < cnt; i++)
        json_array_append_new(json, addr_json(&addrs[i]));
    return json;
}

static json_t *secondary_json(const struct view_zone *zone, uint64_t now_wall_ms)
{
    const struct sync_view *sync = &zone->sync;
    return json_pack("{so ss? so so so so so so}",
                     "primaries", addrs_json(zone->primaries, zone->primary_cnt),
                     "activity", sync->activity,
                     "refresh", ctl_json_time(sync->refresh_wall_ms),
                     "refresh_in_seconds", view_left_json(sync->refresh_wall_ms, now_wall_ms),
                     "expire", ctl_json_time(sync->expire_wall_ms),
                     "expire_in_seconds", view_left_json(sync->expire_wall_ms, now_wall_ms),
                     "fault", fault_json(sync->fault, now_wall_ms),
                     "last_transfer", transfer_json(sync->last, now_wall_ms));
}

static json_t *journal_json(const struct store_zone_view *zone)
{
    return json_pack("{so so so so sb}",
                     "changesets", count(zone->change_cnt),
                     "bytes", zone->is_measured ? count(zone->change_bytes) : json_null(),
                     "oldest_serial", zone->is_measured ? count(zone->oldest_serial) : json_null(),
                     "checkpoint_serial", count(zone->checkpoint_serial),
                     "updates", (int)zone->has_updates);
}

json_t *view_zone_json(const struct view_zone *zone, uint64_t now_wall_ms)
{
    const struct store_zone_view *store = &zone->store;
    json_t *json = json_pack("{so ss ss so ss? so so so so so so so sb}",
                             "name", ctl_json_text(zone->name),
                             "role", store->is_secondary ? "secondary" : "primary",
                             "state", view_zone_state_names[store->state],
                             "serial", store->loaded_wall_ms ? count(store->serial) : json_null(),
                             "signed", store->signed_kind,
                             "names", count(store->name_cnt),
                             "records", count(store->rr_cnt),
                             "memory_bytes", count(store->memory_bytes),
                             "loaded", ctl_json_time(store->loaded_wall_ms),
                             "loaded_age_seconds", view_age_json(store->loaded_wall_ms, now_wall_ms),
                             "file", ctl_json_text(store->path),
                             "error", ctl_json_text(store->last_error),
                             "frozen", (int)store->is_frozen);
    json_object_set_new(json, "secondary", store->is_secondary ? secondary_json(zone, now_wall_ms) : json_null());
    json_object_set_new(json, "journal", store->has_history ? journal_json(store) : json_null());
    json_object_set_new(json, "notify",
                        json_pack("{so so so so}", "targets", count(zone->sync.target_cnt), "told",
                                  count(zone->sync.told_cnt), "refused", count(zone->sync.refused_cnt), "unanswered",
                                  addrs_json(zone->unanswered, zone->unanswered_cnt)));
    return json;
}
