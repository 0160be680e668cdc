#include "daemon/wiring.h"

#include "balance/balance.h"
#include "daemon/options.h"
#include "daemon/reload.h"
#include "io/io.h"
#include "probe/probe.h"
#include "probe/rules.h"

/* In the order of the sample configuration and the man page. */
const struct opt_table *const wiring_opt_tables[] = {
    &io_opt_table,
    &answer_opt_table,
    &daemon_opt_table,
    &store_server_opt_table,
    &admin_opt_table,
    &answer_key_opt_table,
    &daemon_health_opt_table,
    &probe_health_opt_table,
    &answer_site_opt_table,
    &probe_opt_table,
    &store_template_opt_table,
    &store_zone_opt_table,
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

static enum err hook_reload(void *arg)
{
    struct daemon *daemon = arg;
    return reload_start(daemon->reload);
}

static void hook_stop(void *arg)
{
    daemon_stop(arg);
}

struct admin_hooks wiring_admin_hooks(struct daemon *daemon)
{
    return (struct admin_hooks){.arg = daemon, .start_reload = hook_reload, .stop = hook_stop};
}
