/* Keys of a zone's own row that do nothing, for the zone's role: better said when the configuration is read than
 * wondered about later. What a zone has of its template is nobody's mistake: others have it too. [any thread] */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "store/store.h"
#include "sync/options.h"

/* Warnings to `diag`. `row` and `own` are the zone's row, `resolved` what holds for the zone. */
void plan_useless_warn(struct diag *diag, const struct store_zone_options *row, const struct sync_zone_options *own,
                       const struct sync_zone_options *resolved) ATTR_NONNULL_ALL;
