#include "zone/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/name.h"
#include "zone/rdata.h"
#include "zone/sound.h"

enum { TYPE_SPF = 99, PREFETCH_AHEAD = 12 };

static ATTR_PRINTF(4, 0) void add(struct zone_check *check, enum diag_level level, const struct zone_record *rec,
                                  const char *fmt, va_list args)
{
    const struct zone_records *r = check->records;
    char text[2 * NAME_TEXT_MAX + 128];

    vsnprintf(text, sizeof(text), fmt, args);
    diag_add(check->diag, level, zone_records_file(r, rec), rec->line, "%s", text);
}

void zone_check_error(struct zone_check *check, const struct zone_record *rec, const char *fmt, ...)
{
    va_list args;

    if (check->error_cnt >= CHECK_ERRORS_MAX)
        return;
    va_start(args, fmt);
    add(check, DIAG_ERROR, rec, fmt, args);
    va_end(args);
    if (++check->error_cnt == CHECK_ERRORS_MAX)
        diag_error(check->diag, NULL, 0, "too many errors, giving up");
}

void zone_check_warning(struct zone_check *check, const struct zone_record *rec, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(check, DIAG_WARNING, rec, fmt, args);
    va_end(args);
}

const struct zone_record *zone_owner_rrset(const struct zone_owner *owner, uint16_t type, size_t *cnt)
{
    size_t i = 0, end;
    while (i < owner->cnt && owner->recs[i].rr.type < type)
        i++;
    for (end = i; end < owner->cnt && owner->recs[end].rr.type == type; end++)
        continue;
    *cnt = end - i;
    return end > i ? &owner->recs[i] : NULL;
}

/* By the hash first: most names lie cold in memory. */
static bool is_apex(const struct zone_check *check, const struct zone_owner *owner)
{
    return owner->recs->owner_hash == check->apex_hash && name_equal(owner->recs->rr.owner, check->records->apex);
}

/* Out-of-zone data goes, with a warning for each of the first owners: a whole file of another zone is no flood. */
static void remove_outside(struct zone_check *check)
{
    enum { OWNERS_TOLD = 10 };
    struct zone_records *r = check->records;
    const uint8_t *last = NULL;
    struct zone_record untold; /* the first: what is kept moves over it */
    bool within = false;
    char text[NAME_TEXT_MAX];
    size_t kept = 0, owner_cnt = 0, untold_cnt = 0;

    for (size_t i = 0; i < r->cnt; i++) {
        const struct zone_record *rec = &r->recs[i];
        if (rec->rr.owner != last) {
            last = rec->rr.owner;
            within = name_within(last, r->apex);
            if (!within && owner_cnt++ < OWNERS_TOLD)
                zone_check_warning(check, rec, "\"%s\" is outside of the zone: ignored", name_to_text(text, last));
        }
        if (!within && owner_cnt > OWNERS_TOLD && !untold_cnt++)
            untold = *rec;
        if (within) {
            if (kept != i)
                r->recs[kept] = *rec;
            kept++;
        }
    }
    if (untold_cnt)
        zone_check_warning(check, &untold, "and %zu more record%s outside of the zone", untold_cnt,
                           untold_cnt == 1 ? "" : "s");
    r->cnt = kept;
}

/* What may stand beside a CNAME (RFC 2181 10.1, RFC 4034 2.5; KEY as BIND has it). */
static bool beside_cname(uint16_t type)
{
    return type == RR_CNAME || type == RR_RRSIG || type == RR_NSEC || type == RR_SIG || type == RR_KEY;
}

static void check_cname(struct zone_check *check, const struct zone_owner *owner)
{
    char text[NAME_TEXT_MAX];

    if (!zone_owner_has(owner, RR_CNAME))
        return;
    for (size_t i = 0; i < owner->cnt; i++) {
        if (beside_cname(owner->recs[i].rr.type))
            continue;
        zone_check_error(check, &owner->recs[i], "\"%s\" has CNAME and other data",
                         name_to_text(text, owner->recs->rr.owner));
        return;
    }
}

