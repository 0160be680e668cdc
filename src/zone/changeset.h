/* A change of a zone: records that go and records that come, between two serials. The only form in which a zone changes
 * (file reload, later update, transfer, health), what the journal keeps and what IXFR sends (RFC 1995). The SOA of each
 * side is among the records. One thread at a time. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "zone/records.h"

struct zone_version;

struct changeset {
    uint32_t serial_from, serial_to;
    struct zone_records *removed; /* sorted, owned */
    struct zone_records *added;   /* sorted, owned */
};

void changeset_free(struct changeset *changes);
/* What leads from `version` to `records` (sorted, checked). A TTL that changes removes and adds its rrset (of RRSIGs
 * those that cover one type). An empty one (both sides 0 records) means that nothing changed. [job] */
struct changeset *changeset_diff(const struct zone_version *version, const struct zone_records *records)
    ATTR_FREED_BY(changeset_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
