#include "store/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/zone_load.h"

/* So many zones tell of their load at level info, the others at level debug. */
enum { LOG_ZONES_MOST = 100 };

struct load_item {
    struct store_zone *zone;
    const char *path; /* in the plan */
};

struct load_result {
    struct post_item item;
    struct zone_load load;
    struct balance_marking marking;
    struct diag *pools_diag; /* NULL: no handle was given yet */
    struct store_load *owner;
    size_t index; /* of its load_item */
};

struct runner {
    struct job job;
    struct store_load *load;
};

enum { RUNNERS_MOST = 8 };

struct store_load {
    struct store *store;
    struct store_plan *plan;
    const struct balance_plan *annotations; /* NULL: none */
    store_report_fn *fn;
    void *arg;
    struct job prepare;
    struct load_item *items; /* plan->cnt, in the plan's order */
    struct store_zone **all; /* the plan's zones and those that go, until it has ended: canonical order */
    size_t all_cnt;
    struct store_zone **removed;
    size_t removed_cnt;
    /* The set of zones from when reading begins, all of them, and from when it has ended; NULL: it stays as it is then. */
    struct catalogue *first, *last;
    struct runner runners[RUNNERS_MOST];
    unsigned running;
    bool prepared, started;
    size_t next;      /* atomic: the first item that no runner has claimed */
    bool cancelled;   /* atomic */
    size_t delivered; /* results that have arrived */
    size_t logged;
    struct store_report report;
    struct diag *diag;
    size_t failed_cap;
    uint64_t start_us;
};

/* ---- the plan against what there is [job]; the store's array and its zones' names do not change meanwhile */

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
        load->items[i] = (struct load_item){zone, conf->path};
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

static void prepare_work(struct job *job)
{
    struct store_load *load = container_of(job, struct store_load, prepare);
    load->items = mem_zalloc(load->plan->cnt, sizeof *load->items);
    load->removed = mem_zalloc(load->store->cnt, sizeof(struct store_zone *));
    load->all = mem_zalloc(load->store->cnt + load->plan->cnt, sizeof(struct store_zone *));
    match_zones(load);
    make_catalogues(load);
}

/* ---- reading [job] */

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

static void result_arrived(struct post_item *item);

/* In the job, not when the result arrives: with thousands of them and a log that several threads write to, each line may take the control thread
 * milliseconds in the kernel. */
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

