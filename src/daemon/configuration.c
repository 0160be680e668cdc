#include "daemon/configuration.h"

#include <assert.h>
#include <stdlib.h>

#include "balance/hold.h"
#include "base/arena.h"
#include "base/mem.h"
#include "daemon/wiring.h"
#include "dns/name.h"
#include "probe/probe.h"
#include "zone/access.h"

static enum err make_plan(struct configuration *c, struct diag *diag)
{
    struct opt_list zones = conf_list(c->conf, &store_zone_opt_table);
    struct opt_list templates = conf_list(c->conf, &store_template_opt_table);
    return store_plan_make(&c->plan, conf_group(c->conf, &store_server_opt_table), &zones, &templates, diag);
}

/* Every row's apex, in the file's order; NULL: it has none, and whoever made the zones' plan has said so. */
static void find_apexes(const uint8_t **apexes, struct arena *arena, const struct opt_list *zones)
{
    const struct store_zone_options *rows = zones->items;
    for (size_t i = 0; i < zones->cnt; i++) {
        uint8_t apex[NAME_MAX_LEN];
        if (!store_zone_apex(apex, &rows[i]))
            apexes[i] = arena_dup(arena, apex, name_len(apex), 1);
    }
}

static enum err make_annotations(struct configuration *c, struct diag *diag)
{
    struct opt_list zones = conf_list(c->conf, &store_zone_opt_table);
    struct opt_list groups = conf_list(c->conf, &balance_zone_opt_table);
    struct opt_list probes = conf_list(c->conf, &probe_opt_table);
    struct arena arena;
    arena_init(&arena);
    const uint8_t **apexes = mem_zalloc(zones.cnt, sizeof *apexes);
    find_apexes(apexes, &arena, &zones);
    enum err e = balance_plan_make(&c->annotations, &groups, apexes, &probes, c->sites, diag);
    if (!e)
        balance_plan_limit(c->annotations, conf_group(c->conf, &probe_health_opt_table), &probes, diag);
    free(apexes);
    arena_fini(&arena);
    if (!e)
        e = balance_plan_set_health(c->annotations, conf_group(c->conf, &balance_health_opt_table), &probes, diag);
    return e;
}

static enum err make_keys(struct configuration *c, struct diag *diag)
{
    struct opt_list rows = conf_list(c->conf, &answer_key_opt_table);
    return answer_keys_make(&c->keys, &rows, diag);
}

static enum err make_sites(struct configuration *c, const struct answer_sites *before, struct diag *diag)
{
    struct opt_list rows = conf_list(c->conf, &answer_site_opt_table);
    return answer_sites_make(&c->sites, &rows, before, diag);
}

/* Both plans have every zone once, in canonical order. */
static void join_plans(const struct configuration *c)
{
    assert(c->plan->cnt == c->sync->cnt);
    for (size_t i = 0; i < c->plan->cnt; i++) {
        const struct sync_zone *zone = &c->sync->zones[i];
        struct store_zone_conf *conf = &c->plan->zones[i];
        struct acl *transfer = acl_dup(zone->allow_transfer), *notify = acl_dup(zone->allow_notify);
        struct acl *update = acl_dup(zone->allow_update);
        assert(name_equal(conf->apex, zone->apex));
        conf->is_secondary = zone->is_secondary;
        if (transfer || notify || update)
            conf->access = zone_access_new(&transfer, &notify, &update);
    }
}

/* `keys` are there if they are good. */
static enum err make_sync(struct configuration *c, struct diag *diag)
{
    const struct sync_plan_rows rows = {
        .zones = conf_list(c->conf, &store_zone_opt_table),
        .zone_options = conf_list(c->conf, &sync_zone_opt_table),
        .templates = conf_list(c->conf, &store_template_opt_table),
        .template_options = conf_list(c->conf, &sync_template_opt_table),
    };
    return sync_plan_make(&c->sync, &rows, c->keys, diag);
}

/* What is wrong with keys, with sites, with zones and with their pools, all at once. */
static enum err make_plans(struct configuration *c, const struct answer_sites *sites_before, struct diag *diag)
{
    if (!conf_list(c->conf, &store_zone_opt_table).cnt)
        diag_warning(diag, NULL, 0, "no zone is configured: every query will be refused");
    enum err keys = make_keys(c, diag), sites = make_sites(c, sites_before, diag);
    enum err zones = make_plan(c, diag), sync = make_sync(c, diag), pools = make_annotations(c, diag);
    if (!zones && !sync)
        join_plans(c);
    return keys ? keys : sites ? sites : zones ? zones : sync ? sync : pools;
}

enum err configuration_load(struct configuration **configuration, const char *path, const struct answer_sites *sites,
                            struct diag *diag)
{
    struct configuration *c = mem_zalloc(1, sizeof *c);
    *configuration = NULL;
    enum err e = conf_load(&c->conf, path, wiring_opt_tables, wiring_opt_table_cnt, diag);
    /* Also of what has errors: what the plans find is not to come up only when those have been mended. */
    enum err planned = c->conf ? make_plans(c, sites, diag) : ERR_OK;
    diag_sort(diag);
    if (e || planned) {
        configuration_free(c);
        return e ? e : planned;
    }
    c->daemon = conf_group(c->conf, &daemon_opt_table);
    c->health = conf_group(c->conf, &daemon_health_opt_table);
    c->io = conf_group(c->conf, &io_opt_table);
    c->answer = conf_group(c->conf, &answer_opt_table);
    c->admin = conf_group(c->conf, &admin_opt_table);
    *configuration = c;
    return ERR_OK;
}

void configuration_free(struct configuration *configuration)
{
    if (!configuration)
        return;
    store_plan_free(configuration->plan);
    sync_plan_free(configuration->sync);
    balance_plan_free(configuration->annotations);
    tsig_keys_free(configuration->keys);
    answer_sites_free(configuration->sites);
    if (configuration->conf)
        conf_free(configuration->conf);
    free(configuration);
}
