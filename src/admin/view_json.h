/* The model as JSON, as `rondoctl --json` prints it: names with underscores, times both as ISO 8601 in UTC and as
 * seconds since, sizes in bytes. Any thread. */
#pragma once

#include <jansson.h>

#include "admin/view.h"
#include "admin/view_pools.h"
#include "admin/view_zones.h"
#include "base/attr.h"
#include "base/diag.h"

json_t *view_status_json(const struct view_status *status) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Seconds from then to now; null when it never was. A wall clock that was set back gives 0. */
json_t *view_age_json(uint64_t then_ms, uint64_t now_ms) ATTR_MUST_USE;
/* Seconds from now to then; null when there is no such time. */
json_t *view_left_json(uint64_t then_ms, uint64_t now_ms) ATTR_MUST_USE;
/* admin/view_zones_json.c */
json_t *view_zone_json(const struct view_zone *zone, uint64_t now_wall_ms) ATTR_MUST_USE ATTR_NONNULL_ALL;
json_t *view_pool_json(const struct balance_pool_view *pool, uint64_t now_wall_ms) ATTR_MUST_USE ATTR_NONNULL_ALL;
json_t *view_member_json(const struct balance_member_view *member, uint64_t now_wall_ms)
    ATTR_MUST_USE ATTR_NONNULL_ALL;
json_t *view_order_json(const struct view_order *order, uint64_t now_wall_ms) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* admin/view_failover.c: what a pool and a member have besides of failover and return; added to their objects. */
void view_failover_add_pool(json_t *json, const struct balance_pool_view *pool, uint64_t now_wall_ms) ATTR_NONNULL_ALL;
void view_failover_add_member(json_t *json, const struct balance_member_view *member) ATTR_NONNULL_ALL;
void view_failover_add_explained(json_t *json, const struct pool_settings *settings,
                                 const struct pool_choice *choice) ATTR_NONNULL_ALL;
/* NULL in JSON while there is none. */
json_t *view_hold_json(const struct balance_hold_view *hold, uint64_t now_wall_ms) ATTR_MUST_USE ATTR_NONNULL_ALL;
json_t *view_load_json(const struct view_load *load) ATTR_MUST_USE ATTR_NONNULL_ALL;

enum { VIEW_MESSAGES_MAX = 1000 };
/* Adds the entries of `diag` (NULL: none) to the array `messages`, VIEW_MESSAGES_MAX in all; returns how many did not
 * get in. */
size_t view_messages_add(json_t *messages, const struct diag *diag) ATTR_NONNULL(1);
