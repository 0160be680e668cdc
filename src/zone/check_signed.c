/* A signed zone's signatures and parameters, before there is a version: what makes resolvers take it for bogus or
 * insecure is only a warning, because the zone is served all the same, as by BIND. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "dns/name.h"
#include "dns/nsec3.h"
#include "zone/check.h"
#include "zone/signed.h"

/* ---- times */

enum { TIME_MAX = 32, RRSIG_TIMES_AT = 8, RRSIG_FIXED_LEN = 18 };

/* RFC 4034 3.1.5: both times are serial numbers (RFC 1982). */
enum validity { VALID, EXPIRED, NOT_YET };

static enum validity validity_of(const struct rr *rrsig, uint32_t now)
{
    if (rrsig->rdata_len < RRSIG_FIXED_LEN)
        return VALID;
    uint32_t expiration = be32_get(rrsig->rdata + RRSIG_TIMES_AT);
    uint32_t inception = be32_get(rrsig->rdata + RRSIG_TIMES_AT + 4);
    return (int32_t)(expiration - now) < 0 ? EXPIRED : (int32_t)(now - inception) < 0 ? NOT_YET : VALID;
}

static char *time_text(char out[TIME_MAX], uint32_t serial, uint64_t now)
{
    time_t at = (time_t)now + (int32_t)(serial - (uint32_t)now);
    struct tm tm;
    strftime(out, TIME_MAX, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &tm));
    return out;
}

static uint16_t covered_by(const struct zone_record *rrsig)
{
    return rrsig->rr.rdata_len >= 2 ? be16_get(rrsig->rr.rdata) : 0;
}

static bool is_apex(const struct zone_check *check, const struct zone_record *rec)
{
    return rec->owner_hash == check->apex_hash && name_equal(rec->rr.owner, check->records->apex);
}

/* Rrsets that are told of in one warning. */
struct summary {
    const struct zone_record *first; /* as the text is read */
    uint16_t first_type;
    size_t cnt;
};

static void summary_add(struct summary *s, const struct zone_record *rec, uint16_t type)
{
    if (!s->first || rec->seq < s->first->seq) {
        s->first = rec;
        s->first_type = type;
    }
    s->cnt++;
}

static void summary_tell(const struct summary *s, struct zone_check *check, const char *which)
{
    char owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    if (s->cnt)
        zone_check_warning(check, s->first, "%zu rrset%s no signature%s: %s\"%s\" %s", s->cnt,
                           s->cnt == 1 ? " has" : "s have", which, s->cnt == 1 ? "" : "the first is ",
                           name_to_text(owner, s->first->rr.owner), rr_type_to_text(type, s->first_type));
}

struct times {
    struct zone_check *check;
    uint64_t now;
    struct summary invalid;
};

/* The `cnt` signatures of one rrset: one that is valid is enough. */
static void check_times(struct times *t, const struct zone_record *recs, size_t cnt)
{
    const struct zone_record *latest = recs;
    for (size_t i = 0; i < cnt; i++) {
        if (validity_of(&recs[i].rr, (uint32_t)t->now) == VALID)
            return;
        if ((int32_t)(be32_get(recs[i].rr.rdata + RRSIG_TIMES_AT) - be32_get(latest->rr.rdata + RRSIG_TIMES_AT)) > 0)
            latest = &recs[i];
    }
    uint16_t covered = covered_by(recs);
    char when[TIME_MAX];
    if (is_apex(t->check, recs) && (covered == RR_SOA || covered == RR_DNSKEY)) {
        bool expired = validity_of(&latest->rr, (uint32_t)t->now) == EXPIRED;
        uint32_t time = be32_get(latest->rr.rdata + RRSIG_TIMES_AT + (expired ? 0 : 4));
        zone_check_warning(t->check, latest, "the signature of the zone's %s %s %s: validating resolvers fail",
                           covered == RR_SOA ? "SOA" : "DNSKEY", expired ? "expired on" : "is not valid before",
                           time_text(when, time, t->now));
        return;
    }
    summary_add(&t->invalid, recs, covered);
}

static void check_owner_times(struct times *t, const struct zone_record *recs, size_t cnt)
{
    for (size_t i = 0, end; i < cnt; i = end) {
        for (end = i + 1; end < cnt && covered_by(&recs[end]) == covered_by(&recs[i]); end++)
            continue;
        check_times(t, &recs[i], end - i);
    }
}

/* ---- what has none */

/* RFC 4035 2.2: at a cut DS and NSEC have signatures, everywhere else all but the signatures. */
static bool wants_signature(uint16_t type, bool is_cut)
{
    return is_cut ? type == RR_DS || type == RR_NSEC : type != RR_RRSIG;
}

static void add_missing(struct summary *missing, struct zone_check *check, const struct zone_record *rec)
{
    uint16_t type = rec->rr.type;
    if (is_apex(check, rec) && (type == RR_SOA || type == RR_DNSKEY))
        zone_check_warning(check, rec, "the zone's %s has no signature: validating resolvers fail",
                           type == RR_SOA ? "SOA" : "DNSKEY");
    else
        summary_add(missing, rec, type);
}

/* Both the rrsets and the types that the signatures cover ascend. What is above the owner is looked at only when
 * something has no signature: glue, for the most part. */
