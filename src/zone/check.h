/* Private to check*.c: a zone being checked. Its rdata is valid, as zone text gives it; whoever brings records from
 * elsewhere sees to that first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "zone/records.h"

enum { CHECK_ERRORS_MAX = 100 };

struct zone_check {
    struct zone_records *records;
    struct diag *diag;
    unsigned error_cnt;
    unsigned apex_depth;
    uint64_t apex_hash;
    bool has_cuts;       /* some owner below the apex has NS */
    bool has_dnames;     /* some owner has DNAME */
    bool has_apex_dname; /* the apex has */
};

/* All records of one owner, sorted by type. */
struct zone_owner {
    struct zone_record *recs;
    size_t cnt;
};

/* Adds to the diagnostics, at the record's place in its file. */
void zone_check_error(struct zone_check *check, const struct zone_record *rec, const char *fmt, ...) ATTR_PRINTF(3, 4)
    ATTR_NONNULL(1, 2, 3);
void zone_check_warning(struct zone_check *check, const struct zone_record *rec, const char *fmt, ...) ATTR_PRINTF(3, 4)
    ATTR_NONNULL(1, 2, 3);
/* The first record of that type; NULL: none. *cnt how many there are. */
const struct zone_record *zone_owner_rrset(const struct zone_owner *owner, uint16_t type, size_t *cnt) ATTR_NONNULL_ALL;
static inline bool zone_owner_has(const struct zone_owner *owner, uint16_t type)
{
    size_t cnt;
    return zone_owner_rrset(owner, type, &cnt);
}

/* check_target.c: what NS, MX and SRV point to, and whether glue is there. An apex NS within the zone without an
 * address is an error (the zone would be lame), everything else a warning. */
void zone_check_targets(struct zone_check *check, const struct zone_owner *owner) ATTR_NONNULL_ALL;
/* The name, within the zone, is below a cut or DNAME: nothing there is the zone's to serve, but for glue. */
bool zone_check_is_covered(const struct zone_check *check, const uint8_t *name) ATTR_NONNULL_ALL;
/* check_dnssec.c: algorithms, NSEC3PARAM, CDS and CDNSKEY. */
void zone_check_dnssec(struct zone_check *check, const struct zone_owner *owner) ATTR_NONNULL_ALL;
/* check_signed.c: which rrsets have no signature, or none that is valid now, and whether there is a chain. For zones
 * without errors. */
void zone_check_signed(struct zone_check *check) ATTR_NONNULL_ALL;
