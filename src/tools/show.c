#include "tools/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/human.h"
#include "tools/read.h"
#include "tools/show_check.h"
#include "tools/show_explain.h"
#include "tools/show_failover.h"
#include "tools/show_order.h"
#include "tools/show_zone_orders.h"
#include "tools/show_zones.h"
#include "tools/table.h"

enum { LIST_MAX = 800 };

/* ==== status ==== */

struct part {
    const char *key, *label;
};

/* "LABEL N, LABEL N, …" of the members of `object` that are not 0; "none" when all are. */
static void parts_text(char out[LIST_MAX], const json_t *object, const struct part *parts, size_t cnt)
{
    size_t len = 0;
    snprintf(out, LIST_MAX, "none");
    for (size_t i = 0; i < cnt && len < LIST_MAX; i++)
        if (count_of(object, parts[i].key))
            len += (size_t)snprintf(out + len, LIST_MAX - len, "%s%s %llu", len ? ", " : "", parts[i].label,
                                    count_of(object, parts[i].key));
}

static void parts_row(struct table *table, const char *label, const json_t *object, const struct part *parts,
                      size_t cnt)
{
    char text[LIST_MAX];
    parts_text(text, object, parts, cnt);
    table_add(table, label);
    table_add(table, text);
}

/* Only when there is something to say. */
static void parts_row_if_any(struct table *table, const char *label, const json_t *object, const struct part *parts,
                             size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        if (count_of(object, parts[i].key)) {
            parts_row(table, label, object, parts, cnt);
            return;
        }
    }
}
#define PARTS_ROW(table, label, object, parts) parts_row(table, label, object, parts, sizeof(parts) / sizeof *(parts))

/* What only some servers have: limited, cookies, signed questions. */
static void rare_counter_rows(struct table *table, const json_t *answers)
{
    static const struct part limit[] = {{"rate_limited", "limited"},
                                        {"rate_slipped", "slipped"},
                                        {"rate_leaked", "leaked"},
                                        {"rate_full", "full"}};
    static const struct part cookies[] = {{"cookie_new", "new"}, {"cookie_good", "good"}, {"cookie_bad", "bad"}};
    static const struct part tsig[] = {{"tsig_good", "good"}, {"tsig_bad", "bad"}};
    parts_row_if_any(table, "rate limit", answers, limit, sizeof limit / sizeof *limit);
    parts_row_if_any(table, "cookies", answers, cookies, sizeof cookies / sizeof *cookies);
    parts_row_if_any(table, "TSIG", answers, tsig, sizeof tsig / sizeof *tsig);
}

/* Only where there was one. */
static void transfer_rows(struct table *table, const json_t *status)
{
    static const struct part kinds[] = {{"axfr", "AXFR"},         {"ixfr", "IXFR"},
                                        {"ixfr_whole", "IXFR as whole zone"}, {"ixfr_current", "up to date"},
                                        {"refused", "refused"},   {"unserved", "without a version"},
                                        {"failed", "failed"}};
    static const struct part ends[] = {{"streams_failed", "not to be made"},
                                       {"streams_expired", "at transfer_max"},
                                       {"streams_stalled", "stalled"},
                                       {"streams_closed", "by the client"},
                                       {"handoffs_full", "not taken"}};
    char text[LIST_MAX];
    const json_t *transfers = json_object_get(status, "transfers");
    parts_text(text, transfers, kinds, sizeof kinds / sizeof *kinds);
    if (strcmp(text, "none") != 0 || count_of(status, "transfers_running")) {
        table_add(table, "transfers sent");
        table_addf(table, "%s; running %llu", text, count_of(status, "transfers_running"));
    }
    parts_row_if_any(table, "broken off", json_object_get(status, "sockets"), ends, sizeof ends / sizeof *ends);
}

