#include "daemon/configuration.h"

#include <stdlib.h>

#include "base/mem.h"
#include "daemon/wiring.h"

static enum err make_plan(struct configuration *c, struct diag *diag)
{
    struct opt_list zones = conf_list(c->conf, &store_zone_opt_table);
    struct opt_list templates = conf_list(c->conf, &store_template_opt_table);
    return store_plan_make(&c->plan, conf_group(c->conf, &store_server_opt_table), &zones, &templates, diag);
}

enum err configuration_load(struct configuration **configuration, const char *path, struct diag *diag)
{
    struct configuration *c = mem_zalloc(1, sizeof *c);
    *configuration = NULL;
    enum err e = conf_load(&c->conf, path, wiring_opt_tables, wiring_opt_table_cnt, diag);
    if (!e)
        e = make_plan(c, diag);
    if (e) {
        configuration_free(c);
        return e;
    }
    c->daemon = conf_group(c->conf, &daemon_opt_table);
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
    if (configuration->conf)
        conf_free(configuration->conf);
    free(configuration);
}
