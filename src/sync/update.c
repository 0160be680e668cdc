#include "sync/update.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "dns/serial.h"
#include "sync/update_sound.h"
#include "sync/update_state.h"
#include "zone/rdata.h"

struct update {
    struct update_state state;
    uint32_t next_serial;
    unsigned lame_cnt;     /* update_sound_lame_cnt, of what was kept */
    bool has_soa, has_soa_kept; /* the update at hand sets the SOA; one that was kept has */
};

enum { SOA_NUMBERS_LEN = 20, WKS_KEY_LEN = 5 /* address and protocol */ };

void update_free(struct update *update)
{
    if (!update)
        return;
    update_state_fini(&update->state);
    free(update);
}

struct update *update_new(const struct zone_version *base, uint32_t next_serial)
{
    assert(serial_is_later(next_serial, base->serial));
    struct update *update = mem_zalloc(1, sizeof(*update));
    update_state_init(&update->state, base);
    update->next_serial = next_serial;
    update->lame_cnt = update_sound_lame_cnt(&update->state);
    return update;
}

static const uint8_t *apex_of(const struct update *update) { return update->state.base->zone->name; }

static bool is_apex(const struct update *update, const uint8_t *owner) { return name_equal(owner, apex_of(update)); }

/* ---- prerequisites (RFC 2136 3.2) */

/* Those that ask for a value are left for later, all of an rrset together. */
static enum rcode judge_prerequisite(struct update *update, const struct update_record *record)
{
    const struct update_owner *owner;
    bool is_there, wanted = record->class == RR_CLASS_ANY;
    if (record->rcode)
        return record->rcode;
    if (record->class == RR_CLASS_IN)
        return RCODE_NOERROR;
    owner = update_state_owner(&update->state, record->rr.owner);
    if (record->rr.type == RR_ANY) {
        is_there = owner->type_cnt > 0;
        return is_there == wanted ? RCODE_NOERROR : wanted ? RCODE_NXDOMAIN : RCODE_YXDOMAIN;
    }
    is_there = update_state_cnt(&update->state, owner, record->rr.type) > 0;
    return is_there == wanted ? RCODE_NOERROR : wanted ? RCODE_NXRRSET : RCODE_YXRRSET;
}

/* RFC 2136 2.4.2: the rrset has these records and no others, whatever the TTLs. Read only if it is as long. */
static bool is_rrset(struct update *update, const struct zone_record *recs, size_t cnt)
{
    struct update_owner *owner = update_state_owner(&update->state, recs->rr.owner);
    uint16_t type = recs->rr.type;
    if (update_state_cnt(&update->state, owner, type) != cnt)
        return false;
    const struct update_set *set = update_state_set(&update->state, owner, type);
    for (size_t i = 0; i < cnt; i++)
        if (rdata_cmp(type, set->records[i].rdata, set->records[i].len, recs[i].rr.rdata, recs[i].rr.rdata_len))
            return false;
    return true;
}

static enum rcode judge_values(struct update *update, const struct zone_records *wanted)
{
    for (size_t i = 0, end; i < wanted->cnt; i = end) {
        const struct zone_record *recs = wanted->recs + i;
        for (end = i + 1; end < wanted->cnt; end++)
            if (wanted->recs[end].rr.owner != recs->rr.owner || wanted->recs[end].rr.type != recs->rr.type)
                break;
        if (!is_rrset(update, recs, end - i))
            return RCODE_NXRRSET;
    }
    return RCODE_NOERROR;
}

static enum rcode judge_prerequisites(struct update *update, const struct update_msg *msg)
{
    struct zone_records *wanted = NULL;
    enum rcode rcode = RCODE_NOERROR;
    for (size_t i = 0; i < msg->prerequisite_cnt && !rcode; i++) {
        const struct update_record *record = &msg->prerequisites[i];
        rcode = judge_prerequisite(update, record);
        if (rcode || record->class != RR_CLASS_IN)
            continue;
        if (!wanted)
            wanted = zone_records_new(apex_of(update), update->state.base->zone->key);
        zone_records_add(wanted, &record->rr, NULL, 0);
    }
    if (!rcode && wanted) {
        zone_records_sort(wanted);
        rcode = judge_values(update, wanted);
    }
    zone_records_free(wanted);
    return rcode;
}

/* ---- updates (RFC 2136 3.4.2) */

static bool may_stand(const struct update *update, const struct update_owner *owner, uint16_t type)
{
    switch (type) {
    case RR_CNAME:
        return !owner->barring_cnt;
    case RR_KEY:
        return true;
    default:
        return !update_state_cnt(&update->state, owner, RR_CNAME);
    }
}

static uint32_t serial_of(const uint8_t *rdata, unsigned len) { return be32_get(rdata + len - SOA_NUMBERS_LEN); }

/* A SOA that is not later, or not at the apex, is ignored. */
static void add_soa(struct update *update, struct update_set *set, const struct rr *rr)
{
    if (!set->cnt || !serial_is_later(serial_of(rr->rdata, rr->rdata_len),
                                      serial_of(set->records->rdata, set->records->len)))
        return;
    update_state_replace(&update->state, set, 0, rr);
    update->has_soa = true;
}

static bool is_same_wks(const struct update_set *set, unsigned at, const struct rr *rr)
{
    return at < set->cnt && set->type == RR_WKS && rr->rdata_len >= WKS_KEY_LEN &&
           set->records[at].len >= WKS_KEY_LEN && !memcmp(set->records[at].rdata, rr->rdata, WKS_KEY_LEN);
}

