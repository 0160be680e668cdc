#include "store/load_run.h"

#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/commit.h"
#include "store/zone_load.h"

/* So many zones tell of their load at level info, the others at level debug. */
enum { LOG_ZONES_MOST = 100 };

struct load_result {
    struct post_item item;
    struct zone_load load;
    struct balance_marking marking;
    struct commit commit;
    struct store_load *owner;
    size_t index; /* of its load_item */
};

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
    if (zone->zone->latest || result->load.version)
        log_warning("zone \"%s\": not loaded, serial %u stays", name,
                    result->load.version ? result->load.version->serial : zone->serial);
    else
        log_error("zone \"%s\": not loaded, queries get SERVFAIL", name);
}

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
    zone->has_source = zone->sources != NULL;
    zone->source_serial = done->serial;
}

static void take_failure(struct store_load *load, struct store_zone *zone, const struct zone_load *done,
                         const char *name)
{
    bool stale = zone->zone->latest != NULL;
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
              "zone \"%s\": %s, serial %u, %zu names, %zu records, %.1f ms", name,
              done->is_restored ? "as it was kept" : "loaded", zone->serial, zone->name_cnt, zone->rr_cnt,
              (double)done->took_us / 1000);
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

static void take_outcome(struct store_load *load, struct store_zone *zone, struct zone_load *done)
{
    char name[NAME_TEXT_MAX];
    name_to_text_bare(name, zone->zone->name);
    free(zone->last_error);
    zone->last_error = NULL;
    if (done->outcome == ZONE_LOAD_FAILED) {
        take_failure(load, zone, done, name);
        return;
    }
    if (done->outcome == ZONE_LOAD_BUILT || done->outcome == ZONE_LOAD_SAME)
        take_sources(zone, done);
    store_zone_set_state(load->store, zone, done->outcome == ZONE_LOAD_EMPTY ? STORE_ZONE_EMPTY : STORE_ZONE_SERVED);
    if (done->outcome == ZONE_LOAD_BUILT) {
        load->report.loaded++;
        log_loaded(load, zone, done, name);
    } else if (done->outcome == ZONE_LOAD_EMPTY) {
        load->report.empty++;
    } else {
        load->report.unchanged++;
    }
}

/* Of a secondary what was said of it stays true. */
static bool has_no_news(const struct store_zone *zone, const struct zone_load *done)
{
    return done->outcome == ZONE_LOAD_UNCHANGED && zone->is_secondary && zone->state != STORE_ZONE_LOADING;
}

static void take_result(struct store_load *load, struct store_zone *zone, struct load_result *result)
{
    struct zone_load *done = &result->load;
    bool is_first = zone->state == STORE_ZONE_LOADING;
    if (!has_no_news(zone, done))
        take_outcome(load, zone, done);
    else
        load->report.unchanged++;
    if (zone->state == STORE_ZONE_EXPIRED) /* other marks do not make it newer */
        zone_expire(zone->zone);
    zone->marked = result->marking.marked;
    if (done->version || is_first)
        store_tell_version(load->store, zone);
}

static void finish_result(struct load_result *result)
{
    struct store_load *load = result->owner;
    struct load_item *of = &load->items[result->index];
    struct store_zone *zone = of->zone;
    take_path(zone, of->path);
    if (result->load.diag)
        diag_merge(load->diag, result->load.diag);
    if (result->commit.pools_diag)
        diag_merge(load->diag, result->commit.pools_diag);
    take_result(load, zone, result);
    balance_marking_fini(&result->marking);
    keeping_fini(&result->load.keeping);
    diag_free(result->commit.pools_diag);
    diag_free(result->load.diag);
    zonefile_sources_free(result->load.sources_new);
    free(result);
    zone->building = false;
    load->delivered++;
    store_zone_idle(load->store, zone);
    load_try_finish(load);
}

/* As if its text had been refused. */
static void refuse_unkept(struct load_result *result, const char *why)
{
    struct zone_load *done = &result->load;
    struct diag *said = done->diag; /* and logged */
    done->outcome = ZONE_LOAD_FAILED;
    done->version = NULL;
    done->diag = diag_new(ZONE_LOAD_DIAG_MOST);
    diag_error(done->diag, done->path, 0, "the change could not be kept, so it was not made: %s", why);
    if (!result->owner->store->quiet)
        log_result(result, result->owner->items[result->index].zone);
    if (said)
        diag_merge(done->diag, said);
    diag_free(said);
}

static void result_committed(struct commit *commit, const char *why)
{
    struct load_result *result = container_of(commit, struct load_result, commit);
    if (why)
        refuse_unkept(result, why);
    finish_result(result);
}

static void result_arrived(struct post_item *item)
{
    struct load_result *result = container_of(item, struct load_result, item);
    struct store_load *load = result->owner;
    struct store_zone *zone = load->items[result->index].zone;
    struct zone_load *done = &result->load;
    if (!done->version && load->store->balance)
        balance_zone_ready(load->store->balance, zone->zone);
    result->commit = (struct commit){.store = load->store, .zone = zone, .version = done->version,
                                     .keeping = &done->keeping, .is_needed = !zone->zone->latest,
                                     .path = done->path, .done = result_committed};
    commit_start(&result->commit);
}

/* ---- zones read [job] */

static struct load_result *claim(struct store_load *load)
{
    if (__atomic_load_n(&load->cancelled, __ATOMIC_RELAXED))
        return NULL;
    size_t index = __atomic_fetch_add(&load->next, 1, __ATOMIC_RELAXED);
    if (index >= load->item_cnt)
        return NULL;
    const struct load_item *item = &load->items[index];
    const struct store_zone *zone = item->zone;
    struct load_result *result = mem_zalloc(1, sizeof *result);
    result->owner = load;
    result->index = index;
    result->load.zone = zone->zone;
    result->load.path = item->path;
    result->load.has_source = zone->has_source;
    result->load.source_serial = zone->source_serial;
    result->load.is_secondary = zone->is_secondary;
    result->load.keeps = zone->keeps;
    result->load.serial_mode = zone->serial_mode;
    result->load.how = item->how;
    store_zone_keeping(load->store, zone, &result->load.keeping);
    if (!strcmp(zone->path, item->path))
        result->load.sources = zone->sources;
    balance_marking_init(&result->marking, load->annotations, zone->zone, &zone->marked);
    result->load.marks = result->marking.used;
    result->load.remark = result->marking.remark;
    return result;
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
