#include "daemon/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/notify.h"
#include "daemon/wiring.h"

struct reload {
    struct daemon *daemon;
    struct job job;
    bool running;                /* the job */
    bool again;                  /* a signal asked for another */
    struct configuration *fresh; /* the job's result, or NULL */
    struct diag *diag;
    enum err err;
    unsigned retiring; /* old configurations being freed */
    store_report_fn *zone_fn; /* who waits for one zone */
    void *zone_arg;
};

/* An old configuration: ten thousand zones' strings are too much to free on the loop. */
struct retirement {
    struct job job;
    struct reload *reload;
    struct configuration *old;
};

static void retire_work(struct job *job)
{
    configuration_free(container_of(job, struct retirement, job)->old);
}

static void retire_done(struct job *job)
{
    struct retirement *retirement = container_of(job, struct retirement, job);
    retirement->reload->retiring--;
    free(retirement);
}

static void retire(struct reload *reload, struct configuration *old)
{
    struct retirement *retirement = mem_zalloc(1, sizeof *retirement);
    retirement->reload = reload;
    retirement->old = old;
    reload->retiring++;
    job_run(&reload->daemon->loop, &retirement->job, retire_work, retire_done);
}

static struct reload *of_job(struct job *job)
{
    return container_of(job, struct reload, job);
}

/* The start may have read it all as root: whoever reads "Permission denied" has to know whose. */
static void name_user(struct reload *reload)
{
    const struct daemon *d = reload->daemon;
    const char *user = d->configuration->daemon->user; /* stays: only read_done puts another in force */
    const struct diag_entry *entry;
    bool is_denied = false;
    for (size_t i = 0; !is_denied && (entry = diag_at(reload->diag, i)) != NULL; i++)
        is_denied = entry->level == DIAG_ERROR && strstr(entry->text, strerror(EACCES));
    if (is_denied && *user)
        diag_error(reload->diag, d->conf_path, 0, "refused when read as user \"%s\", as reloads do", user);
}

static void read_work(struct job *job)
{
    struct reload *reload = of_job(job);
    reload->diag = diag_new(CONFIGURATION_DIAG_MOST);
    /* The sites stay meanwhile: only the end of a load puts others in force. */
    reload->err = configuration_load(&reload->fresh, reload->daemon->conf_path, reload->daemon->shared.settings->sites,
                                     reload->diag);
    if (reload->err)
        name_user(reload);
    diag_log(reload->diag);
}

static void refuse(struct reload *reload)
{
    struct daemon *d = reload->daemon;
    log_error("reload refused, nothing was changed");
    struct admin_load load = {.err = reload->err, .diag = reload->diag};
    reload->diag = NULL;
    admin_load_done(d->admin, &load);
    diag_free(load.diag);
    if (reload->fresh)
        retire(reload, reload->fresh);
    reload->fresh = NULL;
    if (d->working)
        notify_send("READY=1");
    reload_next(reload);
}

static bool needs_restart(struct reload *reload)
{
    struct diag *changed = diag_new(CONFIGURATION_DIAG_MOST);
    bool needed = conf_restart_needed(reload->daemon->configuration->conf, reload->fresh->conf, changed);
    if (needed)
        reload->err = ERR_DENIED;
    diag_log(changed);
    diag_merge(reload->diag, changed);
    diag_free(changed);
    return needed;
}

static void put_in_force(struct reload *reload)
{
    struct daemon *d = reload->daemon;
    struct configuration *old = d->configuration;
    d->configuration = reload->fresh;
    reload->fresh = NULL;
    d->diag = reload->diag;
    reload->diag = NULL;
    on_change_use(d->on_change, &d->configuration->health->on_change);
    retire(reload, old);
    wiring_set_resolvers(d->balance, d->configuration);
    balance_set_plan(d->balance, &d->configuration->annotations); /* each zone's pools follow when it has been loaded */
    limit_log_before_change(&d->limit_log, d->configuration->answer->limit.log_only);
    wiring_publish_settings(&d->shared, d->configuration);
    wiring_set_sync(d);
    if (store_load(d->store, &d->configuration->plan, daemon_zones_loaded, d))
        abort(); /* reload_start has seen that no load runs, and only we start any */
}

static void read_done(struct job *job)
{
    struct reload *reload = of_job(job);
    reload->running = false;
    if (reload->daemon->stopping) {
        configuration_free(reload->fresh);
        diag_free(reload->diag);
        reload->fresh = NULL;
        reload->diag = NULL;
    } else if (reload->err || needs_restart(reload)) {
        refuse(reload);
    } else {
        put_in_force(reload);
    }
}

struct reload *reload_new(struct daemon *daemon)
{
    struct reload *reload = mem_zalloc(1, sizeof *reload);
    reload->daemon = daemon;
    return reload;
}

void reload_free(struct reload *reload)
{
    free(reload);
}

/* A signal may come before the first load has begun. */
static bool may_load(const struct reload *reload)
{
    const struct daemon *d = reload->daemon;
    return !reload->running && !store_loading(d->store) && d->probing;
}

enum err reload_start(struct reload *reload)
{
    struct daemon *d = reload->daemon;
    if (d->stopping)
        return ERR_CLOSED;
    if (!may_load(reload))
        return ERR_BUSY;
    log_notice("reloading \"%s\"", d->conf_path);
    notify_reloading();
    admin_load_begins(d->admin);
    reload->running = true;
    job_run(&d->loop, &reload->job, read_work, read_done);
    return ERR_OK;
}

static void zone_loaded(void *arg, struct store_report *report)
{
    struct reload *reload = arg;
    if (reload->daemon->stopping)
        return;
    reload->zone_fn(reload->zone_arg, report);
    reload_next(reload);
}

enum err reload_zone(struct reload *reload, const uint8_t *apex, enum store_load_how how, store_report_fn *fn,
                     void *arg)
{
    const struct daemon *d = reload->daemon;
    if (d->stopping)
        return ERR_CLOSED;
    if (!may_load(reload))
        return ERR_BUSY;
    reload->zone_fn = fn;
    reload->zone_arg = arg;
    return store_load_zone(d->store, apex, how, zone_loaded, reload);
}

void reload_want(struct reload *reload)
{
    if (reload_start(reload) == ERR_BUSY)
        reload->again = true;
}

void reload_next(struct reload *reload)
{
    if (!reload->again)
        return;
    reload->again = false;
    reload_want(reload);
}

bool reload_running(const struct reload *reload)
{
    return reload->running || reload->retiring;
}