static void counter_rows(struct table *table, const json_t *status)
{
    static const struct part protocols[] = {
        {"queries_udp", "UDP"}, {"queries_tcp", "TCP"}, {"edns", "with EDNS"}, {"dropped", "dropped"}};
    static const struct part rcodes[] = {{"noerror", "NOERROR"},   {"nxdomain", "NXDOMAIN"}, {"refused", "REFUSED"},
                                         {"servfail", "SERVFAIL"}, {"formerr", "FORMERR"},   {"notimp", "NOTIMP"},
                                         {"badcookie", "BADCOOKIE"}, {"other_rcode", "other"}};
    static const struct part kinds[] = {{"nodata", "NODATA"}, {"referral", "referrals"}, {"truncated", "truncated"},
                                        {"pool", "balanced"},  {"pool_down", "without a server"}};
    static const struct part tcp[] = {{"tcp_accepted", "accepted"},
                                      {"tcp_idle_closed", "closed as idle"},
                                      {"tcp_evicted", "evicted"},
                                      {"tcp_refused_total", "refused (tcp_max)"},
                                      {"tcp_refused_client", "refused (tcp_max_per_client)"}};
    static const struct part errors[] = {{"udp_recv_errors", "receiving"}, {"udp_send_errors", "sending"}};
    const json_t *answers = json_object_get(status, "answers"), *sockets = json_object_get(status, "sockets");
    PARTS_ROW(table, "queries", answers, protocols);
    PARTS_ROW(table, "answers", answers, rcodes);
    PARTS_ROW(table, "of these", answers, kinds);
    rare_counter_rows(table, answers);
    table_add(table, "tcp connections");
    char text[LIST_MAX];
    parts_text(text, sockets, tcp, sizeof tcp / sizeof *tcp);
    table_addf(table, "open %llu; %s", count_of(status, "tcp_open"), text);
    PARTS_ROW(table, "udp errors", sockets, errors);
    transfer_rows(table, status);
}

static void load_row(struct table *table, const json_t *load)
{
    char when[HUMAN_MAX], ago[HUMAN_MAX];
    const char *result = text_of(load, "result");
    table_add(table, "last load");
    if (!result || strcmp(result, "none") == 0) {
        table_add(table, "not ended yet");
        return;
    }
    const char *ended = time_text(when, load, "ended");
    table_addf(table, "%s, %s ago: %s; %llu errors, %llu warnings; zones: %llu loaded, %llu unchanged, %llu failed",
               ended ? ended : "-", human_duration(ago, number_of(load, "age_seconds")), result,
               count_of(load, "errors"), count_of(load, "warnings"), count_of(load, "loaded"),
               count_of(load, "unchanged"), count_of(load, "failed"));
}

static void pool_rows_of_status(struct table *table, const json_t *status)
{
    static const struct part states[] = {
        {"live", "live"}, {"all_down", "all down"}, {"all_drained", "all drained"}, {"empty", "empty"}};
    static const struct part verdicts[] = {{"up", "up"}, {"down", "down"}, {"unknown", "unknown"}};
    const json_t *pools = json_object_get(status, "pools"), *members = json_object_get(status, "members");
    char text[LIST_MAX];
    table_add(table, "pools");
    parts_text(text, pools, states, sizeof states / sizeof *states);
    table_addf(table, "%llu: %s", count_of(pools, "total"), text);
    table_add(table, "members");
    parts_text(text, members, verdicts, sizeof verdicts / sizeof *verdicts);
    table_addf(table, "%llu: %s", count_of(members, "total"), text);
    show_failover_status(table, status);
}

/* Only where something is checked. */
static void check_rows(struct table *table, const json_t *checks)
{
    static const struct part parts[] = {{"passed", "passed"},   {"failed", "failed"},   {"ignored", "without a word"},
                                        {"lacking", "not done"}, {"excused", "done again"}};
    char text[LIST_MAX];
    if (!count_of(checks, "targets"))
        return;
    table_add(table, "checks");
    parts_text(text, checks, parts, sizeof parts / sizeof *parts);
    table_addf(table, "of %llu targets: %s", count_of(checks, "targets"), text);
    table_add(table, "");
    table_addf(table, "under way %llu, waiting for one to end %llu; begun late by %.1f ms (p99)",
               count_of(checks, "running"), count_of(checks, "waiting"),
               json_number_value(json_object_get(checks, "lag_p99_ms")));
}

