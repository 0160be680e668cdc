#include "store/load_run.h"

#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/zone_load.h"
#include "zone/signed.h"

/* So many zones tell of their load at level info, the others at level debug. */
enum { LOG_ZONES_MOST = 100 };

struct load_result {
    struct post_item item;
    struct zone_load load;
    struct balance_marking marking;
    struct diag *pools_diag; /* NULL: no handle was given yet */
    struct store_load *owner;
    size_t index; /* of its load_item */
};

/* ---- the result taken [control] */

static void name_failed(struct store_load *load, const char *name)
{
    struct store_report *r = &load->report;
    if (r->failed == load->failed_cap) {
        load->failed_cap = load->failed_cap ? load->failed_cap * 2 : 16;
        r->failed_names = mem_realloc(r->failed_names, load->failed_cap, sizeof *r->failed_names);
    }
    r->failed_names[r->failed++] = mem_strdup(name);
}

/* As one line. Many warnings may stand before it, so many that it was only counted. */
static char *first_error(const struct diag *diag)
{
    const struct diag_entry *entry = NULL;
    for (size_t i = 0; (entry = diag_at(diag, i)) != NULL && entry->level != DIAG_ERROR; i++)
        continue;
    if (!entry)
        return mem_strdup("refused");
    if (!entry->file)
        return mem_strdup(entry->text);
    return entry->line ? mem_printf("%s:%u: %s", entry->file, entry->line, entry->text)
                       : mem_printf("%s: %s", entry->file, entry->text);
}

static void take_sources(struct store_zone *zone, struct zone_load *done)
{
    zonefile_sources_free(zone->sources);
    zone->sources = done->sources_new;
    done->sources_new = NULL;
    zone->source_serial = done->serial;
}

static void take_version(struct store *store, struct store_zone *zone, struct zone_version *version)
{
    zone->serial = version->serial;
    zone->name_cnt = version->node_cnt;
    zone->rr_cnt = version->rr_cnt;
    zone->signed_kind = zone_signed_kind(version);
    zone->memory_bytes = zone_memory_bytes(zone->zone);
    struct zone_version *replaced = zone_publish(zone->zone, version);
    zone_version_forget_pools(version);
    if (replaced)
        release_version(store, zone, replaced);
}

static void take_failure(struct store_load *load, struct store_zone *zone, const struct zone_load *done,
                         const char *name)
{
    bool stale = zone->zone->current != NULL;
    zone->last_error = done->diag ? first_error(done->diag) : mem_strdup("refused");
    store_zone_set_state(load->store, zone, stale ? STORE_ZONE_SERVED_STALE : STORE_ZONE_FAILED);
    name_failed(load, name);
}

static void log_loaded(struct store_load *load, const struct store_zone *zone, const struct zone_load *done,
                       const char *name)
{
    if (load->store->quiet)
        return;
    log_write(load->logged++ < LOG_ZONES_MOST ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
              "zone \"%s\": loaded, serial %u, %zu names, %zu records, %.1f ms", name, zone->serial, zone->name_cnt,
              zone->rr_cnt, (double)done->took_us / 1000);
}

/* Another path, whatever became of it: the old sources say nothing of the new file. */
static void take_path(struct store_zone *zone, const char *path)
{
    if (!strcmp(zone->path, path))
        return;
    free(zone->path);
    zone->path = mem_strdup(path);
    zonefile_sources_free(zone->sources);
    zone->sources = NULL;
}

static void take_result(struct store_load *load, struct store_zone *zone, struct zone_load *done)
{
    char name[NAME_TEXT_MAX];
    name_to_text_bare(name, zone->zone->name);
    free(zone->last_error);
    zone->last_error = NULL;
    if (done->version)
        take_version(load->store, zone, done->version);
    if (done->outcome == ZONE_LOAD_FAILED) {
        take_failure(load, zone, done, name);
        return;
    }
    if (done->outcome != ZONE_LOAD_UNCHANGED)
        take_sources(zone, done);
    store_zone_set_state(load->store, zone, STORE_ZONE_SERVED);
    if (done->outcome == ZONE_LOAD_BUILT) {
        zone->loaded_wall_ms = clock_wall_ms();
        load->report.loaded++;
        log_loaded(load, zone, done, name);
    } else {
        load->report.unchanged++;
    }
}