static void check_missing(struct summary *missing, struct zone_check *check, const struct zone_owner *owner,
                          const struct zone_record *sigs, size_t sig_cnt)
{
    bool is_cut = !is_apex(check, owner->recs) && zone_owner_has(owner, RR_NS), is_ours = false;
    for (size_t i = 0, s = 0, end; i < owner->cnt; i = end) {
        uint16_t type = owner->recs[i].rr.type;
        for (end = i + 1; end < owner->cnt && owner->recs[end].rr.type == type; end++)
            continue;
        while (s < sig_cnt && covered_by(&sigs[s]) < type)
            s++;
        if (!wants_signature(type, is_cut) || (s < sig_cnt && covered_by(&sigs[s]) == type))
            continue;
        if (!is_ours && zone_check_is_covered(check, owner->recs->rr.owner))
            return;
        is_ours = true;
        add_missing(missing, check, &owner->recs[i]);
    }
}

static void check_signatures(struct zone_check *check)
{
    const struct zone_records *r = check->records;
    struct times t = {.check = check, .now = clock_wall_ms() / 1000};
    struct summary missing = {.cnt = 0};
    for (size_t i = 0, end; i < r->cnt; i = end) {
        for (end = i + 1; end < r->cnt && r->recs[end].rr.owner == r->recs[i].rr.owner; end++)
            continue;
        struct zone_owner owner = {r->recs + i, end - i};
        size_t cnt;
        const struct zone_record *recs = zone_owner_rrset(&owner, RR_RRSIG, &cnt);
        if (recs)
            check_owner_times(&t, recs, cnt);
        check_missing(&missing, check, &owner, recs, cnt);
    }
    summary_tell(&t.invalid, check, " that is valid now");
    summary_tell(&missing, check, "");
}

/* ---- chains */

enum { ITERATIONS_GOOD = 50 }; /* RFC 9276 asks for 0; where BIND 9.20 and Knot Resolver begin to find zones insecure */

/* The chain has an NSEC3 record at the hash of the apex. */
static bool has_apex_record(const struct zone_records *r, const struct nsec3_params *params,
                            struct nsec3_hasher *hasher)
{
    uint8_t hash[NSEC3_HASH_LEN], name[NAME_MAX_LEN], flags;
    unsigned len = name_len(r->apex);
    size_t cnt;
    nsec3_hash(hash, hasher, r->apex, len, params);
    if (!nsec3_owner(name, hash, r->apex, len))
        return false;
    const struct zone_record *recs = zone_records_find(r, name, &cnt);
    for (size_t i = 0; recs && i < cnt; i++) {
        struct nsec3_params own;
        if (recs[i].rr.type == RR_NSEC3 && nsec3_params_read(&own, &flags, recs[i].rr.rdata, recs[i].rr.rdata_len) &&
            nsec3_params_equal(&own, params))
            return true;
    }
    return false;
}

/* True when the chain that it speaks of is there, or is too long to be looked for. */
static bool check_nsec3param(struct zone_check *check, const struct zone_record *rec, struct nsec3_hasher *hasher)
{
    struct nsec3_params params;
    uint8_t flags;
    if (!nsec3_params_read(&params, &flags, rec->rr.rdata, rec->rr.rdata_len) || flags ||
        params.algorithm != NSEC3_SHA1)
        return false;
    if (params.iterations > ZONE_NSEC3_ITERATIONS_MAX || !hasher) {
        zone_check_warning(check, rec, "NSEC3PARAM: %s: the chain is not used, negative answers prove nothing",
                           hasher ? "more than 500 iterations" : "libcrypto refuses SHA-1");
        return true;
    }
    if (params.iterations > ITERATIONS_GOOD)
        zone_check_warning(check, rec, "NSEC3PARAM: %u iterations: resolvers take the zone for insecure or fail, and "
                           "each negative answer costs %u hashes; RFC 9276 asks for 0", params.iterations,
                           3 * (params.iterations + 1u));
    if (has_apex_record(check->records, &params, hasher))
        return true;
    zone_check_warning(check, rec, "NSEC3PARAM: its chain is not used: it has no NSEC3 record for the top of the zone");
    return false;
}

static bool check_nsec3params(struct zone_check *check, const struct zone_owner *apex)
{
    size_t cnt;
    const struct zone_record *recs = zone_owner_rrset(apex, RR_NSEC3PARAM, &cnt);
    bool has_chain = false;
    if (!recs)
        return false;
    struct nsec3_hasher *hasher = nsec3_hasher_new();
    for (size_t i = 0; i < cnt; i++)
        has_chain |= check_nsec3param(check, &recs[i], hasher);
    nsec3_hasher_free(hasher);
    return has_chain;
}

/* Of DNSKEY, RRSIG and a chain, which make a zone a signed one, it has two or three: one alone is nobody's wish to have
 * it signed. */
void zone_check_signed(struct zone_check *check)
{
    const struct zone_records *r = check->records;
    size_t cnt;
    const struct zone_record *recs = zone_records_find(r, r->apex, &cnt);
    struct zone_owner apex = {recs ? r->recs + (recs - r->recs) : NULL, recs ? cnt : 0};
    const struct zone_record *key = zone_owner_rrset(&apex, RR_DNSKEY, &cnt);
    const struct zone_record *sig = zone_owner_rrset(&apex, RR_RRSIG, &cnt);
    bool has_nsec = zone_owner_has(&apex, RR_NSEC);
    if ((!key && !sig) || ((!key || !sig) && !has_nsec && !zone_owner_has(&apex, RR_NSEC3PARAM)))
        return;
    bool has_chain = check_nsec3params(check, &apex) || has_nsec;
    const char *has = !key         ? "RRSIG records, but no DNSKEY"
                      : !sig       ? "DNSKEY records, but no RRSIG at its top"
                      : !has_chain ? "DNSKEY and RRSIG records, but neither NSEC at its top nor an NSEC3 chain"
                                   : NULL;
    if (has)
        zone_check_warning(check, key ? key : sig, "the zone has %s: it is served as an unsigned zone", has);
    if (key && sig)
        check_signatures(check);
}