static void show_status(const json_t *status)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    static const struct part states[] = {
        {"served", "served"}, {"stale", "stale"}, {"failed", "failed"},
        {"loading", "loading"}, {"empty", "empty"}, {"expired", "expired"}};
    struct table *table = table_new(columns, 2);
    char text[HUMAN_MAX], when[HUMAN_MAX], zones[LIST_MAX];
    table_add(table, "rondod");
    table_addf(table, "%s, process %llu", text_of(status, "version") ? text_of(status, "version") : "-",
               count_of(status, "pid"));
    table_add(table, "running");
    const char *since = time_text(when, status, "started");
    table_addf(table, "%s, since %s", human_duration(text, number_of(status, "uptime_seconds")), since ? since : "-");
    table_add(table, "configuration");
    table_add(table, text_of(status, "configuration"));
    load_row(table, json_object_get(status, "last_load"));
    table_add(table, "log level");
    table_add(table, text_of(status, "log_level"));
    table_add(table, "workers");
    table_addf(table, "%llu", count_of(status, "workers"));
    table_add(table, "memory");
    table_add(table, human_bytes(text, number_of(status, "memory_bytes")));
    table_add(table, "control thread");
    table_addf(table, "longest turn %.1f ms", json_number_value(json_object_get(status, "control_lag_ms_max")));
    const json_t *by_state = json_object_get(status, "zones");
    parts_text(zones, by_state, states, sizeof states / sizeof *states);
    table_add(table, "zones");
    table_addf(table, "%llu: %s", count_of(by_state, "total"), zones);
    pool_rows_of_status(table, status);
    check_rows(table, json_object_get(status, "checks"));
    counter_rows(table, status);
    table_print(table, stdout);
    table_free(table);
}

/* ==== pools ==== */

/* In words: what the checks say, and what else decides whether it is used. */
static void member_state_text(char out[LIST_MAX], const json_t *member)
{
    const char *verdict = text_of(member, "verdict");
    if (is_true(member, "sleeping")) {
        snprintf(out, LIST_MAX, "not in the zone");
        return;
    }
    const char *forced = text_of(json_object_get(member, "force"), "as");
    snprintf(out, LIST_MAX, "%s%s%s%s%s", !is_true(member, "probed") ? "not checked" : verdict ? verdict : "-",
             is_true(member, "unsettled") ? ", unsettled" : "", is_true(member, "drained") ? ", drained" : "",
             forced ? ", forced " : "", forced ? forced : "");
    show_failover_member(out, LIST_MAX, member);
}

/* "4", or "1.6 of 4" while something is withheld. */
static void weight_cell(struct table *table, const json_t *member)
{
    const json_t *now = json_object_get(member, "weight_now");
    if (json_is_real(now) && json_real_value(now) < (double)count_of(member, "weight"))
        table_addf(table, "%.3g of %llu", json_real_value(now), count_of(member, "weight"));
    else
        table_addf(table, "%llu", count_of(member, "weight"));
}

static void measure_cells(struct table *table, const json_t *member)
{
    const json_t *response = json_object_get(member, "response_ms"), *load = json_object_get(member, "load");
    const char *kind = text_of(load, "kind");
    double value = json_number_value(json_object_get(load, "value"));
    if (json_is_number(response))
        table_addf(table, "%.1f ms", json_number_value(response));
    else
        table_add(table, "");
    if (!kind)
        table_add(table, "");
    else if (!strcmp(kind, "utilization"))
        table_addf(table, "%.2f", value);
    else
        table_addf(table, "%s%.0f%s", !strcmp(kind, "weight") ? "wants " : "", value,
                   !strcmp(kind, "percent") ? " %" : "");
}

/* "status 200; certificate: 61 days left"; what is wrong with it stands in the reason already. */
static void reason_text(char *out, size_t cap, const json_t *member)
{
    const char *reason = text_of(member, "reason");
    const json_t *days = json_object_get(member, "certificate_days_left");
    long long left = json_integer_value(days);
    snprintf(out, cap, "%s", reason ? reason : "");
    if (!json_is_integer(days) || (reason && strstr(reason, "certificate: ")))
        return;
    size_t len = strlen(out);
    if (left < 0)
        snprintf(out + len, cap - len, "%scertificate: expired", len ? "; " : "");
    else
        snprintf(out + len, cap - len, "%scertificate: %lld day%s left", len ? "; " : "", left, left == 1 ? "" : "s");
}

/* What the last check said, and what operators, or the member itself, ordered. */
static void member_reason_text(char out[LIST_MAX], const json_t *member)
{
    json_t *source;
    size_t i;
    reason_text(out, LIST_MAX, member);
    size_t len = strlen(out);
    json_array_foreach (json_object_get(member, "drained_by"), i, source)
        if (json_string_value(source) && !strcmp(json_string_value(source), "agent") && len < LIST_MAX)
            len += (size_t)snprintf(out + len, LIST_MAX - len, "%sdrained by its agent", len ? "; " : "");
    order_text(out, LIST_MAX, len, member);
}