/* Types of which an owner has one at most (RFC 2181 10.1, RFC 6672 2.4). */
static void check_single(struct zone_check *check, const struct zone_owner *owner, uint16_t type)
{
    char owner_text[NAME_TEXT_MAX], type_text[RR_TYPE_TEXT_MAX];
    size_t cnt;
    const struct zone_record *first = zone_owner_rrset(owner, type, &cnt);

    if (cnt > 1)
        zone_check_error(check, &first[1], "\"%s\" has %zu %s records", name_to_text(owner_text, first->rr.owner), cnt,
                         rr_type_to_text(type_text, type));
}

/* Owners that a type must not have. */
static void check_place(struct zone_check *check, const struct zone_owner *owner)
{
    const uint8_t *name = owner->recs->rr.owner;
    bool apex = is_apex(check, owner), wildcard = name[0] == 1 && name[1] == '*';
    char text[NAME_TEXT_MAX];
    size_t cnt;
    const struct zone_record *rec;

    if (!apex && (rec = zone_owner_rrset(owner, RR_SOA, &cnt)))
        zone_check_error(check, rec, "SOA at \"%s\", not at the top of the zone", name_to_text(text, name));
    if (apex && (rec = zone_owner_rrset(owner, RR_DS, &cnt)))
        zone_check_error(check, rec, "DS at the top of the zone: it belongs into the parent");
    if (wildcard && (rec = zone_owner_rrset(owner, RR_NS, &cnt)))
        zone_check_error(check, rec, "NS at the wildcard \"%s\"", name_to_text(text, name)); /* RFC 4592 4.2 */
    if (wildcard && (rec = zone_owner_rrset(owner, RR_NSEC3, &cnt)))
        zone_check_error(check, rec, "NSEC3 at the wildcard \"%s\"", name_to_text(text, name));
}

static bool same_rrset(const struct rr *a, const struct rr *b)
{
    return a->type == b->type && rdata_same_rrset(a->type, a->rdata, a->rdata_len, b->rdata, b->rdata_len);
}

/* One rrset has one TTL: that of its first record as the text is read, included
 * files in their places (RFC 2181 5.2). */
static void settle_ttl(struct zone_check *check, struct zone_record *recs, size_t cnt)
{
    const struct zone_record *first = recs, *other = NULL;
    char owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];

    for (size_t i = 1; i < cnt; i++)
        if (recs[i].seq < first->seq)
            first = &recs[i];
    uint32_t ttl = first->rr.ttl;
    for (size_t i = 0; i < cnt; i++)
        if (recs[i].rr.ttl != ttl && (!other || recs[i].seq < other->seq))
            other = &recs[i];
    if (!other)
        return;
    zone_check_warning(check, other, "\"%s\" %s has differing TTLs: %u is taken", name_to_text(owner, recs->rr.owner),
                       rr_type_to_text(type, recs->rr.type), ttl);
    for (size_t i = 0; i < cnt; i++)
        recs[i].rr.ttl = ttl;
}

static void check_size(struct zone_check *check, const struct zone_record *recs, size_t cnt)
{
    char owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    if (!zone_rrset_fits(recs, cnt))
        zone_check_error(check, recs, "\"%s\" %s: %zu records do not fit in a message of 65535 bytes",
                         name_to_text(owner, recs->rr.owner), rr_type_to_text(type, recs->rr.type), cnt);
}

static void check_rrsets(struct zone_check *check, const struct zone_owner *owner)
{
    size_t i = 0, type_at = 0;

    while (i < owner->cnt) {
        size_t end = i + 1;
        while (end < owner->cnt && same_rrset(&owner->recs[i].rr, &owner->recs[end].rr))
            end++;
        if (end - i > 1)
            settle_ttl(check, owner->recs + i, end - i);
        /* All RRSIGs of an owner are one image. */
        if (end == owner->cnt || owner->recs[end].rr.type != owner->recs[i].rr.type) {
            check_size(check, owner->recs + type_at, end - type_at);
            type_at = end;
        }
        i = end;
    }
}

static bool is_spf(const struct rr *rr)
{
    static const char version[] = "v=spf1";
    const uint8_t *text = rr->rdata;
    /* The version stands whole in the first string of any sane record. */
    return rr->rdata_len > 6 && text[0] >= 6 && !memcmp(text + 1, version, 6) && (text[0] == 6 || text[7] == ' ');
}

