#include "store/load_run.h"

#include <stdlib.h>

#include "balance/balance.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "zone/access.h"

/* ---- the plan against what there is [job] */

static void remove_zone(struct store_load *load, struct store_zone *zone)
{
    load->removed[load->removed_cnt++] = zone;
    load->all[load->all_cnt++] = zone;
}

static void match_zones(struct store_load *load)
{
    const struct store *store = load->store;
    const struct store_plan *plan = load->plan;
    size_t old = 0;
    for (size_t i = 0; i < plan->cnt; i++) {
        const struct store_zone_conf *conf = &plan->zones[i];
        int cmp = -1;
        while (old < store->cnt && (cmp = name_cmp(store->zones[old]->zone->name, conf->apex)) < 0)
            remove_zone(load, store->zones[old++]);
        struct store_zone *zone;
        if (old < store->cnt && !cmp) {
            zone = store->zones[old++];
        } else {
            zone = store_zone_new(conf->apex, conf->path, &store->shared->key);
            load->report.added++;
        }
        load->items[i] = (struct load_item){zone, conf->path, STORE_LOAD_CAREFULLY};
        load->all[load->all_cnt++] = zone;
    }
    while (old < store->cnt)
        remove_zone(load, store->zones[old++]);
    load->report.removed = load->removed_cnt;
}

static void make_catalogues(struct store_load *load)
{
    struct zone **zones = mem_zalloc(load->all_cnt, sizeof *zones);
    for (size_t i = 0; i < load->all_cnt; i++)
        zones[i] = load->all[i]->zone;
    if (load->report.added || !load->store->shared->catalogue)
        load->first = catalogue_new(zones, load->all_cnt);
    for (size_t i = 0; i < load->plan->cnt; i++)
        zones[i] = load->items[i].zone->zone;
    if (load->removed_cnt)
        load->last = catalogue_new(zones, load->plan->cnt);
    free(zones);
}

void load_match(struct store_load *load)
{
    load->items = mem_zalloc(load->plan->cnt, sizeof *load->items);
    load->item_cnt = load->plan->cnt;
    load->removed = mem_zalloc(load->store->cnt, sizeof(struct store_zone *));
    load->all = mem_zalloc(load->store->cnt + load->plan->cnt, sizeof(struct store_zone *));
    match_zones(load);
    make_catalogues(load);
}

/* ---- the set of zones [control] */

/* *catalogue is taken; NULL: the one there is stays. */
static void publish_catalogue(struct store *store, struct catalogue **catalogue)
{
    struct catalogue *was = store->shared->catalogue;
    if (!*catalogue)
        return;
    rcu_publish(store->shared->catalogue, *catalogue);
    *catalogue = NULL;
    if (was)
        release_catalogue(was);
}

/* What comes by transfers is no text's; and what was a secondary's own to forget is not. */
static void take_kind(struct store *store, struct store_zone *zone, bool is_secondary)
{
    if (is_secondary && !zone->is_secondary) {
        zonefile_sources_free(zone->sources);
        zone->sources = NULL;
        zone->has_source = false;
    }
    if (!is_secondary && zone->state == STORE_ZONE_EXPIRED) {
        zone_revive(zone->zone);
        store_zone_revived(store, zone);
    }
    zone->is_secondary = is_secondary;
}

static void take_history(struct store_zone *zone, const struct history_zone *entry)
{
    zone->history = *entry;
    zone->is_frozen = entry->flags & HISTORY_IS_FROZEN;
}

/* The zone is as the plan says from here on, but for what comes of reading it. */
static void take_conf(struct store *store, struct store_zone *zone, struct store_zone_conf *conf)
{
    zone->building = true;
    take_kind(store, zone, conf->is_secondary);
    zone->serial_mode = conf->serial;
    zone->journal_most_bytes = conf->journal_most_bytes;
    zone->journal_most_ms = conf->journal_most_ms;
    zone->keeps = store->journal && (conf->is_secondary || conf->serial != STORE_SERIAL_FILE ||
                                     (conf->access && (conf->access->transfer || conf->access->update)));
    zone_access_set(zone->zone, &conf->access);
    struct history_zone entry;
    if (store->histories && zone->state == STORE_ZONE_LOADING &&
        histories_get(store->histories, zone->zone->name, &entry))
        take_history(zone, &entry);
}

void load_add_zones(struct store_load *load)
{
    struct store *store = load->store;
    if (!load->plan) {
        load->items[0].zone->building = true;
        return;
    }
    free(store->zones);
    store->zones = load->all;
    store->cnt = load->all_cnt;
    load->all = NULL;
    for (size_t i = 0; i < load->removed_cnt; i++)
        load->removed[i]->is_leaving = true;
    for (size_t i = 0; i < load->plan->cnt; i++)
        take_conf(store, load->items[i].zone, &load->plan->zones[i]);
    store->state_cnt[STORE_ZONE_LOADING] += load->report.added;
    publish_catalogue(store, &load->first);
}

static void drop_zone(struct store *store, struct store_zone *zone, bool is_told)
{
    char name[NAME_TEXT_MAX];
    struct history_zone known;
    change_drop_all(store, zone);
    if (store->histories && (zone->history.seq || histories_get(store->histories, zone->zone->name, &known)))
        histories_set(store->histories, zone->zone->name, &zone->history);
    log_write(is_told ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "zone \"%s\": removed",
              name_to_text_bare(name, zone->zone->name));
    store->state_cnt[zone->state]--;
    if (store->balance)
        balance_zone_gone(store->balance, zone->zone);
}

/* Thousands may go at once. */
static void drop_some(struct post_item *item)
{
    enum { DROPPED_MOST = 100, TOLD_MOST = 20 }; /* a time, well below a millisecond; of all, at level info */
    struct store_load *load = container_of(item, struct store_load, dropping);
    struct store *store = load->store;
    for (unsigned n = 0; n < DROPPED_MOST && load->dropped < load->removed_cnt; n++, load->dropped++)
        drop_zone(store, load->removed[load->dropped], !store->quiet && load->dropped < TOLD_MOST);
    if (load->dropped < load->removed_cnt) {
        post_send(store->post, item, drop_some);
        return;
    }
    release_zones(store, &load->removed, load->removed_cnt);
    load_zones_done(load);
}

/* Not before the plan's zones have been read: names of a zone that goes may come back in the next version of the zone
 * above it, and until that is there nobody shall be told that they do not exist. */
void load_drop_zones(struct store_load *load)
{
    struct store *store = load->store;
    if (!load->removed_cnt) {
        load_zones_done(load);
        return;
    }
    store->cnt = load->plan->cnt;
    for (size_t i = 0; i < store->cnt; i++)
        store->zones[i] = load->items[i].zone;
    publish_catalogue(store, &load->last);
    drop_some(&load->dropping);
}