static void member_row(struct table *table, const json_t *member)
{
    char text[LIST_MAX], age[HUMAN_MAX];
    const char *address = text_of(member, "address");
    table_addf(table, "  %s", address ? address : "-");
    member_state_text(text, member);
    table_add(table, text);
    if (json_is_integer(json_object_get(member, "since_age_seconds")))
        table_add(table, human_duration(age, number_of(member, "since_age_seconds")));
    else
        table_add(table, "");
    weight_cell(table, member);
    table_addf(table, "%llu", count_of(member, "tier"));
    table_addf(table, "%.1f %%", json_number_value(json_object_get(member, "share")) * 100);
    measure_cells(table, member);
    member_reason_text(text, member);
    table_add(table, text);
}

/* Of members alone: share, response, load. */
enum { MEASURED_CELLS = 3 };

static void host_state_text(char out[LIST_MAX], const json_t *host)
{
    size_t cnt = json_array_size(json_object_get(host, "addresses"));
    if (!is_true(host, "resolved"))
        snprintf(out, LIST_MAX, "not resolved yet");
    else
        snprintf(out, LIST_MAX, "%zu address%s%s", cnt, cnt == 1 ? "" : "es",
                 cnt && text_of(host, "error") ? ", kept" : "");
}

/* Who says so, until when, and what it says instead. */
static void host_reason_text(char out[LIST_MAX], const json_t *host)
{
    char left[HUMAN_MAX], kept[HUMAN_MAX];
    const char *source = text_of(host, "source"), *error = text_of(host, "error");
    const json_t *ttl = json_object_get(host, "ttl_left_seconds");
    int len = snprintf(out, LIST_MAX, "from %s", source && !strcmp(source, "zone") ? "our zone" : "resolver");
    if (json_is_integer(ttl) && json_integer_value(ttl) >= 0)
        len += snprintf(out + len, (size_t)(LIST_MAX - len), ", again in %s",
                        human_duration(left, number_of(host, "ttl_left_seconds")));
    if (error)
        len += snprintf(out + len, (size_t)(LIST_MAX - len), ", %.100s", error);
    if (text_of(host, "kept_since"))
        snprintf(out + len, (size_t)(LIST_MAX - len), " for %s",
                 human_duration(kept, number_of(host, "kept_age_seconds")));
}

static void host_row(struct table *table, const json_t *host)
{
    char text[LIST_MAX], age[HUMAN_MAX];
    const char *name = text_of(host, "name");
    table_addf(table, "  host %s", name ? name : "-");
    host_state_text(text, host);
    table_add(table, text);
    if (json_is_integer(json_object_get(host, "found_age_seconds")))
        table_add(table, human_duration(age, number_of(host, "found_age_seconds")));
    else
        table_add(table, "");
    table_addf(table, "%llu", count_of(host, "weight"));
    table_addf(table, "%llu", count_of(host, "tier"));
    for (unsigned i = 0; i < MEASURED_CELLS; i++)
        table_add(table, "");
    host_reason_text(text, host);
    table_add(table, text);
}

static void pool_row(struct table *table, const json_t *pool)
{
    const char *name = text_of(pool, "name"), *type = text_of(pool, "type"), *policy = text_of(pool, "policy");
    const char *state = text_of(pool, "state");
    char text[LIST_MAX];
    table_addf(table, "%s %s", name ? name : "-", type ? type : "-");
    table_add(table, !state                          ? "-"
                     : !strcmp(state, "all_down")    ? "all down"
                     : !strcmp(state, "all_drained") ? "all drained"
                                                     : state);
    table_add(table, "");
    table_add(table, "");
    table_addf(table, "%llu", count_of(pool, "tier"));
    for (unsigned i = 0; i < MEASURED_CELLS; i++)
        table_add(table, "");
    snprintf(text, sizeof text, "%s, ttl %llu, up to %llu answer%s", policy ? policy : "-", count_of(pool, "ttl"),
             count_of(pool, "answers"), count_of(pool, "answers") == 1 ? "" : "s");
    show_failover_pool(text, sizeof text, pool);
    table_add(table, text);
}

