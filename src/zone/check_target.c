#include <string.h>

#include "dns/name.h"
#include "zone/check.h"

/* What the zone knows of a name's address. */
enum known {
    KNOWN_ADDRESS, /* A or AAAA, perhaps by a wildcard */
    KNOWN_NONE,
    KNOWN_CNAME,
    KNOWN_DNAME,     /* *above says where */
    KNOWN_DELEGATED, /* at or below a cut */
};

static struct zone_owner find(const struct zone_check *check, const uint8_t *name)
{
    size_t cnt;
    const struct zone_record *recs = zone_records_find(check->records, name, &cnt);
    struct zone_record *all = check->records->recs;
    return (struct zone_owner){recs ? all + (recs - all) : NULL, recs ? cnt : 0};
}

static struct zone_owner find_target(const struct zone_check *check, const struct zone_record *ns)
{
    size_t cnt;
    const struct zone_record *recs = zone_records_find_target(check->records, ns, &cnt);
    struct zone_record *all = check->records->recs;
    return (struct zone_owner){recs ? all + (recs - all) : NULL, recs ? cnt : 0};
}

static bool has_address(const struct zone_owner *owner)
{
    return zone_owner_has(owner, RR_A) || zone_owner_has(owner, RR_AAAA);
}

/* A cut or DNAME above `name` (which is within the zone), the one nearest to the apex. NULL: none. */
static const uint8_t *find_above(const struct zone_check *check, const uint8_t *name, enum known *known)
{
    unsigned depth = name_depth(name);

    if (check->has_apex_dname && depth > check->apex_depth) {
        *known = KNOWN_DNAME;
        return check->records->apex;
    }
    if (!check->has_cuts && !check->has_dnames)
        return NULL;
    for (unsigned d = check->apex_depth + 1; d < depth; d++) {
        const uint8_t *suffix = name_suffix(name, d);
        struct zone_owner owner = find(check, suffix);
        bool cut = zone_owner_has(&owner, RR_NS);
        if (cut || zone_owner_has(&owner, RR_DNAME)) {
            *known = cut ? KNOWN_DELEGATED : KNOWN_DNAME;
            return suffix;
        }
    }
    return NULL;
}

bool zone_check_is_covered(const struct zone_check *check, const uint8_t *name)
{
    enum known known;
    return find_above(check, name, &known);
}

/* The wildcard that a missing name is made from (RFC 4592 3.3.1): below the nearest name above it that has records.
 * Names that exist only through others below them are not seen. */
static struct zone_owner find_wildcard(const struct zone_check *check, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX_LEN + 2] = {1, '*'};
    unsigned depth = name_depth(name);

    while (depth-- > check->apex_depth) {
        const uint8_t *encloser = name_suffix(name, depth);
        unsigned len = name_len(encloser);
        if (len + 2 > NAME_MAX_LEN)
            continue;
        memcpy(wildcard + 2, encloser, len);
        struct zone_owner found = find(check, wildcard);
        if (found.cnt || find(check, encloser).cnt)
            return found;
    }
    return (struct zone_owner){NULL, 0};
}

static enum known look_up(const struct zone_check *check, const uint8_t *name, const uint8_t **above)
{
    enum known known;

    *above = find_above(check, name, &known);
    if (*above)
        return known;
    struct zone_owner owner = find(check, name);
    if (zone_owner_has(&owner, RR_NS) && name_depth(name) > check->apex_depth)
        return KNOWN_DELEGATED;
    if (!owner.cnt)
        owner = find_wildcard(check, name);
    if (has_address(&owner))
        return KNOWN_ADDRESS;
    return zone_owner_has(&owner, RR_CNAME) ? KNOWN_CNAME : KNOWN_NONE;
}

/* zone_check_error or zone_check_warning. */
typedef void say_fn(struct zone_check *check, const struct zone_record *rec, const char *fmt, ...);

