#include "sync/update_sound.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/records.h"
#include "zone/sound.h"

static bool is_wildcard(const uint8_t *name) { return name[0] == 1 && name[1] == '*'; }

const char *update_sound_refuses(const struct update_state *state, const struct rr *rr)
{
    switch (rr->type) {
    case RR_RRSIG: case RR_NSEC: case RR_NSEC3: case RR_SIG: case RR_NXT:
        return "records that a signer makes are not updated";
    case RR_DS:
        return name_equal(rr->owner, state->base->zone->name) ? "DS at the top of the zone" : NULL;
    case RR_NS:
        return is_wildcard(rr->owner) ? "NS at a wildcard" : NULL;
    default:
        return NULL;
    }
}

/* ---- the apex's name servers, as zone/check_target.c has it */

static bool has(const struct update_state *state, const struct update_owner *owner, uint16_t type)
{
    return update_state_cnt(state, owner, type) > 0;
}

/* The wildcard that a missing name is made from (RFC 4592 3.3.1); NULL: none. Names that exist only through others
 * below them are not seen, as with the text. */
static const struct update_owner *find_wildcard(struct update_state *state, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX_LEN + 2] = {1, '*'};
    for (unsigned depth = name_depth(name); depth-- > state->base->zone->depth;) {
        const uint8_t *encloser = name_suffix(name, depth);
        unsigned len = name_len(encloser);
        if (len + 2 > NAME_MAX_LEN)
            continue;
        memcpy(wildcard + 2, encloser, len);
        const struct update_owner *found = update_state_owner(state, wildcard);
        if (found->type_cnt)
            return found;
        if (update_state_owner(state, encloser)->type_cnt)
            return NULL;
    }
    return NULL;
}

/* `target`, within the zone, has an address, or others are to say so. */
static bool has_address(struct update_state *state, const uint8_t *target)
{
    unsigned apex_depth = state->base->zone->depth, depth = name_depth(target);
    if (depth > apex_depth && has(state, update_state_owner(state, state->base->zone->name), RR_DNAME))
        return false;
    for (unsigned d = apex_depth + 1; d <= depth; d++) {
        const struct update_owner *above = update_state_owner(state, name_suffix(target, d));
        if (has(state, above, RR_NS))
            return true;
        if (d < depth && has(state, above, RR_DNAME))
            return false;
    }
    const struct update_owner *owner = update_state_owner(state, target);
    if (!owner->type_cnt)
        owner = find_wildcard(state, target);
    return owner && (has(state, owner, RR_A) || has(state, owner, RR_AAAA));
}

unsigned update_sound_lame_cnt(struct update_state *state)
{
    const uint8_t *apex = state->base->zone->name;
    const struct update_set *ns = update_state_set(state, update_state_owner(state, apex), RR_NS);
    unsigned cnt = 0;
    for (unsigned i = 0; i < ns->cnt; i++)
        cnt += name_within(ns->records[i].rdata, apex) && !has_address(state, ns->records[i].rdata);
    return cnt;
}

/* ---- DNSSEC at the apex, as zone/check_dnssec.c has it */

static unsigned byte_at(const struct image_rdata *record, unsigned at)
{
    return at < record->len ? record->rdata[at] : 0;
}

static bool has_key(const struct update_set *keys, unsigned algorithm)
{
    for (unsigned i = 0; i < keys->cnt; i++)
        if (byte_at(&keys->records[i], 3) == algorithm)
            return true;
    return false;
}

/* CDS or CDNSKEY: keys of that algorithm are there, and the request to delete stands alone (RFC 7344 4.1, RFC 8078
 * 4). */
static const char *check_child_keys(struct update_state *state, struct update_owner *apex, uint16_t type)
{
    static const uint8_t delete_cds[5] = {0, 0, 0, 0, 0}, delete_cdnskey[5] = {0, 0, 3, 0, 0};
    const uint8_t *delete = type == RR_CDS ? delete_cds : delete_cdnskey;
    const struct update_set *keys = update_state_set(state, apex, RR_DNSKEY),
                            *set = update_state_set(state, apex, type);
    for (unsigned i = 0; i < set->cnt; i++) {
        const struct image_rdata *record = &set->records[i];
        bool deletes = record->len == 5 && !memcmp(record->rdata, delete, 5);
        if (deletes && set->cnt > 1)
            return "CDS or CDNSKEY: the request to delete must be the only one";
        if (!deletes && !has_key(keys, byte_at(record, type == RR_CDS ? 2 : 3)))
            return "CDS or CDNSKEY: the zone has no DNSKEY of that algorithm";
    }
    return NULL;
}

/* A resolver knows one hash, SHA-1 (1). */
static const char *check_nsec3param(struct update_state *state, struct update_owner *apex)
{
    const struct update_set *set = update_state_set(state, apex, RR_NSEC3PARAM);
    for (unsigned i = 0; i < set->cnt; i++)
        if (byte_at(&set->records[i], 0) == 1)
            return NULL;
    return set->cnt ? "NSEC3PARAM: no supported hash algorithm" : NULL;
}

/* Left over from a signed zone are RRSIG records, perhaps a chain: with keys the zone would count as signed again
 * (zone/signed.h), and no update could change it any more. */
static const char *check_unsigned(const struct update_state *state, const struct update_owner *apex)
{
    bool is_signed = has(state, apex, RR_DNSKEY) && has(state, apex, RR_RRSIG) &&
                     (has(state, apex, RR_NSEC) || has(state, apex, RR_NSEC3PARAM));
    return is_signed ? "it would make an unsigned zone a signed one" : NULL;
}

static const char *check_apex(struct update_state *state)
{
    struct update_owner *apex = update_state_owner(state, state->base->zone->name);
    const char *why = check_nsec3param(state, apex);
    if (!why)
        why = check_child_keys(state, apex, RR_CDS);
    if (!why)
        why = check_child_keys(state, apex, RR_CDNSKEY);
    return why ? why : check_unsigned(state, apex);
}

/* ---- a step */

/* Mostly the sum of the lengths tells. */
static bool fits(const struct update_set *set)
{
    size_t len = 0;
    for (unsigned i = 0; i < set->cnt; i++)
        len += (size_t)IMAGE_RR_FIXED_LEN + set->records[i].len;
    if (len <= IMAGE_SURE_TO_FIT)
        return true;
    struct zone_record *recs = mem_zalloc(set->cnt, sizeof(*recs));
    for (unsigned i = 0; i < set->cnt; i++)
        recs[i].rr = (struct rr){.owner = set->owner->name, .rdata = set->records[i].rdata, .type = set->type,
                                 .rdata_len = set->records[i].len};
    bool fit = zone_rrset_fits(recs, set->cnt);
    free(recs);
    return fit;
}

static bool is_about_dnssec(uint16_t type)
{
    return type == RR_DNSKEY || type == RR_NSEC3PARAM || type == RR_CDS || type == RR_CDNSKEY;
}

const char *update_sound_step(struct update_state *state, unsigned *lame_cnt)
{
    bool dnssec = false;
    for (size_t i = 0; i < state->undo_cnt; i++) {
        const struct update_set *set = state->undos[i].set;
        if (!fits(set))
            return "an rrset would not fit in a message";
        if (is_about_dnssec(set->type) && set->owner->node == state->base->apex)
            dnssec |= update_undo_is_changed(&state->undos[i]);
    }
    const char *why = dnssec ? check_apex(state) : NULL;
    unsigned lame = why ? 0 : update_sound_lame_cnt(state);
    if (!why && lame > *lame_cnt)
        why = "a name server of the zone would have no address";
    if (!why)
        *lame_cnt = lame;
    return why;
}