static void tell_pools(struct store_load *load, struct load_result *result)
{
    if (!load->store->quiet)
        diag_log(result->pools_diag);
    diag_merge(load->diag, result->pools_diag);
    diag_free(result->pools_diag);
}

/* Pools of the version that comes get their handles, and now is the time for new annotations: not before, or they would
 * meet records for which they were not written. False: not yet. */
static bool take_pools(struct store_load *load, const struct store_zone *zone, struct load_result *result)
{
    struct store *store = load->store;
    const struct zone_load *done = &result->load;
    if (!store->balance)
        return true;
    if (!done->version) {
        balance_zone_ready(store->balance, zone->zone);
        return true;
    }
    if (!result->pools_diag) {
        result->pools_diag = diag_new(ZONE_LOAD_DIAG_MOST);
        diag_set_file(result->pools_diag, done->path);
    }
    if (!balance_version_ready(store->balance, done->version, result->pools_diag))
        return false;
    tell_pools(load, result);
    return true;
}

static void result_arrived(struct post_item *item)
{
    struct load_result *result = container_of(item, struct load_result, item);
    struct store_load *load = result->owner;
    struct load_item *of = &load->items[result->index];
    if (!take_pools(load, of->zone, result)) {
        post_send(load->store->post, item, result_arrived); /* for the next slice */
        return;
    }
    take_path(of->zone, of->path);
    if (result->load.diag)
        diag_merge(load->diag, result->load.diag);
    take_result(load, of->zone, &result->load);
    of->zone->marked = result->marking.marked;
    balance_marking_fini(&result->marking);
    diag_free(result->load.diag);
    free(result);
    of->zone->building = false;
    release_resume(load->store, of->zone);
    load->delivered++;
    load_try_finish(load);
}

/* ---- zones read [job] */

static struct load_result *claim(struct store_load *load)
{
    if (__atomic_load_n(&load->cancelled, __ATOMIC_RELAXED))
        return NULL;
    size_t index = __atomic_fetch_add(&load->next, 1, __ATOMIC_RELAXED);
    if (index >= load->plan->cnt)
        return NULL;
    const struct load_item *item = &load->items[index];
    const struct store_zone *zone = item->zone;
    struct load_result *result = mem_zalloc(1, sizeof *result);
    result->owner = load;
    result->index = index;
    result->load.zone = zone->zone;
    result->load.path = item->path;
    result->load.source_serial = zone->source_serial;
    if (!strcmp(zone->path, item->path))
        result->load.sources = zone->sources;
    balance_marking_init(&result->marking, load->annotations, zone->zone, &zone->marked);
    result->load.marks = result->marking.used;
    result->load.remark = result->marking.remark;
    return result;
}

/* In the job, not when the result arrives: with thousands of them and a log that several threads write to, each line
 * may take the control thread milliseconds in the kernel. */
static void log_result(const struct load_result *result, const struct store_zone *zone)
{
    char name[NAME_TEXT_MAX];
    if (result->load.diag)
        diag_log(result->load.diag);
    if (result->load.outcome != ZONE_LOAD_FAILED)
        return;
    name_to_text_bare(name, zone->zone->name);
    if (zone->zone->current)
        log_warning("zone \"%s\": not loaded, serial %u stays", name, zone->serial);
    else
        log_error("zone \"%s\": not loaded, queries get SERVFAIL", name);
}

void load_read(struct store_load *load)
{
    for (struct load_result *result; (result = claim(load)) != NULL;) {
        zone_load_run(&result->load);
        if (!load->store->quiet)
            log_result(result, load->items[result->index].zone);
        post_send(load->store->post, &result->item, result_arrived);
    }
}
