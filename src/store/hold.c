#include "store/hold.h"

#include "store/private.h"

enum err store_hold(struct store *store, struct store_held *held, const uint8_t *apex)
{
    struct store_zone *zone = store_find(store, apex);
    if (!zone)
        return ERR_NOT_FOUND;
    struct zone_version *version = zone->zone->current;
    if (!version)
        return zone->zone->latest ? ERR_TIMEOUT : ERR_CLOSED;
    /* The entry is of what was made durable last, and what is durable is published in the same turn. */
    *held = (struct store_held){.version = version, .key = zone->zone->key, .store = store, .zone = zone};
    held->seq = zone->history.serial == version->serial && !zone->needs_snapshot ? zone->history.seq : 0;
    zone_version_get(version);
    zone->release_cnt++;
    return ERR_OK;
}

void store_unhold(struct store_held *held)
{
    release_held(held->store, held->zone, held->version);
    held->version = NULL;
}

struct lmdb *store_lmdb(const struct store *store) { return store->place.lmdb; }
