#include "admin/view_json.h"

#include "base/mem.h"
#include "ctl/text.h"
#include "dns/name.h"

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

json_t *view_age_json(uint64_t then_ms, uint64_t now_ms)
{
    return then_ms ? count(now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0) : json_null();
}

/* A struct of uint64_t that an X-macro made, as an object. */
static json_t *counters(const void *fields, const char *const *names, size_t cnt)
{
    const uint64_t *at = fields;
    json_t *json = json_object();
    for (size_t i = 0; i < cnt; i++)
        json_object_set_new(json, names[i], count(at[i]));
    return json;
}

json_t *view_load_json(const struct view_load *load)
{
    return json_pack("{ss so so so so so so so so so}",
                     "result", view_load_state_names[load->state],
                     "ended", ctl_json_time(load->ended_wall_ms),
                     "loaded", count(load->loaded),
                     "unchanged", count(load->unchanged),
                     "failed", count(load->failed),
                     "added", count(load->added),
                     "removed", count(load->removed),
                     "empty", count(load->empty),
                     "errors", count(load->error_cnt),
                     "warnings", count(load->warning_cnt));
}

/* Counts by state or verdict, and their sum. */
static json_t *named_counts(const size_t *counts, const char *const *names, size_t cnt)
{
    json_t *json = json_object();
    size_t total = 0;
    for (size_t i = 0; i < cnt; i++) {
        json_object_set_new(json, names[i], count(counts[i]));
        total += counts[i];
    }
    json_object_set_new(json, "total", count(total));
    return json;
}

static void pool_counts(json_t *json, const struct balance_counts *counts)
{
    const char *verdicts[HEALTH_DOWN + 1];
    for (unsigned i = 0; i <= HEALTH_DOWN; i++)
        verdicts[i] = health_verdict_name((enum health_verdict)i);
    json_object_set_new(json, "pools", named_counts(counts->pools, view_pool_state_names, POOL_EMPTY + 1));
    json_object_set_new(json, "members", named_counts(counts->members, verdicts, HEALTH_DOWN + 1));
}

static json_t *milliseconds(uint64_t us)
{
    return json_real((double)us / 1000);
}

static json_t *checks_json(const struct balance_counts *counts)
{
    const struct tally_view *checks = &counts->checks;
    json_t *json = json_pack("{so so so}", "targets", count(counts->targets), "running", count(checks->running),
                             "waiting", count(checks->waiting));
#define X(name, help) json_object_set_new(json, #name, count(checks->name));
    TALLY_COUNTERS(X)
#undef X
    json_object_set_new(json, "lag_p50_ms", milliseconds(checks->lag_p50_us));
    json_object_set_new(json, "lag_p99_ms", milliseconds(checks->lag_p99_us));
    json_object_set_new(json, "lag_max_ms", milliseconds(checks->lag_max_us));
    return json;
}

json_t *view_status_json(const struct view_status *status)
{
    json_t *json = json_pack("{ss si so so so so so so ss}",
                             "version", RONDO_VERSION,
                             "pid", (int)status->pid,
                             "started", ctl_json_time(status->started_wall_ms),
                             "uptime_seconds", count(status->uptime_ms / 1000),
                             "configuration", ctl_json_text(status->conf_path),
                             "workers", count(status->workers),
                             "memory_bytes", count(status->memory_bytes),
                             "tcp_open", count(status->tcp_open),
                             "log_level", log_level_name(status->log_level));
    json_object_set_new(json, "control_lag_ms_max", milliseconds(status->control_lag_us));
    json_object_set_new(json, "zones", named_counts(status->zones, view_zone_state_names, STORE_ZONE_STATES));
    pool_counts(json, &status->pools);
    json_object_set_new(json, "checks", checks_json(&status->pools));
    json_object_set_new(json, "hold", view_hold_json(&status->hold, status->taken_wall_ms));
    json_object_set_new(json, "anchors",
                        json_pack("{so so}", "total", count(status->hold.anchor_cnt), "down",
                                  count(status->hold.anchor_down_cnt)));
    json_object_set_new(json, "answers", counters(&status->answers, answer_counter_names, ANSWER_COUNTER_CNT));
    json_object_set_new(json, "sockets", counters(&status->sockets, io_counter_names, IO_COUNTER_CNT));
    json_object_set_new(json, "transfers", counters(&status->transfers, outgoing_counter_names, OUTGOING_COUNTER_CNT));
    json_object_set_new(json, "transfers_running", count(status->transfer_cnt));
    json_t *load = view_load_json(&status->load);
    json_object_set_new(load, "age_seconds", view_age_json(status->load.ended_wall_ms, status->taken_wall_ms));
    json_object_set_new(json, "last_load", load);
    return json;
}

