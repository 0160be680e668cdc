#include "zone/changeset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/rdata.h"
#include "zone/version.h"

void changeset_free(struct changeset *changes)
{
    if (!changes)
        return;
    zone_records_free(changes->removed);
    zone_records_free(changes->added);
    free(changes);
}

/* The merge of the trie with the records, both in order of hash. Names with one
 * hash are in no order; then the trie is asked. */
struct diff {
    struct changeset *changes;
    const struct zone_version *version;
    const struct zone_records *records;
    size_t at; /* records before it are done, but for what `passed_hash` says */
    uint64_t passed_hash; /* the last node's: records with it may have been compared already */
    bool any_passed;
    struct image_rdata *rdata;
    uint8_t *image;
    size_t rdata_cap, image_cap;
};

static void add_record(void *arg, const struct rr *rr) { zone_records_add(arg, rr, NULL, 0); }

static void add_records(struct zone_records *to, const struct zone_record *recs, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        zone_records_add(to, &recs[i].rr, NULL, 0);
}

static void remove_rrset(struct diff *d, const struct zone_node *n, const struct zone_rrset *rrset)
{
    image_each(zone_node_image(n, rrset), rrset, zone_node_name(n), add_record, d->changes->removed);
}

static size_t owner_end(const struct zone_records *r, size_t from)
{
    size_t end = from + 1;
    while (end < r->cnt && r->recs[end].rr.owner == r->recs[from].rr.owner)
        end++;
    return end;
}

static size_t type_end(const struct zone_record *recs, size_t cnt, size_t from)
{
    size_t end = from + 1;
    while (end < cnt && recs[end].rr.type == recs[from].rr.type)
        end++;
    return end;
}

/* The records would make the very image that is served. */
static bool is_same(struct diff *d, const struct zone_node *n, const struct zone_rrset *rrset,
                    const struct zone_record *recs, size_t cnt)
{
    struct zone_rrset made;
    if (rrset->rr_cnt != cnt)
        return false;
    if (cnt > d->rdata_cap) {
        d->rdata_cap = cnt * 2;
        d->rdata = mem_realloc(d->rdata, d->rdata_cap, sizeof(*d->rdata));
    }
    for (size_t i = 0; i < cnt; i++)
        d->rdata[i] = (struct image_rdata){recs[i].rr.rdata, recs[i].rr.ttl, recs[i].rr.rdata_len};
    size_t room = image_room(rrset->type, d->rdata, (unsigned)cnt);
    if (room > d->image_cap) {
        d->image_cap = room * 2;
        d->image = mem_realloc(d->image, d->image_cap, 1);
    }
    return image_build(d->image, &made, zone_node_name(n), rrset->type, d->rdata, (unsigned)cnt) &&
           made.image_len == rrset->image_len && !memcmp(d->image, zone_node_image(n, rrset), made.image_len);
}

/* The merge of one rrset's records, old and new in canonical order. */
struct merge {
    struct diff *diff;
    const struct zone_record *recs;
    size_t cnt, at;
};

static void merge_old(void *arg, const struct rr *rr)
{
    struct merge *m = arg;
    struct changeset *changes = m->diff->changes;
    int cmp = 1;
    for (; m->at < m->cnt; m->at++) {
        const struct rr *new = &m->recs[m->at].rr;
        cmp = rdata_cmp(rr->type, rr->rdata, rr->rdata_len, new->rdata, new->rdata_len);
        if (cmp <= 0)
            break;
        zone_records_add(changes->added, new, NULL, 0);
    }
    if (m->at == m->cnt || cmp < 0) {
        zone_records_add(changes->removed, rr, NULL, 0);
        return;
    }
    const struct rr *new = &m->recs[m->at++].rr;
    /* The same but for the case of names: what is served is what was written. */
    if (rr->ttl != new->ttl || memcmp(rr->rdata, new->rdata, rr->rdata_len) != 0) {
        zone_records_add(changes->removed, rr, NULL, 0);
        zone_records_add(changes->added, new, NULL, 0);
    }
}