static void runner_work(struct job *job)
{
    struct store_load *load = container_of(job, struct runner, job)->load;
    for (struct load_result *result; (result = claim(load)) != NULL;) {
        zone_load_run(&result->load);
        if (!load->store->quiet)
            log_result(result, load->items[result->index].zone);
        post_send(load->store->post, &result->item, result_arrived);
    }
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

/* From here on new zones are listed, and answered with SERVFAIL until each has been read, whatever others take. */
static void add_zones(struct store_load *load)
{
    struct store *store = load->store;
    free(store->zones);
    store->zones = load->all;
    store->cnt = load->all_cnt;
    load->all = NULL;
    for (size_t i = 0; i < load->plan->cnt; i++)
        load->items[i].zone->building = true;
    store->state_cnt[STORE_ZONE_LOADING] += load->report.added;
    publish_catalogue(store, &load->first);
}

/* From here on the plan's zones are all. Not before they have been read: names of a zone that goes may come back in the next version of the zone
 * above it, and until that is there nobody shall be told that they do not exist. */
static void drop_zones(struct store_load *load)
{
    struct store *store = load->store;
    if (!load->removed_cnt)
        return;
    store->cnt = load->plan->cnt;
    for (size_t i = 0; i < store->cnt; i++)
        store->zones[i] = load->items[i].zone;
    publish_catalogue(store, &load->last);
    for (size_t i = 0; i < load->removed_cnt; i++) {
        store->state_cnt[load->removed[i]->state]--;
        if (store->balance)
            balance_zone_gone(store->balance, load->removed[i]->zone);
    }
    release_zones(store, &load->removed, load->removed_cnt);
}

/* ---- the end [control] */

static void log_summary(const struct store_load *load)
{
    const struct store_report *r = &load->report;
    char change[64] = "";
    if (r->removed)
        snprintf(change, sizeof change, ", %zu removed", r->removed);
    log_notice("zones: %zu loaded, %zu unchanged, %zu failed%s, %.0f ms", r->loaded, r->unchanged, r->failed, change,
               (double)(clock_mono_us() - load->start_us) / 1000);
}

/* Thousands of names and messages are too much to free on the loop. */
static void free_work(struct job *job)
{
    struct store_load *load = container_of(job, struct store_load, prepare);
    for (size_t i = 0; load->report.failed_names && i < load->report.failed; i++)
        free(load->report.failed_names[i]);
    free(load->report.failed_names);
    diag_free(load->report.diag);
    store_plan_free(load->plan);
    free(load->items);
    free(load->removed);
}

static void free_done(struct job *job)
{
    struct store_load *load = container_of(job, struct store_load, prepare);
    load->store->job_cnt--;
    free(load);
}

/* A cancelled load leaves zones that it did not read. */
static void leave_zones(struct store_load *load)
{
    for (size_t i = 0; i < load->plan->cnt; i++) {
        struct store_zone *zone = load->items[i].zone;
        if (!zone->building)
            continue;
        zone->building = false;
        release_resume(load->store, zone);
    }
}

static void finish(void *arg)
{
    struct store_load *load = arg;
    struct store *store = load->store;
    if (!store->quiet && !load->cancelled)
        log_summary(load);
    load->report.diag = load->diag;
    load->report.cancelled = load->cancelled;
    store->load = NULL;
    load->fn(load->arg, &load->report);
    store->job_cnt++;
    job_run(store->loop, &load->prepare, free_work, free_done);
}

/* The zones are there; what is found while pools that they kept follow the plan is to be in the report. */
static void end_reading(struct store_load *load)
{
    struct balance *balance = load->store->balance;
    if (load->cancelled)
        leave_zones(load);
    drop_zones(load);
    if (balance && !load->cancelled)
        balance_when_followed(balance, load->diag, finish, load);
    else
        finish(load);
}

/* The last of: every runner's end, every claimed zone's result. */
static void try_finish(struct store_load *load)
{
    if (!load->started || load->running)
        return;
    size_t claimed = load->next < load->plan->cnt ? load->next : load->plan->cnt;
    if (load->delivered == claimed)
        end_reading(load);
}

static void runner_done(struct job *job)
{
    struct store_load *load = container_of(job, struct runner, job)->load;
    load->running--;
    try_finish(load);
}

/* ---- results [control] */

static void name_failed(struct store_load *load, const char *name)
{
    struct store_report *r = &load->report;
    if (r->failed == load->failed_cap) {
        load->failed_cap = load->failed_cap ? load->failed_cap * 2 : 16;
        r->failed_names = mem_realloc(r->failed_names, load->failed_cap, sizeof *r->failed_names);
    }
    r->failed_names[r->failed++] = mem_strdup(name);
}

/* The first error as one line; a refusal for its serial is a warning and the last message. */
static char *first_error(const struct diag *diag)
{
    const struct diag_entry *chosen = NULL, *entry;
    for (size_t i = 0; (entry = diag_at(diag, i)) != NULL; i++) {
        chosen = entry;
        if (entry->level == DIAG_ERROR)
            break;
    }
    if (!chosen)
        return mem_strdup("refused");
    if (!chosen->file)
        return mem_strdup(chosen->text);
    return chosen->line ? mem_printf("%s:%u: %s", chosen->file, chosen->line, chosen->text)
                        : mem_printf("%s: %s", chosen->file, chosen->text);
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
    zone->memory_bytes = zone_memory_bytes(zone->zone);
    struct zone_version *replaced = zone_publish(zone->zone, version);
    zone_version_forget_pools(version);
    if (replaced)
        release_version(store, zone, replaced);
}

static void take_failure(struct store_load *load, struct store_zone *zone, const struct zone_load *done, const char *name)
{
    bool stale = zone->zone->current != NULL;
    zone->last_error = done->diag ? first_error(done->diag) : mem_strdup("refused");
    store_zone_set_state(load->store, zone, stale ? STORE_ZONE_SERVED_STALE : STORE_ZONE_FAILED);
    name_failed(load, name);
}

static void log_loaded(struct store_load *load, const struct store_zone *zone, const struct zone_load *done, const char *name)
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
    try_finish(load);
}

/* ---- the start [control] */

static void start_runners(struct store_load *load)
{
    unsigned cnt = job_pool_share();
    if (cnt > RUNNERS_MOST)
        cnt = RUNNERS_MOST;
    if (cnt > load->plan->cnt)
        cnt = (unsigned)load->plan->cnt;
    load->started = true;
    load->running = cnt;
    for (unsigned i = 0; i < cnt; i++) {
        load->runners[i].load = load;
        job_run(load->store->loop, &load->runners[i].job, runner_work, runner_done);
    }
    try_finish(load);
}

void load_try_runners(struct store_load *load)
{
    if (!load->prepared || load->started || load->store->release_job_cnt)
        return;
    add_zones(load);
    start_runners(load);
}

static void prepare_done(struct job *job)
{
    struct store_load *load = container_of(job, struct store_load, prepare);
    load->prepared = true;
    load_try_runners(load);
}

void load_start(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg)
{
    struct store_load *load = mem_zalloc(1, sizeof *load);
    load->store = store;
    load->plan = *plan;
    *plan = NULL;
    load->annotations = store->balance ? balance_get_plan(store->balance) : NULL;
    load->fn = fn;
    load->arg = arg;
    load->diag = diag_new(STORE_REPORT_MOST);
    load->start_us = clock_mono_us();
    store->load = load;
    job_run(store->loop, &load->prepare, prepare_work, prepare_done);
}

void load_cancel(struct store_load *load)
{
    __atomic_store_n(&load->cancelled, true, __ATOMIC_RELAXED);
}
