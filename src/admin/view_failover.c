#include "admin/view_json.h"

#include "ctl/text.h"

static json_t *count(uint64_t n) { return json_integer((json_int_t)n); }

static json_t *age(uint64_t then_ms, uint64_t now_ms)
{
    return count(now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0);
}

void view_failover_add_member(json_t *json, const struct balance_member_view *member)
{
    json_object_set_new(json, "held", json_boolean(member->held));
    json_object_set_new(json, "waits_until", ctl_json_time(member->waits_until_wall_ms));
    json_object_set_new(json, "weight_percent", count(member->weight_percent));
}

void view_failover_add_pool(json_t *json, const struct balance_pool_view *pool, uint64_t now_wall_ms)
{
    json_object_set_new(json, "families", json_string(pool->together ? "together" : "apart"));
    json_object_set_new(json, "trickle_tier", pool->trickle_tier ? count(pool->trickle_tier) : json_null());
    json_object_set_new(json, "trickle", json_real(pool->trickle));
    json_object_set_new(json, "better_tier", pool->better_tier ? count(pool->better_tier) : json_null());
    json_object_set_new(json, "better_since", ctl_json_time(pool->better_since_wall_ms));
    json_object_set_new(json, "better_since_age_seconds",
                        pool->better_tier ? age(pool->better_since_wall_ms, now_wall_ms) : json_null());
    json_object_set_new(json, "back", ctl_json_time(pool->back_wall_ms));
}

void view_failover_add_explained(json_t *json, const struct pool_settings *settings, const struct pool_choice *choice)
{
    double trickle = choice->trickle_tier ? (double)settings->trickle / POOL_TRICKLE_ONE : 0;
    json_object_set_new(json, "tier_is_set", json_boolean(settings->tier));
    json_object_set_new(json, "trickle_tier", choice->trickle_tier ? count(choice->trickle_tier) : json_null());
    json_object_set_new(json, "trickle", json_real(trickle));
}

json_t *view_hold_json(const struct balance_hold_view *hold, uint64_t now_wall_ms)
{
    if (!hold->is_on)
        return json_null();
    return json_pack("{ss so so so so so so so so}",
                     "cause", hold->cause == HOLD_BY_ANCHORS ? "anchors" : "targets",
                     "since", ctl_json_time(hold->since_wall_ms),
                     "since_age_seconds", age(hold->since_wall_ms, now_wall_ms),
                     "until", ctl_json_time(hold->until_wall_ms),
                     "anchors", count(hold->anchor_cnt),
                     "anchors_down", count(hold->anchor_down_cnt),
                     "targets", count(hold->target_cnt),
                     "failing", count(hold->failing_cnt),
                     "held", count(hold->held_cnt));
}
