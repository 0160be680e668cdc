#include "store/transferred.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/container.h"
#include "dns/serial.h"
#include "store/zone_text.h"
#include "zone/changeset_join.h"

void store_transferred_fini(struct store_transferred *t)
{
    zone_records_free(t->records);
    for (size_t i = 0; i < t->change_cnt; i++)
        changeset_free(t->changes[i]);
    free(t->changes);
    t->records = NULL;
    t->changes = NULL;
    t->change_cnt = 0;
}

static enum err refuse(struct store_making *making, enum err err, const char *why)
{
    snprintf(making->why, sizeof making->why, "%s", why);
    return err;
}

/* ---- steps */

static enum err make_steps(struct store_transferred *t, struct store_making *making)
{
    struct changeset *joined = NULL;
    const struct changeset *const *changes = (const struct changeset *const *)t->changes;
    if (!making->base || changes[0]->serial_from != making->base->serial)
        return refuse(making, ERR_INVALID, "its changes lead on from another serial");
    if (t->change_cnt > 1 && !changeset_joins(making->base, changes, t->change_cnt))
        return refuse(making, ERR_INVALID, "its changes do not fit one another");
    if (t->change_cnt > 1)
        joined = changeset_join(changes, t->change_cnt);
    enum err err = store_make_changes(making, joined ? joined : changes[0], t->changes, t->change_cnt);
    changeset_free(joined);
    return err;
}

/* ---- whole */

/* Nothing of the old version is shared, and the history begins anew. */
static enum err build(struct store_making *making, struct zone_records *records)
{
    making->version = zone_build(making->zone, records, making->marks);
    if (!keeping_whole(&making->keeping, making->version, making->why))
        return ERR_OK;
    zone_discard(making->version);
    making->version = NULL;
    return ERR_LIMIT;
}

/* A quarter of the records may have changed, besides the SOA. */
static bool is_much(size_t change_cnt, const struct zone_records *records)
{
    enum { PART_MOST = 4, SOAS = 2 };
    return change_cnt > records->cnt / PART_MOST + SOAS;
}

/* A whole zone that is little else than the one before it is a change like others: whoever follows us gets that. Where
 * the sizes alone say that it is not, the difference, which costs as much as the building, is not asked for. */
static enum err make_difference(struct store_making *making, struct zone_records *records)
{
    size_t was = making->base->rr_cnt, is = records->cnt;
    if (is_much(was < is ? is - was : was - is, records))
        return build(making, records);
    struct changeset *changes = changeset_diff(making->base, records);
    bool is_another = is_much(changes->removed->cnt + changes->added->cnt, records);
    enum err err = is_another ? build(making, records) : store_make_changes(making, changes, &changes, 1);
    changeset_free(changes);
    return err;
}

static enum err make_whole(struct store_transferred *t, struct store_making *making)
{
    uint32_t serial = zone_text_serial(t->records);
    if (!making->base)
        return build(making, t->records);
    if (serial_is_later(serial, making->base->serial))
        return make_difference(making, t->records);
    if (!t->is_forced)
        return refuse(making, ERR_INVALID, "its serial is not above the one that is served");
    return build(making, t->records);
}

static enum err make(struct store_change *change, struct store_making *making)
{
    struct store_transferred *t = container_of(change, struct store_transferred, change);
    enum err err = t->records ? make_whole(t, making) : make_steps(t, making);
    keeping_set_flags(&making->keeping, making->zone->name,
                      making->keeping.entry.flags & ~(uint32_t)(HISTORY_HAS_UPDATES | HISTORY_HAS_SOURCE));
    store_transferred_fini(t);
    return err;
}

void store_transferred_init(struct store_transferred *t) { t->change.make = make; }
