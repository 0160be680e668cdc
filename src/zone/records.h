/* A whole zone as records, between its text (or a transfer) and a version: collected in the order they come, sorted,
 * checked as named-checkzone checks, then built or compared with what is served. One thread at a time (a job). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/rr.h"

struct zone_record {
    struct rr rr; /* owner and rdata in the arena; owner lower-cased */
    uint64_t owner_hash;
    uint32_t line;
    uint32_t seq; /* in the order of adding, which over all files is the order of reading */
};

/* Records that were added one after the other from one file; the run ends where the next begins. */
struct zone_records_run {
    const char *file;
    uint32_t seq; /* of its first record */
};

struct zone_records {
    struct arena arena;
    const uint8_t *apex; /* lower-cased, in the arena */
    const struct hash_key *key;
    struct zone_record *recs;
    size_t cnt, cap;
    struct zone_records_run *runs;
    size_t run_cnt;
    bool sorted;
    /* private to records.c */
    uint32_t added_cnt;
    size_t run_cap;
    const uint8_t *last_owner;
    uint64_t last_hash;
    unsigned last_owner_len;
    uint32_t *starts; /* where hashes with the same top bits begin in the sorted records, for zone_records_find */
    unsigned starts_shift;
    size_t starts_cnt; /* records when `starts` was made; made anew when it is not `cnt` */
    uint32_t *targets; /* by record, for zone_records_find_target; made with `starts` */
};

void zone_records_free(struct zone_records *records);
/* `key` is borrowed and outlives the records. */
struct zone_records *zone_records_new(const uint8_t *apex, const struct hash_key *key)
    ATTR_FREED_BY(zone_records_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Copies `rr`. `file` (borrowed until free; may be NULL) and `line` say where it stood. */
void zone_records_add(struct zone_records *records, const struct rr *rr, const char *file, unsigned line)
    ATTR_NONNULL(1, 2);
/* The file that `record`, one of them, stood in. */
const char *zone_records_file(const struct zone_records *records, const struct zone_record *record) ATTR_NONNULL_ALL;
/* What they take of memory so far. */
size_t zone_records_bytes(const struct zone_records *records) ATTR_NONNULL_ALL;
/* Sorts by owner hash, owner, type, canonical rdata (RFC 4034 6.3: names in rdata of the RFC's list compared
 * lower-cased), then order of adding; drops exact duplicates silently, whatever their TTL; the first one added stays
 * (RFC 2181 5). Afterwards all records of one owner share one owner pointer. Cheap on what is sorted already; records
 * may then be taken out, order kept, with `cnt` lowered. */
void zone_records_sort(struct zone_records *records) ATTR_NONNULL_ALL;
/* Their order: as zone_records_sort has it, but for the order of adding; 0: duplicates. <0, 0, >0. */
int zone_record_cmp(const struct zone_record *a, const struct zone_record *b) ATTR_NONNULL_ALL ATTR_PURE;
/* The first record of `owner` (any case) in the sorted records; *cnt how many it has. NULL: none. */
const struct zone_record *zone_records_find(const struct zone_records *records, const uint8_t *owner, size_t *cnt)
    ATTR_NONNULL_ALL;
/* The same for what the NS record `rec` (one of the sorted records) points to; remembered, so that the check and the
 * build look it up once. */
const struct zone_record *zone_records_find_target(const struct zone_records *records, const struct zone_record *rec,
                                                   size_t *cnt) ATTR_NONNULL_ALL;
/* Looks ahead for whoever goes through the sorted records and then looks up what their NS (and with `services` MX and
 * SRV) records point to: fetches what those look-ups will read, for some records from `from` on; returns the first that
 * it left out. The misses overlap then: a zone of a million delegations is too large for any cache, and its glue lies
 * anywhere in it. */
size_t zone_records_look_ahead(const struct zone_records *records, size_t from,
                               bool services) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* zone/check.c. What named-checkzone 9.18 says of a zone, with its severities, into `diag`: out-of-zone data (ignored,
 * a warning; removed here), CNAME and other data, SOA count, missing NS, DNAME rules, differing TTLs in an rrset (a
 * warning; all take the first's, RFC 2181 5.2), missing glue, NS or MX at a CNAME, rrsets too large for a message …
 * Sorts first. ERR_INVALID when there was an error: the zone must not be built. */
enum err zone_records_check(struct zone_records *records, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