static void lone_order_show(const json_t *order)
{
    char text[LIST_MAX] = "";
    const char *pool = text_of(order, "pool"), *address = text_of(order, "member");
    order_text(text, sizeof text, 0, order);
    char *clean = table_clean(text);
    printf("no member now: %s of %s, %s\n", address ? address : "-", pool ? pool : "-", clean);
    free(clean);
}

static void show_pools(const json_t *data)
{
    static const struct table_column columns[] = {
        {"POOL", TABLE_LEFT},  {"STATE", TABLE_LEFT},  {"FOR", TABLE_RIGHT},  {"WEIGHT", TABLE_RIGHT},
        {"TIER", TABLE_RIGHT}, {"SHARE", TABLE_RIGHT}, {"RESPONSE", TABLE_RIGHT},
        {"LOAD", TABLE_RIGHT}, {"REASON", TABLE_LEFT}};
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i, k;
    json_t *pool, *member, *host;
    show_failover_hold(json_object_get(data, "hold"));
    json_array_foreach (json_object_get(data, "pools"), i, pool) {
        pool_row(table, pool);
        json_array_foreach (json_object_get(pool, "hosts"), k, host)
            host_row(table, host);
        json_array_foreach (json_object_get(pool, "members"), k, member)
            member_row(table, member);
    }
    if (i)
        table_print(table, stdout);
    table_free(table);
    json_array_foreach (json_object_get(data, "orders_without_member"), i, member)
        lone_order_show(member);
}

/* ==== reload, log, stop ==== */

static void message_show(const json_t *message)
{
    const char *file = text_of(message, "file"), *level = text_of(message, "level"), *text = text_of(message, "text");
    char *clean_file = file ? table_clean(file) : NULL;
    char *clean_text = table_clean(text ? text : "");
    if (clean_file)
        printf("%s:", clean_file);
    if (count_of(message, "line"))
        printf("%llu:", count_of(message, "line"));
    printf("%s%s: %s\n", clean_file ? " " : "", level && strcmp(level, "error") == 0 ? "error" : "warning", clean_text);
    free(clean_file);
    free(clean_text);
}

/* What became of one zone, or of all. */
static void load_counts_show(const json_t *data)
{
    const char *zone = text_of(data, "zone");
    char *clean = zone ? table_clean(zone) : NULL;
    const char *result = count_of(data, "failed") ? "failed" : count_of(data, "loaded") ? "loaded" : "unchanged";
    const char *frozen = !json_is_boolean(json_object_get(data, "frozen")) ? ""
                         : is_true(data, "frozen")                         ? ", frozen"
                                                                           : ", thawed";
    if (clean)
        printf("zone %s: %s%s", clean, result, frozen);
    else
        printf("zones: %llu loaded, %llu unchanged, %llu failed, %llu added, %llu removed", count_of(data, "loaded"),
               count_of(data, "unchanged"), count_of(data, "failed"), count_of(data, "added"),
               count_of(data, "removed"));
    if (!clean && count_of(data, "empty"))
        printf(", %llu empty", count_of(data, "empty"));
    putchar('\n');
    free(clean);
}

static void show_reload(const json_t *data)
{
    size_t i;
    json_t *message;
    json_array_foreach (json_object_get(data, "messages"), i, message)
        message_show(message);
    if (count_of(data, "messages_omitted"))
        printf("%llu more messages not shown\n", count_of(data, "messages_omitted"));
    const char *result = text_of(data, "result");
    if (result && strcmp(result, "refused") == 0)
        return;
    load_counts_show(data);
}

static void show_thaw(const json_t *data) { show_reload(data); }

static void show_log(const json_t *data)
{
    const char *level = text_of(data, "log_level"), *was = text_of(data, "was");
    if (level && was)
        printf("log level %s, was %s\n", level, was);
}

static void show_stop(const json_t *data)
{
    printf("rondod, process %llu, has stopped\n", count_of(data, "pid"));
}

void show_answer(enum ctl_command_id command, const json_t *data)
{
    static void (*const shows[CTL_COMMAND_CNT])(const json_t *data) = {
#define X(name, usage, least, most, timeout_sec, help) [CTL_COMMAND_##name] = show_##name,
        CTL_COMMANDS(X)
#undef X
    };
    if (data)
        shows[command](data);
}
