/* What zone_build needs of records that did not come through zone_records_check: those that a file or another server
 * holds. It is less than that check asks for: a zone whose NS point nowhere is sound. No memory owned. One thread at a
 * time for one set of records. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "zone/records.h"

/* True when the rrset of these records (of one owner and type, sorted, at least one) fits in a message of 65,535 bytes
 * (image_most). */
bool zone_rrset_fits(const struct zone_record *recs, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* ERR_INVALID, with *why a static sentence, when zone_build must not be given the records (sorted; their rdata is
 * valid): an owner outside the zone, not exactly one SOA at the apex, an rrset too large for a message. */
enum err zone_records_sound(const struct zone_records *records, const char **why) ATTR_NONNULL_ALL ATTR_MUST_USE;
