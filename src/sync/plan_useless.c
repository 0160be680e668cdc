#include "sync/plan_useless.h"

static void warn(struct diag *diag, const struct store_zone_options *row, const char *key, const char *why)
{
    diag_warning(diag, row->where.file, row->where.line, "zone \"%s\": \"%s\" does nothing: %s", row->name, key, why);
}

static bool has_family(const struct opt_list *peers, uint8_t family)
{
    const struct acl_peer *peer = peers->items;
    for (size_t i = 0; i < peers->cnt; i++)
        if (peer[i].addr.family == family)
            return true;
    return false;
}

static void warn_of_secondary(struct diag *diag, const struct store_zone_options *row,
                              const struct sync_zone_options *own, const struct sync_zone_options *resolved)
{
    const struct addr *sources = own->transfer_source.items;
    if (own->allow_update.cnt)
        warn(diag, row, "allow_update", "a zone with \"primaries\" is changed there, not here");
    if (row->serial)
        warn(diag, row, "serial", "a zone with \"primaries\" has the serial that they have");
    for (size_t i = 0; i < own->transfer_source.cnt; i++)
        if (!has_family(&resolved->primaries, sources[i].family))
            warn(diag, row, "transfer_source", sources[i].family == ADDR_V4 ? "no primary has an IPv4 address"
                                                                            : "no primary has an IPv6 address");
}

static void warn_of_primary(struct diag *diag, const struct store_zone_options *row,
                            const struct sync_zone_options *own)
{
    const struct {
        const char *key;
        bool is_set;
    } keys[] = {
        {"transfer_source", own->transfer_source.cnt > 0}, {"allow_notify", own->allow_notify.cnt > 0},
        {"refresh_min", own->refresh_min_ms > 0},          {"refresh_max", own->refresh_max_ms > 0},
        {"retry_min", own->retry_min_ms > 0},              {"retry_max", own->retry_max_ms > 0},
        {"expire_max", own->expire_max_ms > 0},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].is_set)
            warn(diag, row, keys[i].key, "the zone has no \"primaries\"");
}

void plan_useless_warn(struct diag *diag, const struct store_zone_options *row, const struct sync_zone_options *own,
                       const struct sync_zone_options *resolved)
{
    if (resolved->primaries.cnt)
        warn_of_secondary(diag, row, own, resolved);
    else
        warn_of_primary(diag, row, own);
}
