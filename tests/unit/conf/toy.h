/* A set of option tables with every type of row, groups nested three deep, and two tables for each of two groups: what
 * the tests and the fuzzer of conf/ fill. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"

struct toy_server {
    struct opt_list listen; /* struct addr */
    int64_t workers;
    uint64_t idle_ms;
    double share;
    bool quiet;
    char *dir, *user, *host;
    int policy;
    uint8_t answers;
};
struct toy_more {         /* "server", too */
    struct opt_list tags; /* char * */
    int64_t most;
};
struct toy_zone {
    char *name, *file;
    struct opt_where where;
};
struct toy_limits {
    int64_t low, high;
};
struct toy_balance {       /* "zones", too */
    struct opt_list rules; /* struct toy_rule */
    struct toy_limits limits;
};
struct toy_rule {
    char *name;
    struct opt_list probes; /* char * */
    uint64_t ttl_ms;
    struct opt_list members; /* struct toy_member */
    struct opt_where where;
};
struct toy_member {
    struct addr address;
    int64_t weight;
};

static const char *const toy_policies[] = {"round_robin", "weighted", "random", NULL};

static enum err toy_answers_parse(void *field, const char *text, const char **expected)
{
    int value = text[0] && !text[1] ? text[0] - '0' : 0;
    *expected = "\"all\" or a number from 1 to 9";
    if (text[0] == 'a' && text[1] == 'l' && text[2] == 'l' && !text[3])
        value = 10;
    if (value < 1 || value > 10)
        return ERR_SYNTAX;
    if (field)
        *(uint8_t *)field = (uint8_t)value;
    return ERR_OK;
}

#define TOY_AT(type, member) .offset = offsetof(struct toy_##type, member)
#define TOY_OPTS(rows) .opts = (rows), .cnt = sizeof(rows) / sizeof *(rows)

static const struct opt toy_server_opts[] = {
    {.name = "listen",
     .type = OPT_ADDR,
     .flags = OPT_LIST | OPT_RESTART,
     TOY_AT(server, listen),
     .port_default = 53,
     .sample = "[ \"127.0.0.1@5300\", \"::1\" ]",
     .help = "Where to listen."},
    {.name = "workers",
     .type = OPT_INT,
     .flags = OPT_RESTART,
     TOY_AT(server, workers),
     .most = 1024,
     .text_default = "0",
     .help = "Threads."},
    {.name = "idle",
     .type = OPT_DURATION,
     TOY_AT(server, idle_ms),
     .least = 100,
     .most = 3600000,
     .text_default = "\"10s\""},
    {.name = "share", .type = OPT_FRACTION, TOY_AT(server, share), .most = 1000, .text_default = "0.5"},
    {.name = "quiet", .type = OPT_BOOL, TOY_AT(server, quiet), .text_default = "true"},
    {.name = "dir",
     .type = OPT_STRING,
     .flags = OPT_PATH,
     TOY_AT(server, dir),
     .least = 1,
     .text_default = "\"zones\""},
    {.name = "user", .type = OPT_STRING, .flags = OPT_RESTART, TOY_AT(server, user), .least = 1, .most = 32},
    {.name = "host",
     .type = OPT_STRING,
     TOY_AT(server, host),
     .sample = "\"ns1\\\\x\"",
     .help = ".Starts like a request, and has a \\ and a-b."},
    {.name = "policy", .type = OPT_ENUM, TOY_AT(server, policy), .names = toy_policies, .text_default = "\"weighted\""},
    {.name = "answers",
     .type = OPT_CUSTOM,
     TOY_AT(server, answers),
     .parse = toy_answers_parse,
     .parse_size = 1,
     .text_default = "\"all\""},
};
static const struct opt_table toy_server_table = {.path = "server",
                                                  .size = sizeof(struct toy_server),
                                                  .where_offset = SIZE_MAX,
                                                  .help = "The server.",
                                                  TOY_OPTS(toy_server_opts)};

