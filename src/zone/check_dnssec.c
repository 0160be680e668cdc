#include <string.h>

#include "dns/name.h"
#include "zone/check.h"

/* Algorithms and digests that are not to be used any more (RFC 8624 3.1, 3.3). */
static const char *old_algorithm(unsigned algorithm)
{
    return algorithm == 5 ? "RSASHA1" : algorithm == 7 ? "NSEC3RSASHA1" : NULL;
}

static const char *old_digest(unsigned digest)
{
    return digest == 1 ? "SHA-1" : digest == 3 ? "GOST" : NULL;
}

static void warn_old(struct zone_check *check, const struct zone_record *rec, const char *what, const char *name)
{
    char owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    zone_check_warning(check, rec, "\"%s\" %s: deprecated %s %s", name_to_text(owner, rec->rr.owner),
                       rr_type_to_text(type, rec->rr.type), what, name);
}

/* Rdata here is of any length when it did not come from text. */
static unsigned byte_at(const struct rr *rr, unsigned at)
{
    return at < rr->rdata_len ? rr->rdata[at] : 0;
}

static void check_keys(struct zone_check *check, const struct zone_owner *owner, uint16_t type)
{
    size_t cnt;
    const struct zone_record *recs = zone_owner_rrset(owner, type, &cnt);
    for (size_t i = 0; i < cnt; i++)
        if (old_algorithm(byte_at(&recs[i].rr, 3)))
            warn_old(check, &recs[i], "algorithm", old_algorithm(byte_at(&recs[i].rr, 3)));
}

static void check_ds(struct zone_check *check, const struct zone_record *rec)
{
    const char *digest = old_digest(byte_at(&rec->rr, 3)), *algorithm = old_algorithm(byte_at(&rec->rr, 2));
    if (digest)
        warn_old(check, rec, "digest", digest);
    if (algorithm)
        warn_old(check, rec, "algorithm", algorithm);
}

/* A resolver knows one hash, SHA-1 (1); a chain of another only is none. */
static void check_nsec3param(struct zone_check *check, const struct zone_owner *owner)
{
    size_t cnt;
    const struct zone_record *recs = zone_owner_rrset(owner, RR_NSEC3PARAM, &cnt);

    for (size_t i = 0; i < cnt; i++)
        if (byte_at(&recs[i].rr, 0) == 1)
            return;
    if (cnt)
        zone_check_error(check, recs, "NSEC3PARAM: no supported hash algorithm");
}

/* Which algorithms the owner has keys of: [algorithm]. */
static void find_algorithms(bool has_key[256], const struct zone_owner *owner)
{
    size_t cnt;
    const struct zone_record *keys = zone_owner_rrset(owner, RR_DNSKEY, &cnt);
    memset(has_key, 0, 256);
    for (size_t i = 0; i < cnt; i++)
        has_key[byte_at(&keys[i].rr, 3)] = true;
}

/* What CDS or CDNSKEY asks the parent for must have a DNSKEY of its algorithm, and the request to delete stands alone
 * (RFC 7344 4.1, RFC 8078 4). */
static void check_child_keys(struct zone_check *check, const struct zone_owner *owner, uint16_t type)
{
    static const uint8_t delete_cds[5] = {0, 0, 0, 0, 0}, delete_cdnskey[5] = {0, 0, 3, 0, 0};
    const uint8_t *delete = type == RR_CDS ? delete_cds : delete_cdnskey;
    char text[RR_TYPE_TEXT_MAX];
    bool deletes = false, keeps = false, has_key[256];
    size_t cnt;
    const struct zone_record *recs = zone_owner_rrset(owner, type, &cnt);

    if (!recs)
        return;
    find_algorithms(has_key, owner);
    rr_type_to_text(text, type);
    for (size_t i = 0; i < cnt; i++) {
        const struct rr *rr = &recs[i].rr;
        if (rr->rdata_len == 5 && !memcmp(rr->rdata, delete, 5)) {
            deletes = true;
            continue;
        }
        keeps = true;
        if (!has_key[byte_at(rr, type == RR_CDS ? 2 : 3)])
            zone_check_error(check, &recs[i], "%s: the zone has no DNSKEY of that algorithm", text);
    }
    if (deletes && keeps)
        zone_check_error(check, recs, "%s: the request to delete must be the only one", text);
}

void zone_check_dnssec(struct zone_check *check, const struct zone_owner *owner)
{
    size_t cnt;

    if (owner->recs[owner->cnt - 1].rr.type < RR_KEY)
        return;
    check_keys(check, owner, RR_KEY);
    check_keys(check, owner, RR_DNSKEY);
    const struct zone_record *recs = zone_owner_rrset(owner, RR_DS, &cnt);
    for (size_t i = 0; i < cnt; i++)
        check_ds(check, &recs[i]);
    if (!name_equal(owner->recs->rr.owner, check->records->apex))
        return;
    check_nsec3param(check, owner);
    check_child_keys(check, owner, RR_CDS);
    check_child_keys(check, owner, RR_CDNSKEY);
}