/* RFC 2136 3.4.2.2 */
static const char *add(struct update *update, struct update_owner *owner, const struct rr *rr)
{
    struct update_state *state = &update->state;
    const char *why = update_sound_refuses(state, rr);
    bool found;
    if (why || !may_stand(update, owner, rr->type))
        return why;
    struct update_set *set = update_state_set(state, owner, rr->type);
    if (rr->type == RR_SOA) {
        add_soa(update, set, rr);
        return NULL;
    }
    unsigned at = update_set_place(set, rr->rdata, rr->rdata_len, &found);
    if (set->cnt && (rr->type == RR_CNAME || rr->type == RR_DNAME))
        update_state_replace(state, set, 0, rr);
    else if (found || is_same_wks(set, at, rr))
        update_state_replace(state, set, at, rr);
    else if (at > 0 && is_same_wks(set, at - 1, rr))
        update_state_replace(state, set, at - 1, rr);
    else
        update_state_insert(state, set, at, rr);
    return NULL;
}

/* RFC 2136 3.4.2.3: the apex keeps its SOA and NS. */
static void remove_rrsets(struct update *update, struct update_owner *owner, uint16_t type)
{
    bool apex = is_apex(update, owner->name);
    if (type == RR_ANY)
        update_state_clear_all(&update->state, owner, apex ? RR_SOA : 0, apex ? RR_NS : 0);
    else if (!apex || (type != RR_SOA && type != RR_NS))
        update_state_clear(&update->state, update_state_set(&update->state, owner, type));
}

/* RFC 2136 3.4.2.4: no SOA, nor the last NS of the apex. */
static void remove_record(struct update *update, struct update_owner *owner, const struct rr *rr)
{
    struct update_set *set = update_state_set(&update->state, owner, rr->type);
    bool found, apex_ns = rr->type == RR_NS && is_apex(update, owner->name);
    if (rr->type == RR_SOA || (apex_ns && set->cnt == 1))
        return;
    unsigned at = update_set_place(set, rr->rdata, rr->rdata_len, &found);
    if (found)
        update_state_remove(&update->state, set, at);
}

static const char *apply(struct update *update, const struct update_record *record)
{
    const struct rr *rr = &record->rr;
    struct update_owner *owner = update_state_owner(&update->state, rr->owner);
    if (record->class == RR_CLASS_IN)
        return add(update, owner, rr);
    if (record->class == RR_CLASS_ANY)
        remove_rrsets(update, owner, rr->type);
    else
        remove_record(update, owner, rr);
    return NULL;
}

/* RFC 2136 3.4.1: before anything is changed. */
static enum rcode prescan(const struct update_msg *msg)
{
    enum rcode rcode = RCODE_NOERROR;
    for (size_t i = 0; i < msg->update_cnt && !rcode; i++)
        rcode = msg->updates[i].rcode;
    return rcode;
}

static bool is_changed(const struct update_state *state)
{
    for (size_t i = 0; i < state->undo_cnt; i++)
        if (update_undo_is_changed(&state->undos[i]))
            return true;
    return false;
}

/* RFC 2136 3.6: the serial rises with the first change that does not see to that itself. */
static void raise_serial(struct update *update)
{
    struct update_state *state = &update->state;
    struct update_set *set = update_state_set(state, update_state_owner(state, apex_of(update)), RR_SOA);
    const struct image_rdata *soa = set->records;
    if (serial_of(soa->rdata, soa->len) != state->base->serial)
        return;
    uint8_t *rdata = arena_dup(&state->arena, soa->rdata, soa->len, 1);
    be32_put(rdata + soa->len - SOA_NUMBERS_LEN, update->next_serial);
    struct rr rr = {.owner = apex_of(update), .rdata = rdata, .ttl = update_set_ttl(set, 0), .type = RR_SOA,
                    .rdata_len = soa->len};
    update_state_replace(state, set, 0, &rr);
}

/* All of the updates or, with a reason, none. */
static const char *apply_all(struct update *update, const struct update_msg *msg)
{
    struct update_state *state = &update->state;
    const char *why = NULL;
    update->has_soa = false;
    for (size_t i = 0; i < msg->update_cnt && !why; i++)
        why = apply(update, &msg->updates[i]);
    bool changed = !why && is_changed(state);
    if (changed)
        why = update_sound_step(state, &update->lame_cnt);
    if (!changed || why) {
        update_state_undo(state);
        return why;
    }
    raise_serial(update);
    update->has_soa_kept |= update->has_soa;
    update_state_keep(state);
    return NULL;
}

enum rcode update_take(struct update *update, const struct update_msg *msg, const char **why)
{
    *why = NULL;
    if (!is_apex(update, msg->zone)) {
        *why = "another zone's";
        return RCODE_NOTAUTH;
    }
    if (update->state.base->is_signed) {
        *why = "the zone is signed, and nothing here can sign";
        return RCODE_REFUSED;
    }
    enum rcode rcode = judge_prerequisites(update, msg);
    if (!rcode)
        rcode = prescan(msg);
    if (!rcode && (*why = apply_all(update, msg)) != NULL)
        rcode = RCODE_REFUSED;
    return rcode;
}

/* The serial alone is no change, unless an update set it. */
struct changeset *update_changes(const struct update *update)
{
    enum { SOA_OF_BOTH_SIDES = 2 };
    struct changeset *changes = update_state_diff(&update->state);
    if (changes->removed->cnt + changes->added->cnt <= SOA_OF_BOTH_SIDES && !update->has_soa_kept) {
        changeset_free(changes);
        return NULL;
    }
    size_t cnt;
    const struct zone_record *soa = zone_records_find(changes->added, apex_of(update), &cnt);
    while (soa && cnt && soa->rr.type != RR_SOA) {
        soa++;
        cnt--;
    }
    assert(soa && cnt); /* no change without */
    changes->serial_from = update->state.base->serial;
    changes->serial_to = serial_of(soa->rr.rdata, soa->rr.rdata_len);
    return changes;
}