/* Tells that the target has no address, or not in a way that may be. */
static void tell(struct zone_check *check, const struct zone_record *rec, const uint8_t *target, enum known known,
                 const uint8_t *above, const char *glue, say_fn *say)
{
    char owner[NAME_TEXT_MAX], text[NAME_TEXT_MAX], above_text[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];

    name_to_text(owner, rec->rr.owner);
    name_to_text(text, target);
    rr_type_to_text(type, rec->rr.type);
    if (known == KNOWN_CNAME)
        say(check, rec, "\"%s\" %s: \"%s\" is a CNAME", owner, type, text);
    else if (known == KNOWN_DNAME)
        say(check, rec, "\"%s\" %s: \"%s\" is below the DNAME \"%s\"", owner, type, text,
            name_to_text(above_text, above));
    else
        say(check, rec, "\"%s\" %s: \"%s\" has no %saddress (A or AAAA)", owner, type, text, glue);
}

/* MX and SRV; "." says that there is no service (RFC 7505, RFC 2782). */
static void check_service(struct zone_check *check, const struct zone_record *rec, const uint8_t *target)
{
    const uint8_t *above;

    if (!*target || !name_within(target, check->records->apex))
        return;
    enum known known = look_up(check, target, &above);
    if (known != KNOWN_ADDRESS && known != KNOWN_DELEGATED)
        tell(check, rec, target, known, above, "", zone_check_warning);
}

static void check_apex_ns(struct zone_check *check, const struct zone_record *rec)
{
    const uint8_t *target = rec->rr.rdata, *above;

    if (!name_within(target, check->records->apex))
        return;
    enum known known = look_up(check, target, &above);
    if (known != KNOWN_ADDRESS && known != KNOWN_DELEGATED)
        tell(check, rec, target, known, above, "", zone_check_error);
}

/* The NS of a delegation: glue must be there when its name is below the cut, and should be when it is below another.
 * There is no cut above this one, which spares those with names below it the way down from the apex. */
static void check_cut_ns(struct zone_check *check, const struct zone_record *rec)
{
    const uint8_t *target = rec->rr.rdata, *above = rec->rr.owner;
    bool below = name_within(target, rec->rr.owner);

    if (!below && !name_within(target, check->records->apex))
        return;
    enum known known = below ? KNOWN_DELEGATED : look_up(check, target, &above);
    if (known == KNOWN_ADDRESS)
        return;
    if (known == KNOWN_DELEGATED) {
        struct zone_owner glue = find_target(check, rec);
        if (has_address(&glue))
            return;
    }
    tell(check, rec, target, known, above,
         below                      ? "required glue "
         : known == KNOWN_DELEGATED ? "sibling glue "
                                    : "",
         zone_check_warning);
}

static bool has_targets(const struct zone_owner *owner)
{
    return zone_owner_has(owner, RR_NS) || zone_owner_has(owner, RR_MX) || zone_owner_has(owner, RR_SRV);
}

void zone_check_targets(struct zone_check *check, const struct zone_owner *owner)
{
    const uint8_t *name = owner->recs->rr.owner;
    bool apex = name_depth(name) == check->apex_depth;
    enum known known;
    size_t cnt;

    /* What is below a cut or DNAME is not this zone's to serve, but for glue. */
    if (!has_targets(owner) || find_above(check, name, &known))
        return;
    const struct zone_record *recs = zone_owner_rrset(owner, RR_NS, &cnt);
    for (size_t i = 0; i < cnt; i++)
        (apex ? check_apex_ns : check_cut_ns)(check, &recs[i]);
    if (cnt && !apex)
        return;
    recs = zone_owner_rrset(owner, RR_MX, &cnt);
    for (size_t i = 0; i < cnt; i++)
        check_service(check, &recs[i], recs[i].rr.rdata + 2);
    recs = zone_owner_rrset(owner, RR_SRV, &cnt);
    for (size_t i = 0; i < cnt; i++)
        check_service(check, &recs[i], recs[i].rr.rdata + 6);
}
