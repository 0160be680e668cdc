#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "pool/failback.h"

static const char *const policies[] = {
    [POOL_ROUND_ROBIN] = "round_robin",
    [POOL_WEIGHTED] = "weighted",
    [POOL_RANDOM] = "random",
    [POOL_HASH] = "hash",
    [POOL_FASTEST] = "fastest",
    [POOL_LEAST_CONNECTIONS] = "least_connections",
    [POOL_LEAST_LOAD] = "least_load",
    NULL,
};
static const char *const others[] = {"member", "ignore", NULL};
static const char *const families[] = {"apart", "together", NULL};

enum { WEEK_MS = 7 * 24 * 3600 * 1000 };

static enum err parse_answers(void *field, const char *text, const char **expected)
{
    char *end;
    *expected = "\"all\" or a whole number from 1 to 16";
    if (!field)
        return ERR_OK;
    int64_t answers = strtol(text, &end, 10);
    if (!strcmp(text, "all"))
        answers = POOL_ANSWERS_MAX;
    else if (*text < '0' || *text > '9' || *end)
        return ERR_SYNTAX;
    if (answers < 1 || answers > POOL_ANSWERS_MAX)
        return ERR_RANGE;
    *(int64_t *)field = answers;
    return ERR_OK;
}

static enum err parse_failback(void *field, const char *text, const char **expected)
{
    uint64_t ms = POOL_FAILBACK_AUTO;
    enum err e = ERR_OK;
    *expected = "\"auto\", \"manual\" or a duration of at most a week, such as \"10m\"";
    if (!field)
        return ERR_OK;
    if (!strcmp(text, "manual"))
        ms = POOL_FAILBACK_MANUAL;
    else if (strcmp(text, "auto") != 0)
        e = opt_duration_from_text(&ms, text);
    if (!e && ms > WEEK_MS && ms != POOL_FAILBACK_MANUAL)
        e = ERR_RANGE;
    if (!e)
        *(uint64_t *)field = ms;
    return e;
}

#define MEMBER(key, type, flags, field) OPT_KEY(key, type, flags, balance_member_options, field)

static const struct opt member_opts[] = {
    {MEMBER("address", OPT_CUSTOM, 0, address), .parse = addr_opt_parse, .parse_size = sizeof(struct addr),
     .sample = "\"192.0.2.1\"",
     .help = "The address of an A or AAAA record of the name. While there is no such record the member sleeps: it is "
             "neither checked nor answered, and a warning says so. A member has either this or \"host\"."},
    {MEMBER("host", OPT_STRING, 0, host), .least = 1, .most = 254,
     .help = "In place of \"address\": a name whose addresses are members, besides those of the zone's records. A "
             "whole name, whether or not it ends in a dot. It is resolved when the configuration is read, and again as "
             "often as its TTL says (at least 5s, at most 1h); a name in a zone served here is read from there. Each "
             "address is checked on its own, and they share the weight. The pool's name needs no A or AAAA record of "
             "its own, but some record: its zone's own name may be given addresses like this."},
    {MEMBER("weight", OPT_INT, 0, weight), .least = 0, .most = POOL_WEIGHT_MAX, .text_default = "1",
     .help = "The member's share, as a part of the sum of all weights in use. 0 drains it: it is checked, but not "
             "given to clients. When every member is drained, drains are ignored."},
    {MEMBER("tier", OPT_INT, 0, tier), .least = 1, .most = 1000, .text_default = "1",
     .help = "Members of a higher number stand by: they are used when all lower tiers are down."},
    {MEMBER("probe", OPT_STRING, OPT_LIST, probe), .least = 1, .most = 63, .sample = "\"web\"",
     .help = "The probes of this member, in place of the group's."},
    {MEMBER("check_address", OPT_CUSTOM, 0, check_address), .parse = addr_opt_parse, .parse_size = sizeof(struct addr),
     .help = "The address that is checked in place of the member's own."},
    {MEMBER("site", OPT_STRING, 0, site), .least = 1, .most = ANSWER_SITE_NAME_MAX,
     .help = "The site where the member is, by name: clients in its networks get its live members, by their tiers "
             "among themselves (\"min_up\" counts these alone), and all others only while it has none."},
};

static const struct opt_table member_table = {
    .path = "members",
    .size = sizeof(struct balance_member_options),
    .list = true,
    .where_offset = offsetof(struct balance_member_options, where),
    OPT_ROWS(member_opts),
};

#define GROUP(key, type, flags, field) OPT_KEY(key, type, flags, balance_group_options, field)