static const struct opt toy_more_opts[] = {
    {.name = "tags",
     .type = OPT_STRING,
     .flags = OPT_LIST | OPT_RESTART,
     TOY_AT(more, tags),
     .text_default = "[ \"a\", \"b\" ]"},
    {.name = "most", .type = OPT_INT, TOY_AT(more, most), .text_default = "4294967297"},
};
static const struct opt_table toy_more_table = {.path = "server",
                                                .size = sizeof(struct toy_more),
                                                .where_offset = SIZE_MAX,
                                                TOY_OPTS(toy_more_opts)};

static const struct opt toy_zone_opts[] = {
    {.name = "name",
     .type = OPT_STRING,
     .flags = OPT_REQUIRED,
     TOY_AT(zone, name),
     .least = 1,
     .most = 255,
     .sample = "\"example.com\""},
    {.name = "file", .type = OPT_STRING, .flags = OPT_INHERITED, TOY_AT(zone, file), .text_default = "\"x\""},
};
static const struct opt_table toy_zone_table = {.path = "zones",
                                                .size = sizeof(struct toy_zone),
                                                .list = true,
                                                .where_offset = offsetof(struct toy_zone, where),
                                                .help = "Zones.",
                                                TOY_OPTS(toy_zone_opts)};

static const struct opt toy_member_opts[] = {
    {.name = "address", .type = OPT_ADDR, .flags = OPT_REQUIRED, TOY_AT(member, address), .sample = "\"192.0.2.1\""},
    {.name = "weight", .type = OPT_INT, TOY_AT(member, weight), .most = 65535, .text_default = "1"},
};
static const struct opt_table toy_member_table = {.path = "members",
                                                  .size = sizeof(struct toy_member),
                                                  .where_offset = SIZE_MAX,
                                                  TOY_OPTS(toy_member_opts)};

static const struct opt toy_rule_opts[] = {
    {.name = "name", .type = OPT_STRING, .flags = OPT_REQUIRED, TOY_AT(rule, name), .sample = "\"www\""},
    {.name = "probe", .type = OPT_STRING, .flags = OPT_LIST, TOY_AT(rule, probes)},
    {.name = "ttl", .type = OPT_DURATION, TOY_AT(rule, ttl_ms), .least = 1000, .most = 86400000, .text_default = "20"},
    {.name = "members", .type = OPT_GROUP, .flags = OPT_LIST, TOY_AT(rule, members), .sub = &toy_member_table},
};
static const struct opt_table toy_rule_table = {.path = "balance",
                                                .size = sizeof(struct toy_rule),
                                                .where_offset = offsetof(struct toy_rule, where),
                                                TOY_OPTS(toy_rule_opts)};

static const struct opt toy_limits_opts[] = {
    {.name = "low", .type = OPT_INT, TOY_AT(limits, low), .least = 0, .most = 100, .text_default = "10"},
    {.name = "high", .type = OPT_INT, TOY_AT(limits, high), .least = 0, .most = 100, .text_default = "90"},
};
static void toy_limits_check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct toy_limits *limits = filled;
    if (limits->low > limits->high)
        say(arg, "low", "above \"high\"");
}
static const struct opt_table toy_limits_table = {.path = "limits",
                                                  .size = sizeof(struct toy_limits),
                                                  .where_offset = SIZE_MAX,
                                                  TOY_OPTS(toy_limits_opts),
                                                  .check = toy_limits_check};

static const struct opt toy_balance_opts[] = {
    {.name = "balance",
     .type = OPT_GROUP,
     .flags = OPT_LIST,
     TOY_AT(balance, rules),
     .sub = &toy_rule_table,
     .help = "Rules."},
    {.name = "limits", .type = OPT_GROUP, TOY_AT(balance, limits), .sub = &toy_limits_table},
};
static const struct opt_table toy_balance_table = {.path = "zones",
                                                   .size = sizeof(struct toy_balance),
                                                   .list = true,
                                                   .where_offset = SIZE_MAX,
                                                   TOY_OPTS(toy_balance_opts)};

static const struct opt_table *const toy_tables[] = {&toy_server_table, &toy_zone_table, &toy_more_table,
                                                     &toy_balance_table};
enum { TOY_TABLE_CNT = sizeof toy_tables / sizeof *toy_tables };
