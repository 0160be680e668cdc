#include "store/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/load_run.h"

/* ---- the end [control] */

static void log_summary(const struct store_load *load)
{
    const struct store_report *r = &load->report;
    char change[64] = "", empty[64] = "";
    if (r->removed)
        snprintf(change, sizeof change, ", %zu removed", r->removed);
    if (r->empty)
        snprintf(empty, sizeof empty, ", %zu to be transferred first", r->empty);
    log_notice("zones: %zu loaded, %zu unchanged, %zu failed%s%s, %.0f ms", r->loaded, r->unchanged, r->failed, empty,
               change, (double)(clock_mono_us() - load->start_us) / 1000);
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

/* A cancelled load leaves zones that it did not read. Those that it did may be building again, by a change. */
static void leave_zones(struct store_load *load, size_t claimed)
{
    for (size_t i = claimed; i < load->item_cnt; i++) {
        struct store_zone *zone = load->items[i].zone;
        zone->building = false;
        store_zone_idle(load->store, zone);
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

/* What is found while pools that the zones kept follow the plan is to be in the report. */
void load_zones_done(struct store_load *load)
{
    struct balance *balance = load->store->balance;
    if (balance && !load->cancelled)
        balance_when_followed(balance, load->diag, finish, load);
    else
        finish(load);
}

void load_try_finish(struct store_load *load)
{
    if (!load->started || load->running)
        return;
    size_t claimed = load->next < load->item_cnt ? load->next : load->item_cnt;
    if (load->delivered != claimed)
        return;
    if (load->cancelled)
        leave_zones(load, claimed);
    load_drop_zones(load);
}

/* ---- the start [control] */

static void runner_work(struct job *job)
{
    load_read(container_of(job, struct load_runner, job)->load);
}

static void runner_done(struct job *job)
{
    struct store_load *load = container_of(job, struct load_runner, job)->load;
    load->running--;
    load_try_finish(load);
}

static void start_runners(struct store_load *load)
{
    unsigned cnt = job_pool_share();
    if (cnt > LOAD_RUNNERS_MOST)
        cnt = LOAD_RUNNERS_MOST;
    if (cnt > load->item_cnt)
        cnt = (unsigned)load->item_cnt;
    load->started = true;
    load->running = cnt;
    for (unsigned i = 0; i < cnt; i++) {
        load->runners[i].load = load;
        job_run(load->store->loop, &load->runners[i].job, runner_work, runner_done);
    }
    load_try_finish(load);
}

bool load_is_near(const struct store *store, const struct store_zone *zone)
{
    const struct store_load *load = store->load;
    return load && load->prepared && !load->started && (load->plan || load->items[0].zone == zone);
}

/* The memory of the zones that it reads is somebody else's. */
static bool is_held_up(const struct store_load *load)
{
    if (load->plan)
        return load->store->release_job_cnt || load->store->change_cnt;
    const struct store_zone *only = load->items[0].zone;
    return only->building || only->releasing;
}

void load_try_runners(struct store_load *load)
{
    if (!load->prepared || load->started || is_held_up(load))
        return;
    load_add_zones(load);
    start_runners(load);
}

static void prepare_work(struct job *job)
{
    load_match(container_of(job, struct store_load, prepare));
}

static void prepare_done(struct job *job)
{
    struct store_load *load = container_of(job, struct store_load, prepare);
    load->prepared = true;
    load_try_runners(load);
}

static struct store_load *load_new(struct store *store, store_report_fn *fn, void *arg)
{
    struct store_load *load = mem_zalloc(1, sizeof *load);
    load->store = store;
    load->annotations = store->balance ? balance_get_plan(store->balance) : NULL;
    load->fn = fn;
    load->arg = arg;
    load->diag = diag_new(STORE_REPORT_MOST);
    load->start_us = clock_mono_us();
    store->load = load;
    return load;
}

void load_start(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg)
{
    struct store_load *load = load_new(store, fn, arg);
    load->plan = *plan;
    *plan = NULL;
    job_run(store->loop, &load->prepare, prepare_work, prepare_done);
}

void load_start_zone(struct store *store, struct store_zone *zone, enum store_load_how how, store_report_fn *fn,
                     void *arg)
{
    struct store_load *load = load_new(store, fn, arg);
    load->items = mem_zalloc(1, sizeof *load->items);
    load->items[0] = (struct load_item){zone, zone->path, how};
    load->item_cnt = 1;
    load->prepared = true;
    load_try_runners(load);
}

void load_cancel(struct store_load *load)
{
    __atomic_store_n(&load->cancelled, true, __ATOMIC_RELAXED);
}
