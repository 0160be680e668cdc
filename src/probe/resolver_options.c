#include "probe/resolver.h"

static const struct opt opts[] = {
    {OPT_KEY("resolvers", OPT_ADDR, OPT_LIST, resolver_options, resolvers), .port_default = 53,
     .help = "The resolvers that are asked for the addresses of members given by \"host\": \"ADDRESS[@PORT]\" each. "
             "Without any, those that /etc/resolv.conf names when the configuration is read."},
};

const struct opt_table resolver_opt_table = {
    .path = "health",
    .size = sizeof(struct resolver_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
};
