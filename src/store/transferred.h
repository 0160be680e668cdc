/* Changes of a zone as a transfer brings them (RFC 5936, RFC 1995): all its records, or steps from the version that it
 * has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/change.h"
#include "zone/changeset.h"
#include "zone/records.h"

/* Embedded; zero-initialise, fill, then store_change(store, apex, &transferred->change). */
struct store_transferred {
    struct store_change change; /* its `done` is the caller's */
    /* Either of these; owned, and gone when the change has been made. */
    struct zone_records *records;  /* sorted and sound (zone/sound.h) */
    struct changeset **changes;    /* each side sorted; the first leads on from what is served */
    size_t change_cnt;
    bool is_forced; /* `records` are taken be their serial what it may; else it must be above that of what there is */
};
/* Sets the change's `make`. */
void store_transferred_init(struct store_transferred *transferred) ATTR_NONNULL_ALL;
/* Frees what was not made use of. */
void store_transferred_fini(struct store_transferred *transferred) ATTR_NONNULL_ALL;
