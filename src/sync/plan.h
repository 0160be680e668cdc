/* What the configuration says of moving zones, as one immutable thing: a zone's role, whom to tell, whom to ask, who
 * may ask us. Made whole from the rows of zones and templates, or refused with everything that is wrong.
 *
 * A plan owns all that it points to, copies of the keys' secrets included, so that it depends on no other part of the
 * configuration. Once made it is read by any thread; whoever has it sees to it that nobody reads when it is freed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acl.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "dns/tsig_key.h"
#include "sync/options.h"
#include "sync/refresh.h"

enum { SYNC_PEERS_MOST = 64 /* primaries of a zone; and servers that it notifies by `notify` */ };

struct sync_peer {
    struct addr addr;           /* with its port */
    const struct tsig_key *key; /* NULL: nothing is signed */
    enum acl_view view;
};

/* From where we ask or tell: by family; ADDR_NONE: the system chooses. */
struct sync_sources {
    struct addr v4, v6;
};

struct sync_zone {
    const uint8_t *apex; /* wire, lower-cased */
    bool is_secondary;   /* it has primaries */
    bool has_file;       /* the row or its template has `file`; of a secondary: where a dump goes */
    bool notify_ns;
    const struct sync_peer *primaries, *notify;
    size_t primary_cnt, notify_cnt;
    const struct acl *allow_transfer; /* NULL: nobody */
    /* The primaries, each with its key where it has one, entry by entry; then `allow_notify`. NULL: nobody. */
    const struct acl *allow_notify;
    const struct acl *allow_update; /* NULL: nobody; so for a secondary */
    struct sync_sources notify_source, transfer_source;
    struct refresh_bounds bounds;
    uint64_t max_zone_bytes;
    uint64_t transfer_max_ms;
};

struct sync_plan {
    const struct sync_zone *zones; /* canonical order, each name once */
    size_t cnt;
};
void sync_plan_free(struct sync_plan *plan);

/* The groups of the configuration: `zones` and `templates` are the store's rows (struct store_zone_options),
 * zone_options and template_options ours of the same groups (struct sync_zone_options). */
struct sync_plan_rows {
    struct opt_list zones, zone_options;
    struct opt_list templates, template_options;
};
/* Errors (an unknown key, bounds that contradict each other, too many peers) to `diag`; ERR_INVALID then, and NULL.
 * `keys` are those of the configuration, copied where they are used; NULL: they were refused, which was told, so that
 * nothing is said of any key. Rows may be what conf_load left of those with errors; what store_plan_make says of them
 * (no name, a name twice, an unknown template) is not said again, and such rows are left out. */
enum err sync_plan_make(struct sync_plan **plan, const struct sync_plan_rows *rows, const struct tsig_keys *keys,
                        struct diag *diag) ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
/* The zone of that name (lower-cased or not); NULL: none. */
const struct sync_zone *sync_plan_find(const struct sync_plan *plan, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_PURE;
/* Which of the zone's primaries an address (its port is of no account) is, for a NOTIFY that allow_notify lets through;
 * primary_cnt: none. */
size_t sync_zone_primary(const struct sync_zone *zone, const struct addr *addr) ATTR_NONNULL_ALL ATTR_PURE;
