#include "daemon/wiring.h"

#include <stdlib.h>

#include "balance/balance.h"
#include "base/container.h"
#include "base/mem.h"
#include "daemon/options.h"
#include "daemon/reload.h"
#include "io/io.h"
#include "probe/probe.h"

/* In the order of the sample configuration and the man page. */
const struct opt_table *const wiring_opt_tables[] = {
    &io_opt_table,   &answer_opt_table,         &daemon_opt_table,     &store_server_opt_table, &admin_opt_table,
    &probe_opt_table, &store_template_opt_table, &store_zone_opt_table, &balance_zone_opt_table,
};
const size_t wiring_opt_table_cnt = sizeof wiring_opt_tables / sizeof *wiring_opt_tables;

/* Settings as they are published, with what their release needs. */
struct published {
    struct answer_settings settings;
    struct rcu_deferred deferred;
};

static struct published *of_settings(struct answer_settings *settings)
{
    return container_of(settings, struct published, settings);
}

static void free_published(struct rcu_deferred *deferred)
{
    free(container_of(deferred, struct published, deferred));
}

void wiring_publish_settings(struct answer_shared *shared, const struct answer_options *options)
{
    struct answer_settings *was = shared->settings;
    if (was && was->udp_payload == options->udp_payload)
        return;
    struct published *fresh = mem_zalloc(1, sizeof *fresh);
    fresh->settings.udp_payload = (uint16_t)options->udp_payload;
    rcu_publish(shared->settings, &fresh->settings);
    if (was)
        rcu_defer(&of_settings(was)->deferred, free_published);
}

void wiring_free_settings(struct answer_shared *shared)
{
    if (shared->settings)
        free(of_settings(shared->settings));
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