/* SPF as a type of its own is gone (RFC 7208 3.1); verifiers look at TXT. */
static void check_spf(struct zone_check *check, const struct zone_owner *owner)
{
    char text[NAME_TEXT_MAX];
    size_t cnt, txt_cnt;
    const struct zone_record *spf = zone_owner_rrset(owner, TYPE_SPF, &cnt);

    if (!spf)
        return;
    const struct zone_record *txt = zone_owner_rrset(owner, RR_TXT, &txt_cnt);
    for (size_t i = 0; i < txt_cnt; i++)
        if (is_spf(&txt[i].rr))
            return;
    zone_check_warning(check, spf, "\"%s\" has SPF, but no TXT that says the same", name_to_text(text, spf->rr.owner));
}

static void check_owner(struct zone_check *check, const struct zone_owner *owner)
{
    check_rrsets(check, owner);
    /* Most owners have addresses only. */
    if (owner->recs[owner->cnt - 1].rr.type == RR_A)
        return;
    check_cname(check, owner);
    check_single(check, owner, RR_CNAME);
    check_single(check, owner, RR_DNAME);
    check_single(check, owner, RR_SOA);
    check_place(check, owner);
    check_spf(check, owner);
    if (zone_owner_has(owner, RR_DNAME)) {
        check->has_dnames = true;
        check->has_apex_dname |= is_apex(check, owner);
    }
    check->has_cuts |= zone_owner_has(owner, RR_NS) && !is_apex(check, owner);
}

/* Calls `fn` for every owner until there are too many errors. `looks_up`: it looks up what NS, MX and SRV point to. */
static void each_owner(struct zone_check *check, void (*fn)(struct zone_check *check, const struct zone_owner *owner),
                       bool looks_up)
{
    const struct zone_records *r = check->records;
    size_t ahead = 0;
    for (size_t i = 0, end; i < r->cnt && check->error_cnt < CHECK_ERRORS_MAX; i = end) {
        if (looks_up && i >= ahead)
            ahead = zone_records_look_ahead(r, i, true);
        else if (!looks_up && i + PREFETCH_AHEAD < r->cnt && r->recs[i + PREFETCH_AHEAD].rr.type != RR_A)
            __builtin_prefetch(r->recs[i + PREFETCH_AHEAD].rr.owner);
        for (end = i + 1; end < r->cnt && r->recs[end].rr.owner == r->recs[i].rr.owner; end++)
            continue;
        fn(check, &(struct zone_owner){r->recs + i, end - i});
    }
}

/* The second pass needs to know where cuts are. */
static void check_owner_again(struct zone_check *check, const struct zone_owner *owner)
{
    /* The types that anything is to be said of are NS and above. */
    if (owner->recs[owner->cnt - 1].rr.type == RR_A)
        return;
    zone_check_targets(check, owner);
    zone_check_dnssec(check, owner);
}

static void check_apex(struct zone_check *check)
{
    const struct zone_records *r = check->records;
    const char *file = r->run_cnt ? r->runs[0].file : NULL;
    size_t cnt;
    const struct zone_record *recs = zone_records_find(r, r->apex, &cnt);
    struct zone_owner apex = {recs ? r->recs + (recs - r->recs) : NULL, recs ? cnt : 0};

    if (!zone_owner_has(&apex, RR_SOA)) {
        diag_error(check->diag, file, 0, "the zone has no SOA record");
        check->error_cnt++;
    }
    if (!zone_owner_has(&apex, RR_NS)) {
        diag_error(check->diag, file, 0, "the zone has no NS records");
        check->error_cnt++;
    }
}

enum err zone_records_check(struct zone_records *records, struct diag *diag)
{
    struct zone_check check = {.records = records,
                               .diag = diag,
                               .apex_depth = name_depth(records->apex),
                               .apex_hash = name_hash(records->apex, records->key)};

    remove_outside(&check);
    zone_records_sort(records);
    each_owner(&check, check_owner, false);
    check_apex(&check);
    each_owner(&check, check_owner_again, true);
    if (!check.error_cnt)
        zone_check_signed(&check);
    return check.error_cnt ? ERR_INVALID : ERR_OK;
}
