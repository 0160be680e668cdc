#include "zone/changeset_join.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/image.h"
#include "zone/node.h"
#include "zone/version.h"

/* Something that happens to a record. */
struct event {
    const struct zone_record *rec;
    uint64_t hash;    /* its owner's, which most comparisons end at */
    size_t when;      /* twice the changeset's index, and one more when it comes: first all go, then all come */
};

static bool comes(const struct event *event) { return event->when & 1; }

static int cmp_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash > y->hash ? 1 : -1;
    int d = zone_record_cmp(x->rec, y->rec);
    return d ? d : (x->when > y->when) - (x->when < y->when);
}

static void put_events(struct event *events, size_t *at, const struct zone_records *records, size_t when)
{
    for (size_t i = 0; i < records->cnt; i++)
        events[(*at)++] = (struct event){&records->recs[i], records->recs[i].owner_hash, when};
}

static struct event *list_events(const struct changeset *const *changes, size_t cnt, size_t *event_cnt)
{
    size_t most = 0, at = 0;
    for (size_t i = 0; i < cnt; i++)
        most += changes[i]->removed->cnt + changes[i]->added->cnt;
    struct event *events = mem_realloc(NULL, most, sizeof *events);
    for (size_t i = 0; i < cnt; i++) {
        put_events(events, &at, changes[i]->removed, 2 * i);
        put_events(events, &at, changes[i]->added, 2 * i + 1);
    }
    qsort(events, at, sizeof *events, cmp_events);
    *event_cnt = at;
    return events;
}

/* ---- do they follow one another? */

struct search {
    const struct zone_record *wanted;
    bool found;
};

static void look(void *arg, const struct rr *rr)
{
    struct search *search = arg;
    const struct zone_record rec = {.rr = *rr, .owner_hash = search->wanted->owner_hash};
    search->found |= !zone_record_cmp(&rec, search->wanted);
}

static bool has(const struct zone_version *version, const struct zone_record *rec)
{
    const struct zone_node *node = zone_version_find(version, rec->rr.owner);
    const struct zone_rrset *rrset = node ? zone_node_rrset(node, rec->rr.type) : NULL;
    struct search search = {.wanted = rec};
    if (rrset)
        image_each(zone_node_image(node, rrset), rrset, zone_node_name(node), look, &search);
    return search.found;
}

/* All that happens to one record. It goes and comes by turns; and when in the end nothing has happened to it, so that
 * nobody else will look, it begins as it is in `base`. */
static bool record_joins(const struct zone_version *base, const struct event *first, const struct event *last)
{
    for (const struct event *event = first; event < last; event++)
        if (comes(event) == comes(event + 1))
            return false;
    bool was = !comes(first), is = comes(last);
    return was != is || has(base, first->rec) == was;
}

static size_t end_of_record(const struct event *events, size_t at, size_t cnt)
{
    size_t end = at + 1;
    while (end < cnt && !zone_record_cmp(events[at].rec, events[end].rec))
        end++;
    return end;
}

bool changeset_joins(const struct zone_version *base, const struct changeset *const *changes, size_t cnt)
{
    size_t event_cnt;
    bool joins = changes[0]->serial_from == base->serial;
    struct event *events = list_events(changes, cnt, &event_cnt);
    for (size_t i = 1; i < cnt; i++)
        joins &= changes[i]->serial_from == changes[i - 1]->serial_to;
    for (size_t i = 0, end; joins && i < event_cnt; i = end) {
        end = end_of_record(events, i, event_cnt);
        joins = record_joins(base, &events[i], &events[end - 1]);
    }
    free(events);
    return joins;
}

/* ---- all as one */

/* In every byte, the case of names included, and of one TTL. */
static bool is_just_as(const struct rr *a, const struct rr *b)
{
    return a->ttl == b->ttl && a->rdata_len == b->rdata_len && !memcmp(a->rdata, b->rdata, a->rdata_len);
}

/* All that happens to one record: it was there when the first thing is that it goes, and is when the last is that it
 * comes. */
static void join_record(struct changeset *joined, const struct event *first, const struct event *last)
{
    bool was = !comes(first), is = comes(last);
    if (was && is && is_just_as(&first->rec->rr, &last->rec->rr))
        return;
    if (was)
        zone_records_add(joined->removed, &first->rec->rr, NULL, 0);
    if (is)
        zone_records_add(joined->added, &last->rec->rr, NULL, 0);
}

struct changeset *changeset_join(const struct changeset *const *changes, size_t cnt)
{
    const struct zone_records *any = changes[0]->removed;
    struct changeset *joined = mem_zalloc(1, sizeof *joined);
    size_t event_cnt;
    struct event *events = list_events(changes, cnt, &event_cnt);
    for (size_t i = 1; i < cnt; i++)
        assert(changes[i]->serial_from == changes[i - 1]->serial_to && changes[i]->added->key == any->key);
    joined->serial_from = changes[0]->serial_from;
    joined->serial_to = changes[cnt - 1]->serial_to;
    joined->removed = zone_records_new(any->apex, any->key);
    joined->added = zone_records_new(any->apex, any->key);
    for (size_t i = 0, end; i < event_cnt; i = end) {
        end = end_of_record(events, i, event_cnt);
        join_record(joined, &events[i], &events[end - 1]);
    }
    free(events);
    zone_records_sort(joined->removed);
    zone_records_sort(joined->added);
    return joined;
}

/* An owner is the labels above the apex and a pointer, or the pointer alone; then type, class, TTL, a length. */
static size_t wire_bytes(const struct zone_records *records)
{
    enum { POINTER_LEN = 2, FIXED_LEN = 10 };
    size_t bytes = 0;
    unsigned apex_len = name_len(records->apex);
    for (size_t i = 0; i < records->cnt; i++) {
        const struct rr *rr = &records->recs[i].rr;
        bool is_again = i && records->recs[i - 1].rr.owner == rr->owner;
        bytes += POINTER_LEN + (is_again ? 0 : name_len(rr->owner) - apex_len) + FIXED_LEN + rr->rdata_len;
    }
    return bytes;
}

size_t changeset_wire_bytes(const struct changeset *changes)
{
    return wire_bytes(changes->removed) + wire_bytes(changes->added);
}