/* What checks measured: NULL for what is not known, or too old. */
static json_t *response_json(const struct health_measure *measure)
{
    return measure->response_us ? json_real(measure->response_us / 1000.0) : json_null();
}

static json_t *load_json(const struct health_measure *measure)
{
    static const char *const kinds[] = {[HEALTH_LOAD_UTILIZATION] = "utilization",
                                        [HEALTH_LOAD_CONNECTIONS] = "connections",
                                        [HEALTH_LOAD_WEIGHT] = "weight",
                                        [HEALTH_LOAD_PERCENT] = "percent"};
    double value = measure->load_kind == HEALTH_LOAD_UTILIZATION ? measure->load / 65536.0 : measure->load;
    if (measure->load_kind == HEALTH_LOAD_NONE)
        return json_null();
    return json_pack("{ss sf}", "kind", kinds[measure->load_kind], "value", value);
}

json_t *view_left_json(uint64_t then_ms, uint64_t now_ms)
{
    return then_ms ? count(then_ms > now_ms ? (then_ms - now_ms + 999) / 1000 : 0) : json_null();
}

static json_t *known(int64_t id) { return id < 0 ? json_null() : json_integer(id); }

/* What both kinds of order have. */
static json_t *order_json(const struct operate_order *order, uint64_t now_wall_ms)
{
    return json_pack("{so so so so so so so}",
                     "since", ctl_json_time(order->since_wall_ms),
                     "since_age_seconds", view_age_json(order->since_wall_ms, now_wall_ms),
                     "until", ctl_json_time(order->until_wall_ms),
                     "left_seconds", view_left_json(order->until_wall_ms, now_wall_ms),
                     "uid", known(order->uid),
                     "pid", known(order->pid),
                     "reason", *order->reason ? ctl_json_text(order->reason) : json_null());
}

/* Rounded up: a client may keep an answer to the end of a second. */
static uint64_t safe_wall_ms(const struct operate_order *drain)
{
    uint64_t ms = drain->last_answer_wall_ms + drain->ttl_sec * UINT64_C(1000);
    return drain->last_answer_wall_ms ? (ms + 999) / 1000 * 1000 : 0;
}

static json_t *drain_json(const struct operate_order *drain, uint64_t now_wall_ms)
{
    if (!drain)
        return json_null();
    uint64_t safe_ms = safe_wall_ms(drain);
    json_t *json = order_json(drain, now_wall_ms);
    json_object_set_new(json, "last_answer", ctl_json_time(drain->last_answer_wall_ms));
    json_object_set_new(json, "last_answer_age_seconds", view_age_json(drain->last_answer_wall_ms, now_wall_ms));
    json_object_set_new(json, "ttl", drain->last_answer_wall_ms ? count(drain->ttl_sec) : json_null());
    json_object_set_new(json, "safe", ctl_json_time(safe_ms));
    json_object_set_new(json, "safe_in_seconds", view_left_json(safe_ms, now_wall_ms));
    return json;
}

static json_t *force_json(const struct operate_order *force, uint64_t now_wall_ms)
{
    if (!force)
        return json_null();
    json_t *json = order_json(force, now_wall_ms);
    json_object_set_new(json, "as", json_string(health_verdict_name(force->forced)));
    return json;
}

