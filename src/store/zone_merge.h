/* A zone's text that has changed while the zone got updates besides: what changed in the text changes in the zone, and
 * the updates stay (the difference of each from the text as it was is applied record by record, whichever is first).
 * Where both have touched one rrset, a warning shows it; nothing is guessed.
 *
 * The zone gets there in two steps, from what it is to what the text says, and from that on by the updates: so the
 * history says again what of the zone is the text's. Where the updates leave nothing to do, as the text has it all, the
 * first step is all, and the zone has no updates any more that its text lacks. [job] */
#pragma once

#include "base/attr.h"
#include "store/zone_load.h"

/* `base` is what the zone is, with updates; `records` what the text says, which are used up. ZONE_LOAD_BUILT, with
 * load->version and what is to be kept; or ZONE_LOAD_FAILED, with errors. */
enum zone_load_outcome zone_merge(struct zone_load *load, struct zone_version *base, struct zone_records *records)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
