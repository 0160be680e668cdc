/* What a zone's row of the configuration says about moving the zone to and from other servers. The same keys stand in
 * templates; what neither has takes the table's default. Filled by conf; any thread. */
#pragma once

#include <stdint.h>

#include "base/acl.h"
#include "base/attr.h"
#include "base/opt.h"

/* "Neither" is what a zone has that leaves the key to its template. */
enum sync_choice { SYNC_UNSAID, SYNC_NO, SYNC_YES };

/* One row of `zones` or `templates`. A number 0, a choice that is unsaid and a list without items: not in this row. */
struct sync_zone_options {
    struct opt_list primaries, notify;             /* of struct acl_peer */
    struct opt_list allow_transfer, allow_notify, allow_update;  /* of struct acl_entry */
    struct opt_list notify_source, transfer_source; /* of struct addr, at most one a family */
    uint64_t refresh_min_ms, refresh_max_ms, retry_min_ms, retry_max_ms, expire_max_ms;
    uint64_t transfer_max_ms;
    int64_t max_zone_bytes;
    uint8_t notify_ns; /* enum sync_choice */
    struct opt_where where;
};
extern const struct opt_table sync_zone_opt_table;     /* "zones", a list */
extern const struct opt_table sync_template_opt_table; /* "templates", a list */

/* The keys that hold for a zone: its row's, its template's (NULL: it has none), then the defaults. Lists are borrowed
 * from the rows, whose `where` stays that of the zone. */
void sync_options_resolve(struct sync_zone_options *out, const struct sync_zone_options *zone,
                          const struct sync_zone_options *template) ATTR_NONNULL(1, 2);

/* Names of keys as access lists keep them: lower-cased wire form. An acl_key_fn. */
enum err sync_key_from_text(uint8_t key[ACL_KEY_MAX], size_t *len, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