json_t *view_order_json(const struct view_order *order, uint64_t now_wall_ms)
{
    char name[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    bool is_drain = order->kind == OPERATE_DRAIN;
    return json_pack("{so so ss so so}",
                     "pool", ctl_json_text(name_to_text_bare(name, order->member.owner)),
                     "zone", ctl_json_text(name_to_text_bare(zone, order->member.apex)),
                     "member", addr_to_text(address, &order->member.address),
                     "drain", drain_json(is_drain ? &order->order : NULL, now_wall_ms),
                     "force", force_json(is_drain ? NULL : &order->order, now_wall_ms));
}

static json_t *drained_by_json(const struct balance_member_view *member)
{
    json_t *json = json_array();
    if (!member->weight)
        json_array_append_new(json, json_string("weight"));
    if (member->drain)
        json_array_append_new(json, json_string("operator"));
    if (member->drained_by_agent)
        json_array_append_new(json, json_string("agent"));
    return json;
}

json_t *view_member_json(const struct balance_member_view *member, uint64_t now_wall_ms)
{
    char address[ADDR_TEXT_MAX], host[NAME_TEXT_MAX];
    json_t *json = json_pack("{ss ss sb sb sb so so so sb sb so so so so so sf so so so so sf}",
                     "address", addr_to_text(address, &member->address),
                     "verdict", health_verdict_name(member->verdict),
                     "unsettled", (int)member->unsettled,
                     "probed", (int)member->probed,
                     "drained", (int)member->drained,
                     "drained_by", drained_by_json(member),
                     "drain", drain_json(member->drain, now_wall_ms),
                     "force", force_json(member->force, now_wall_ms),
                     "sleeping", (int)member->sleeping,
                     "used", (int)member->used,
                     "since", ctl_json_time(member->since_wall_ms),
                     "since_age_seconds", view_age_json(member->since_wall_ms, now_wall_ms),
                     "reason", *member->reason ? ctl_json_text(member->reason) : json_null(),
                     "certificate_days_left", member->has_days_left ? json_integer(member->days_left) : json_null(),
                     "weight", count(member->weight),
                     "weight_now", member->weight_now,
                     "response_ms", response_json(&member->measure),
                     "load", load_json(&member->measure),
                     "tier", count(member->tier),
                     "host", member->host ? ctl_json_text(name_to_text_bare(host, member->host)) : json_null(),
                     "share", member->share);
    view_failover_add_member(json, member);
    return json;
}

static json_t *host_json(const struct balance_host_view *host, uint64_t now_wall_ms)
{
    char name[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    json_t *addresses = json_array();
    for (size_t i = 0; i < host->address_cnt; i++)
        json_array_append_new(addresses, json_string(addr_to_text(address, &host->addresses[i])));
    return json_pack("{so ss sb so so so so so so so so so}",
                     "name", ctl_json_text(name_to_text_bare(name, host->name)),
                     "source", host->own ? "zone" : "resolver",
                     "resolved", (int)host->known,
                     "addresses", addresses,
                     "weight", count(host->weight),
                     "tier", count(host->tier),
                     "found", ctl_json_time(host->found_wall_ms),
                     "found_age_seconds", view_age_json(host->found_wall_ms, now_wall_ms),
                     "ttl_left_seconds",
                     host->ttl_left_ms == INT64_MAX ? json_null() : json_integer(host->ttl_left_ms / 1000),
                     "kept_since", ctl_json_time(host->denied_wall_ms),
                     "kept_age_seconds", view_age_json(host->denied_wall_ms, now_wall_ms),
                     "error", *host->problem ? ctl_json_text(host->problem) : json_null());
}

json_t *view_pool_json(const struct balance_pool_view *pool, uint64_t now_wall_ms)
{
    char name[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];
    json_t *members = json_array(), *hosts = json_array();
    for (size_t i = 0; i < pool->member_cnt; i++)
        json_array_append_new(members, view_member_json(&pool->members[i], now_wall_ms));
    for (size_t i = 0; i < pool->host_cnt; i++)
        json_array_append_new(hosts, host_json(&pool->hosts[i], now_wall_ms));
    json_t *json = json_pack("{so so ss ss ss so so so sb sb so so so so}",
                     "name", ctl_json_text(name_to_text_bare(name, pool->owner)),
                     "zone", ctl_json_text(name_to_text_bare(zone, pool->apex)),
                     "type", view_pool_type(pool->family),
                     "policy", view_pool_policy_names[pool->policy],
                     "state", view_pool_state_names[pool->state],
                     "tier", count(pool->tier),
                     "ttl", count(pool->ttl_sec),
                     "answers", count(pool->answers),
                     "probed", (int)pool->probed,
                     "exact", (int)pool->exact,
                     "detection_ms", pool->probed ? count(pool->detection_ms) : json_null(),
                     "staleness_ms", pool->probed ? count(pool->staleness_ms) : json_null(),
                     "members", members,
                     "hosts", hosts);
    view_failover_add_pool(json, pool, now_wall_ms);
    return json;
}

size_t view_messages_add(json_t *messages, const struct diag *diag)
{
    if (!diag)
        return 0;
    size_t added = 0;
    const struct diag_entry *entry;
    for (size_t i = 0; json_array_size(messages) < VIEW_MESSAGES_MAX && (entry = diag_at(diag, i)); i++, added++)
        json_array_append_new(
            messages, json_pack("{ss so so so}",
                                "level", entry->level == DIAG_ERROR ? "error" : "warning",
                                "file", ctl_json_text(entry->file),
                                "line", entry->line ? count(entry->line) : json_null(),
                                "text", ctl_json_text(entry->text)));
    return diag_cnt(diag, DIAG_ERROR) + diag_cnt(diag, DIAG_WARNING) - added;
}