static const struct opt group_opts[] = {
    {GROUP("name", OPT_STRING, 0, name), .least = 1, .most = 1009, .sample = "\"www\"",
     .help = "The name whose A and AAAA records are a pool each: relative to the zone without a final dot; \"@\" is "
             "the zone's own name, \"*.x\" the wildcard. A group has either this or \"below\"."},
    {GROUP("below", OPT_STRING, 0, below), .least = 1, .most = 1009,
     .help = "In place of \"name\": every name below this one, but not itself. A group for an exact name comes first, "
             "then the one with the longest \"below\"; that one applies alone. Names that NS or MX records of any "
             "zone served here point to are left out."},
    {GROUP("policy", OPT_ENUM, 0, policy), .names = policies, .text_default = "\"round_robin\"",
     .help = "How members are chosen: in turn, in turn by weight, at random by weight, or by the client's address "
             "(see hash_prefix4), so that a client stays with a member and a change of members moves no other "
             "clients. \"fastest\", \"least_connections\" and \"least_load\" take the weight as the first one, "
             "and move it by what probes report, in small steps once a TTL: to weights in inverse ratio to response "
             "times, to equal connections by weight, to equal load."},
    {GROUP("ttl", OPT_DURATION, 0, ttl_ms), .most = WEEK_MS, .text_default = "\"20s\"",
     .help = "The TTL of answers, in whole seconds; never above the record's own."},
    {GROUP("ttl_min", OPT_DURATION, 0, ttl_min_ms), .most = WEEK_MS, .text_default = "\"5s\"",
     .help = "The TTL, where lower, while a member in use is between its first contrary check and its verdict. In "
             "whole seconds."},
    {GROUP("answers", OPT_CUSTOM, 0, answers), .parse = parse_answers, .parse_size = sizeof(int64_t),
     .sample = "\"all\"",
     .help = "How many addresses an answer has; \"all\" is at most 16. Without it: \"all\" for round_robin, 1 for the "
             "other policies."},
    {GROUP("probe", OPT_STRING, OPT_LIST, probe), .least = 1, .most = 63, .sample = "\"web\"",
     .help = "The probes, by name, that check every member; all must pass. Without one, members are always up."},
    {GROUP("min_up", OPT_FRACTION, 0, min_up), .most = 1000, .text_default = "0.0",
     .help = "The part of a tier's members, drained ones aside, that must be up, exactly as written (to the 15th "
             "decimal); when fewer are, the next tier that has enough is used, and when none has, the first with any."},
    {GROUP("all_down", OPT_STRING, OPT_LIST, all_down), .least = 1, .most = 63, .text_default = "\"serve_all\"",
     .help = "What is answered when no member is up: \"serve_all\" (the members, as if they were up), \"serve_none\" "
             "(that there is no address), \"servfail\", or addresses to give instead, of which those of the asked "
             "family count."},
    {GROUP("others", OPT_ENUM, 0, others), .names = others, .text_default = "\"member\"",
     .help = "What the name's addresses are that \"members\" does not list: members too, of weight 1 and tier 1, or "
             "nothing."},
    {GROUP("hash_prefix4", OPT_INT, 0, hash_prefix4), .least = 8, .most = 32, .text_default = "32", .unit = "bits",
     .help = "With policy \"hash\", IPv4 clients whose addresses agree in so many bits get the same members."},
    /* What one customer has at most (RFC 6177). */
    {GROUP("hash_prefix6", OPT_INT, 0, hash_prefix6), .least = 16, .most = 128, .text_default = "56", .unit = "bits",
     .help = "The same of IPv6 clients."},
    {GROUP("host_hold", OPT_DURATION, 0, host_hold_ms), .most = WEEK_MS, .text_default = "\"10m\"",
     .help = "How long the addresses of a \"host\" are kept while its resolvers say that there is no such name, or no "
             "address. While they fail or do not answer, they are kept in any case."},
    {GROUP("families", OPT_ENUM, 0, families), .names = families, .text_default = "\"apart\"",
     .help = "Whether A and AAAA choose a tier each, or \"together\": then a tier is good when both families are, and "
             "both are answered from the same one. A family that has nobody up in it is answered from its own next "
             "tier that has."},
    {GROUP("failback", OPT_CUSTOM, 0, failback_ms), .parse = parse_failback, .parse_size = sizeof(uint64_t),
     .text_default = "\"auto\"",
     .help = "When a pool that is answered from a tier of a higher number goes back to one of a lower number that is "
             "good again: \"auto\" at once; a duration: when it has been good for so long; \"manual\": when \"rondoctl "
             "failback\" says so. It also goes back when the tier in use has nobody up any more. Kept by a reload, not "
             "by a restart."},
    {GROUP("slow_start", OPT_DURATION, 0, slow_start_ms), .most = WEEK_MS, .text_default = "0",
     .help = "So long after it came back a member has less than its weight: a twentieth at first, then more in twenty "
             "even steps. Members that are up when rondod starts, or are new, have all of it at once. When all others "
             "start slowly too, it is their proportions that count, and among many members nobody has less than one of "
             "4096 slots. No effect on round_robin."},
    {GROUP("flap_hold", OPT_DURATION, 0, flap_hold_ms), .most = WEEK_MS, .text_default = "0",
     .help = "The least time between two flips of a member: one that went down, or came up before that, less than so "
             "long ago does not come back yet. Going down never waits; and where nobody else is up, coming back does "
             "not either."},
    {GROUP("trickle", OPT_FRACTION, 0, trickle), .most = 500, .text_default = "0.0",
     .help = "The part of the answers that is given from the next tier that has somebody up, so that it is known to "
             "work when it is needed: to the millionth or, where weights and members ask for more than 4096 slots, to "
             "one of these, and one at least. Standbys that are too many for that have it by turns of a minute. For "
             "policies with shares, not for round_robin and hash."},
    {GROUP("members", OPT_GROUP, OPT_LIST, members), .sub = &member_table,
     .help = "What single addresses have of their own, and hosts whose addresses are members too."},
};

static const struct opt_table group_table = {
    .path = "balance",
    .size = sizeof(struct balance_group_options),
    .list = true,
    .where_offset = offsetof(struct balance_group_options, where),
    OPT_ROWS(group_opts),
};

static const struct opt zone_opts[] = {
    {OPT_KEY("balance", OPT_GROUP, OPT_LIST, balance_zone_options, groups), .sub = &group_table,
     .help = "Which names are pools: their A and AAAA records are members, checked and chosen from. Other names are "
             "answered with all their addresses in turn."},
};

const struct opt_table balance_zone_opt_table = {
    .path = "zones",
    .size = sizeof(struct balance_zone_options),
    .list = true,
    .where_offset = SIZE_MAX,
    OPT_ROWS(zone_opts),
};
