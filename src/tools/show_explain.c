#include "tools/show_explain.h"

#include <stdio.h>
#include <string.h>

#include "tools/read.h"
#include "tools/table.h"

enum { LINE_MAX_LEN = 800 };

static const char *or_dash(const char *text) { return text ? text : "-"; }

static bool is_text(const json_t *object, const char *key, const char *text)
{
    const char *value = text_of(object, key);
    return value && !strcmp(value, text);
}

/* ==== steps, each a label and a line ==== */

static struct table *steps_new(void)
{
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    return table_new(columns, 2);
}

static void steps_end(struct table *table)
{
    table_print(table, stdout);
    table_free(table);
}

static void question_row(struct table *table, const json_t *data)
{
    const json_t *question = json_object_get(data, "question"), *client = json_object_get(data, "client");
    const char *network = text_of(client, "network");
    table_add(table, "question");
    table_addf(table, "%s %s, %s%s", or_dash(text_of(question, "name")), or_dash(text_of(question, "type")),
               network ? "asked by " : "whoever asks", network ? network : "");
}

static const char *found_text(const json_t *name)
{
    static const struct {
        const char *found, *text;
    } texts[] = {{"name", "the name itself"},
                 {"wildcard", "made by the wildcard "},
                 {"cut", "delegated at "},
                 {"dname", "an alias by the DNAME at "},
                 {"none", "there is no such name"},
                 {"no zone", "in no zone that is served here"},
                 {"zone empty", "a secondary that has been given nothing so far; \"rondoctl zones\" says why"},
                 {"zone expired", "the zone has expired; \"rondoctl zones\" says why"},
                 {"zone not loaded", "the zone could not be loaded"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (is_text(name, "found", texts[i].found))
            return texts[i].text;
    return "-";
}

static void name_rows(struct table *table, const json_t *data)
{
    size_t i;
    json_t *name;
    json_array_foreach (json_object_get(data, "names"), i, name) {
        char where[LINE_MAX_LEN] = "";
        const char *zone = text_of(name, "zone");
        bool has_owner = is_text(name, "found", "wildcard") || is_text(name, "found", "cut") ||
                         is_text(name, "found", "dname");
        table_add(table, i ? "leads to" : "name");
        if (zone)
            snprintf(where, sizeof where, "zone %s, serial %llu: ", zone, count_of(name, "serial"));
        table_addf(table, "%s, %s%s%s", or_dash(text_of(name, "name")), where, found_text(name),
                   has_owner ? or_dash(text_of(name, "at")) : "");
    }
}

static void pool_row(struct table *table, const json_t *data)
{
    const json_t *pool = json_object_get(data, "pool");
    char place[LINE_MAX_LEN] = "";
    table_add(table, "pool");
    if (!json_is_object(pool)) {
        table_addf(table, "none: %s", or_dash(text_of(data, "why_no_pool")));
        return;
    }
    if (text_of(pool, "file"))
        snprintf(place, sizeof place, " at %s:%llu", text_of(pool, "file"), count_of(pool, "line"));
    table_addf(table, "by the group with %s \"%s\"%s", or_dash(text_of(pool, "group_by")),
               or_dash(text_of(pool, "group")), place);
    table_add(table, "policy");
    table_addf(table, "%s, up to %llu answers, ttl %llu, ttl_min %llu, min_up %g, all_down %s",
               or_dash(text_of(pool, "policy")), count_of(pool, "answers"), count_of(pool, "ttl"),
               count_of(pool, "ttl_min"), json_number_value(json_object_get(pool, "min_up")),
               or_dash(text_of(pool, "all_down")));
}

static void client_row(struct table *table, const json_t *data)
{
    const json_t *client = json_object_get(data, "client"), *pool = json_object_get(data, "pool");
    const char *in = text_of(client, "in");
    if (!json_is_object(client) || !json_is_object(pool))
        return;
    table_add(table, "client");
    if (in)
        table_addf(table, "%s is in %s of site \"%s\"", or_dash(text_of(client, "network")), in,
                   or_dash(text_of(client, "site")));
    else
        table_addf(table, "%s is in no site", or_dash(text_of(client, "network")));
    table_add(table, "scope");
    table_addf(table, "the answer depends on %llu bits of the client's address",
               count_of(json_object_get(data, "reply"), "scope"));
}

/* What the reply holds where no pool has made it. */
static void reply_row(struct table *table, const json_t *data)
{
    const json_t *reply = json_object_get(data, "reply");
    size_t i;
    json_t *record;
    if (json_is_object(json_object_get(data, "pool")) || !json_is_object(reply))
        return;
    table_add(table, "answer");
    table_addf(table, "%s%s, records: %zu", or_dash(text_of(reply, "rcode")),
               is_true(reply, "authoritative") ? ", authoritative" : "",
               json_array_size(json_object_get(reply, "answer")));
    json_array_foreach (json_object_get(reply, "answer"), i, record) {
        table_add(table, "");
        table_addf(table, "%s %llu %s %s", or_dash(text_of(record, "name")), count_of(record, "ttl"),
                   or_dash(text_of(record, "type")), text_of(record, "data") ? text_of(record, "data") : "...");
    }
}

/* ==== what a pool does ==== */

static void near_row(struct table *table, const json_t *data, const json_t *outcome)
{
    const char *site = text_of(json_object_get(data, "client"), "site"), *from = text_of(outcome, "chosen_from_site");
    unsigned long long members = count_of(outcome, "near_members");
    if (!site)
        return;
    table_add(table, "near");
    if (!members)
        table_addf(table, "no member is of site \"%s\": chosen from all", site);
    else
        table_addf(table, "site \"%s\": %llu of %llu members live: chosen from %s", site,
                   count_of(outcome, "near_live"), members, from ? "these" : "all");
}

static const char *state_text(const json_t *outcome)
{
    if (is_text(outcome, "state", "all_down"))
        return "no member is live";
    if (is_text(outcome, "state", "all_drained"))
        return "all members are drained, so drains are ignored";
    return is_text(outcome, "state", "live") ? "live" : "no members";
}

static void answer_row(struct table *table, const json_t *outcome)
{
    size_t i;
    json_t *address;
    table_add(table, "answer");
    if (is_text(outcome, "outcome", "servfail"))
        table_add(table, "SERVFAIL");
    else if (is_text(outcome, "outcome", "nodata"))
        table_addf(table, "no address, for %llu seconds", count_of(outcome, "ttl"));
    else
        table_addf(table, "%llu of the used members in each, ttl %llu", count_of(outcome, "answers"),
                   count_of(outcome, "ttl"));
    if (json_is_integer(json_object_get(outcome, "slot"))) {
        table_add(table, "slot");
        table_addf(table, "%llu of %llu by the client's address: see \"given\"", count_of(outcome, "slot"),
                   count_of(outcome, "slots"));
    }
    json_array_foreach (json_object_get(outcome, "instead"), i, address) {
        table_add(table, i ? "" : "instead");
        table_add(table, json_string_value(address));
    }
}

static void outcome_rows(struct table *table, const json_t *data, const json_t *outcome)
{
    near_row(table, data, outcome);
    table_add(table, "tier");
    if (count_of(outcome, "tier"))
        table_addf(table, "%llu is used: %s%s", count_of(outcome, "tier"), state_text(outcome),
                   is_true(outcome, "tier_is_set") ? "; failback or families have a say in it" : "");
    else
        table_addf(table, "none is used: %s", state_text(outcome));
    if (count_of(outcome, "trickle_tier")) {
        table_add(table, "trickle");
        table_addf(table, "%.4g %% of the answers are from tier %llu",
                   json_number_value(json_object_get(outcome, "trickle")) * 100, count_of(outcome, "trickle_tier"));
    }
    answer_row(table, outcome);
}

static void tiers_show(const json_t *outcome)
{
    static const struct table_column columns[] = {
        {"TIER", TABLE_RIGHT}, {"MEMBERS", TABLE_RIGHT}, {"UNDRAINED", TABLE_RIGHT}, {"UP", TABLE_RIGHT},
        {"UNKNOWN", TABLE_RIGHT}, {"LIVE", TABLE_RIGHT}, {"", TABLE_LEFT}};
    static const char *const numbers[] = {"tier", "members", "undrained", "up", "unknown", "live"};
    const json_t *tiers = json_object_get(outcome, "tiers");
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    size_t i;
    json_t *tier;
    json_array_foreach (tiers, i, tier) {
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
            table_addf(table, "%llu", count_of(tier, numbers[n]));
        table_add(table, is_true(tier, "used")                              ? "used"
                         : count_of(tier, "live") && !is_true(tier, "enough") ? "fewer than min_up live"
                                                                              : "");
    }
    putchar('\n');
    table_print(table, stdout);
    table_free(table);
}

/* What the checks say of a member, and what is made of that. */
static void state_cell(struct table *table, const json_t *member)
{
    const char *verdict = text_of(member, "verdict"), *forced = text_of(member, "forced");
    table_addf(table, "%s%s%s%s%s", is_true(member, "probed") ? or_dash(verdict) : "not checked",
               is_true(member, "unsettled") ? ", unsettled" : "", forced ? ", forced " : "", forced ? forced : "",
               count_of(member, "weight") ? "" : ", drained");
}

static void member_cells(struct table *table, const json_t *member, const json_t *before)
{
    const char *site = text_of(member, "site"), *reason = text_of(member, "reason");
    table_add(table, or_dash(text_of(member, "address")));
    state_cell(table, member);
    table_add(table, site ? site : "");
    table_addf(table, "%llu", count_of(member, "tier"));
    table_addf(table, "%.4g", json_number_value(json_object_get(member, "weight_in_effect")));
    if (before)
        table_addf(table, "%.1f %%", json_number_value(json_object_get(before, "share")) * 100);
    table_addf(table, "%.1f %%", json_number_value(json_object_get(member, "share")) * 100);
    table_addf(table, "%s%s", is_true(member, "given") ? "given, " : is_true(member, "used") ? "used, " : "",
               or_dash(text_of(member, "why")));
    table_add(table, reason ? reason : "");
}

/* `before`: the members as they are, where these are as they would be; else NULL. */
static void members_show(const json_t *members, const json_t *before)
{
    static const struct table_column is[] = {
        {"MEMBER", TABLE_LEFT}, {"STATE", TABLE_LEFT},  {"SITE", TABLE_LEFT}, {"TIER", TABLE_RIGHT},
        {"WEIGHT", TABLE_RIGHT}, {"SHARE", TABLE_RIGHT}, {"WHY", TABLE_LEFT},  {"LAST CHECK", TABLE_LEFT}};
    static const struct table_column would[] = {
        {"MEMBER", TABLE_LEFT},  {"STATE", TABLE_LEFT}, {"SITE", TABLE_LEFT},  {"TIER", TABLE_RIGHT},
        {"WEIGHT", TABLE_RIGHT}, {"NOW", TABLE_RIGHT},  {"SHARE", TABLE_RIGHT}, {"WHY", TABLE_LEFT},
        {"LAST CHECK", TABLE_LEFT}};
    struct table *table =
        before ? table_new(would, sizeof would / sizeof *would) : table_new(is, sizeof is / sizeof *is);
    size_t i;
    json_t *member;
    json_array_foreach (members, i, member)
        member_cells(table, member, before ? json_array_get(before, i) : NULL);
    putchar('\n');
    table_print(table, stdout);
    table_free(table);
}

static void changes_row(struct table *table, const json_t *data)
{
    size_t i;
    json_t *change;
    json_array_foreach (json_object_get(data, "changes"), i, change) {
        table_add(table, i ? "and" : "if");
        table_addf(table, "%s is %s", or_dash(text_of(change, "member")), or_dash(text_of(change, "verdict")));
    }
}

void show_explain(const json_t *data)
{
    const json_t *pool = json_object_get(data, "pool");
    const json_t *now = json_object_get(pool, "now"), *then = json_object_get(pool, "then");
    struct table *steps = steps_new();
    question_row(steps, data);
    name_rows(steps, data);
    pool_row(steps, data);
    client_row(steps, data);
    reply_row(steps, data);
    if (json_is_object(now))
        outcome_rows(steps, data, now);
    steps_end(steps);
    if (!json_is_object(now))
        return;
    tiers_show(now);
    members_show(json_object_get(now, "members"), NULL);
    if (!json_is_object(then))
        return;
    putchar('\n');
    steps = steps_new();
    changes_row(steps, data);
    outcome_rows(steps, data, then);
    steps_end(steps);
    tiers_show(then);
    members_show(json_object_get(then, "members"), json_object_get(now, "members"));
}
