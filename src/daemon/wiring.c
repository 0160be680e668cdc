#include "daemon/wiring.h"

#include "balance/balance.h"
#include "balance/hold.h"
#include "daemon/options.h"
#include "daemon/reload.h"
#include "io/io.h"
#include "probe/probe.h"
#include "probe/rules.h"
#include "probe/resolver.h"
#include "sync/options.h"
#include "zone/served.h"

/* In the order of the sample configuration and the man page. */
const struct opt_table *const wiring_opt_tables[] = {
    &io_opt_table,
    &answer_opt_table,
    &daemon_opt_table,
    &store_server_opt_table,
    &admin_opt_table,
    &answer_key_opt_table,
    &balance_health_opt_table,
    &daemon_health_opt_table,
    &probe_health_opt_table,
    &resolver_opt_table,
    &answer_site_opt_table,
    &probe_opt_table,
    &store_template_opt_table,
    &sync_template_opt_table,
    &store_zone_opt_table,
    &sync_zone_opt_table,
    &balance_zone_opt_table,
};
const size_t wiring_opt_table_cnt = sizeof wiring_opt_tables / sizeof *wiring_opt_tables;

void wiring_publish_settings(struct answer_shared *shared, struct configuration *configuration)
{
    struct answer_settings *was = shared->settings, *fresh = answer_settings_new(configuration->answer, was);
    answer_settings_take_keys(fresh, &configuration->keys);
    answer_settings_take_sites(fresh, &configuration->sites);
    rcu_publish(shared->settings, fresh);
    if (was)
        answer_settings_retire(was);
}

void wiring_free_settings(struct answer_shared *shared)
{
    answer_settings_free(shared->settings);
    shared->settings = NULL;
}

static void find_served(void *arg, const uint8_t *name, struct zone_served *served)
{
    const struct daemon *daemon = arg;
    if (daemon->shared.catalogue)
        zone_served_find(served, daemon->shared.catalogue, &daemon->shared.key, name);
}

void wiring_own_zones(struct daemon *daemon) { balance_set_own_zones(daemon->balance, find_served, daemon); }

void wiring_set_resolvers(struct balance *balance, const struct configuration *configuration)
{
    const struct resolver_options *options = conf_group(configuration->conf, &resolver_opt_table);
    balance_set_resolvers(balance, options->resolvers.items, options->resolvers.cnt);
}

void wiring_set_sync(struct daemon *daemon)
{
    const struct resolver_options *resolvers = conf_group(daemon->configuration->conf, &resolver_opt_table);
    sync_set_plan(daemon->sync, &daemon->configuration->sync, &daemon->configuration->io->listen,
                  &resolvers->resolvers);
}

static enum err hook_reload(void *arg)
{
    struct daemon *daemon = arg;
    return reload_start(daemon->reload);
}

static enum err hook_load_zone(void *arg, const uint8_t *apex, enum store_load_how how, store_report_fn *fn,
                               void *fn_arg)
{
    struct daemon *daemon = arg;
    return reload_zone(daemon->reload, apex, how, fn, fn_arg);
}

static void hook_stop(void *arg)
{
    daemon_stop(arg);
}

struct admin_hooks wiring_admin_hooks(struct daemon *daemon)
{
    return (struct admin_hooks){.arg = daemon, .start_reload = hook_reload, .load_zone = hook_load_zone,
                                .stop = hook_stop};
}