static void compare_rrset(struct diff *d, const struct zone_node *n, const struct zone_rrset *rrset,
                          const struct zone_record *recs, size_t cnt)
{
    if (is_same(d, n, rrset, recs, cnt))
        return;
    struct merge m = {d, recs, cnt, 0};
    image_each(zone_node_image(n, rrset), rrset, zone_node_name(n), merge_old, &m);
    add_records(d->changes->added, recs + m.at, cnt - m.at);
}

/* `cnt` may be 0: the name is gone. */
static void compare_owner(struct diff *d, const struct zone_node *n, const struct zone_record *recs, size_t cnt)
{
    size_t at = 0;
    for (unsigned i = 0; i < n->rrset_cnt; i++) {
        const struct zone_rrset *rrset = &n->rrsets[i];
        while (at < cnt && recs[at].rr.type < rrset->type)
            zone_records_add(d->changes->added, &recs[at++].rr, NULL, 0);
        if (at < cnt && recs[at].rr.type == rrset->type) {
            size_t end = type_end(recs, cnt, at);
            compare_rrset(d, n, rrset, recs + at, end - at);
            at = end;
        } else {
            remove_rrset(d, n, rrset);
        }
    }
    add_records(d->changes->added, recs + at, cnt - at);
}

/* Owners before `hash` (all, when `to_end`) that the trie lacks are new. */
static void pass_new(struct diff *d, uint64_t hash, bool to_end)
{
    const struct zone_records *r = d->records;
    while (d->at < r->cnt && (to_end || r->recs[d->at].owner_hash < hash)) {
        const struct zone_record *rec = &r->recs[d->at];
        size_t end = owner_end(r, d->at);
        bool passed = d->any_passed && rec->owner_hash == d->passed_hash;
        if (!passed || !trie_find(d->version->root, rec->owner_hash, rec->rr.owner, name_len(rec->rr.owner)))
            add_records(d->changes->added, rec, end - d->at);
        d->at = end;
    }
}

static bool is_owner(const struct zone_record *rec, const struct zone_node *n)
{
    return name_len(rec->rr.owner) == n->name_len && !memcmp(rec->rr.owner, zone_node_name(n), n->name_len);
}

static void compare_node(void *arg, const struct zone_node *n)
{
    struct diff *d = arg;
    const struct zone_records *r = d->records;
    uint64_t hash = name_hash(zone_node_name(n), r->key);
    size_t at, end = 0;
    pass_new(d, hash, false);
    for (at = d->at; at < r->cnt && r->recs[at].owner_hash == hash; at = end) {
        end = owner_end(r, at);
        if (is_owner(&r->recs[at], n))
            break;
    }
    bool found = at < r->cnt && r->recs[at].owner_hash == hash;
    compare_owner(d, n, r->recs + at, found ? end - at : 0);
    if (found && at == d->at)
        d->at = end;
    d->passed_hash = hash;
    d->any_passed = true;
}

static uint32_t serial_of(const struct zone_records *r, uint32_t otherwise)
{
    size_t cnt;
    const struct zone_record *recs = zone_records_find(r, r->apex, &cnt);
    for (size_t i = 0; i < cnt; i++)
        if (recs[i].rr.type == RR_SOA && recs[i].rr.rdata_len >= 20)
            return be32_get(recs[i].rr.rdata + recs[i].rr.rdata_len - 20);
    return otherwise;
}

struct changeset *changeset_diff(const struct zone_version *version, const struct zone_records *records)
{
    assert(records->sorted && records->cnt && records->key == version->zone->key);
    struct changeset *changes = mem_zalloc(1, sizeof(*changes));
    struct diff d = {.changes = changes, .version = version, .records = records};
    changes->removed = zone_records_new(records->apex, records->key);
    changes->added = zone_records_new(records->apex, records->key);
    changes->serial_from = version->serial;
    changes->serial_to = serial_of(records, version->serial);
    trie_each(version->root, compare_node, &d);
    pass_new(&d, 0, true);
    zone_records_sort(changes->removed);
    zone_records_sort(changes->added);
    free(d.rdata);
    free(d.image);
    return changes;
}
