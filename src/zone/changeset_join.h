/* Several changesets as one: what is sent to a secondary that lags by more than one version (RFC 1995 5, condensation),
 * and what a zone's changes since a moment come to. Any thread, one at a time for one changeset. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "zone/changeset.h"

/* Whether the changesets (as below, but from another server: RFC 1995) lead from `base` to a version one by one as well
 * as joined, what zone_apply says of the joined one aside. They do not when serials do not follow, or when a record
 * goes that is not there, or comes that is, of which the joined one says nothing. [job] */
bool changeset_joins(const struct zone_version *base, const struct changeset *const *changes, size_t cnt)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* `cnt` ≥ 1 changesets of one zone, each of which leads on from the serial that the one before it leads to, as the one
 * that leads from the first one's serial to the last one's. A record that comes and goes again is not in it, nor is one
 * that goes and comes again just as it was; so of all SOAs only that of each end is left. Where changesets say of each
 * record whose TTL changes that it goes and comes (as changeset_diff does), so does the joined one, and it makes the
 * same version. They stay the caller's. Takes time n log n. [job] */
struct changeset *changeset_join(const struct changeset *const *changes, size_t cnt)
    ATTR_FREED_BY(changeset_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The bytes that its records take in a transfer, roughly: owners compressed, rdata as it is, messages' heads left out.
 * For comparing with one another. */
size_t changeset_wire_bytes(const struct changeset *changes) ATTR_NONNULL_ALL ATTR_MUST_USE;
