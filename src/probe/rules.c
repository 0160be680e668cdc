#include "probe/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prefix.h"

/* ---- the options ---- */

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, probe_health_options, field)

static const struct opt opts[] = {
    {KEY("checks_max", OPT_INT, 0, checks_max), .least = 0, .most = 1000000, .text_default = "0", .unit = "checks",
     .help = "Checks under way at a time; those that are due beyond wait for their turn, those of members that are "
             "down and hang behind others, one to seven. 0: as many as may be, which is a quarter of the files that "
             "the process may open, and at most 16384; no other value exceeds that."},
    {KEY("target_rate", OPT_INT, 0, target_rate), .least = 1, .most = 1000, .text_default = "10",
     .unit = "checks a second",
     .help = "New checks of one target: an address and port checked by one probe for one name. Where an interval or "
             "fast_interval asks for more, starts are so far apart all the same, and the bound that rondod -t prints "
             "is reckoned with it."},
    {KEY("probe_allow", OPT_CUSTOM, OPT_LIST, probe_allow), .parse = prefix_opt_parse,
     .parse_size = sizeof(struct prefix),
     .help = "Networks that may be probed whatever probe_deny says, and although a member there may come from somebody "
             "else's word: one whose address was found by its host's name, or came by an update or a transfer, is "
             "otherwise not probed on loopback, link-local and unspecified addresses. Who may not be probed counts as "
             "down."},
    {KEY("probe_deny", OPT_CUSTOM, OPT_LIST, probe_deny), .parse = prefix_opt_parse,
     .parse_size = sizeof(struct prefix),
     .help = "Networks to which no check is ever sent. A member there that has a probe counts as down, as nobody knows "
             "whether it lives; a warning says so."},
};

const struct opt_table probe_health_opt_table = {
    .path = "health",
    .size = sizeof(struct probe_health_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
};

uint32_t probe_start_gap_ms(const struct probe_health_options *options)
{
    int64_t rate = options->target_rate > 0 ? options->target_rate : 1;
    return (uint32_t)((1000 + rate - 1) / rate);
}

/* ---- who may be probed ---- */

struct probe_rules {
    struct prefix_table *allow, *deny, *local;
};

/* RFC 6890; "this network" and the unspecified address connect to this machine. */
static const char *const local_networks[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/127", "fe80::/10"};
enum { LOCAL_CNT = sizeof local_networks / sizeof *local_networks };

struct probe_rules *probe_rules_new(const struct probe_health_options *options)
{
    struct probe_rules *rules = mem_zalloc(1, sizeof *rules);
    struct prefix local[LOCAL_CNT];
    for (unsigned i = 0; i < LOCAL_CNT; i++)
        if (prefix_from_text(&local[i], local_networks[i]))
            abort();
    rules->local = prefix_table_new(local, LOCAL_CNT);
    rules->allow = prefix_table_new(options->probe_allow.items, options->probe_allow.cnt);
    rules->deny = prefix_table_new(options->probe_deny.items, options->probe_deny.cnt);
    return rules;
}

void probe_rules_free(struct probe_rules *rules)
{
    if (!rules)
        return;
    prefix_table_free(rules->allow);
    prefix_table_free(rules->deny);
    prefix_table_free(rules->local);
    free(rules);
}

static enum probe_permission judge(const struct probe_rules *rules, const struct addr *address,
                                   enum probe_origin origin)
{
    if (prefix_table_has(rules->allow, address))
        return PROBE_MAY;
    if (prefix_table_has(rules->deny, address))
        return PROBE_MAY_NOT_DENIED;
    return origin == PROBE_ORIGIN_FOREIGN && prefix_table_has(rules->local, address) ? PROBE_MAY_NOT_LOCAL : PROBE_MAY;
}

static bool unwrap(struct addr *inner, const struct addr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *inner = (struct addr){.family = ADDR_V4};
    memcpy(inner->bytes, address->bytes + sizeof mapped, 4);
    return address->family == ADDR_V6 && !memcmp(address->bytes, mapped, sizeof mapped);
}

enum probe_permission probe_may(const struct probe_rules *rules, const struct addr *address, enum probe_origin origin)
{
    struct addr inner;
    enum probe_permission permission = judge(rules, address, origin);
    return permission == PROBE_MAY && unwrap(&inner, address) ? judge(rules, &inner, origin) : permission;
}

const char *probe_permission_text(enum probe_permission permission)
{
    switch (permission) {
    case PROBE_MAY_NOT_DENIED:
        return "not checked: not allowed by probe_deny";
    case PROBE_MAY_NOT_LOCAL:
        return "not checked: a local address by somebody else's word, see probe_allow";
    case PROBE_MAY:
        break;
    }
    return "";
}
