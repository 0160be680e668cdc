/* The whole configuration as one thing that is built, swapped and thrown away: the option
 * structs of all modules and the plan of the zones. */
#pragma once

#include "admin/admin.h"
#include "answer/keys.h"
#include "answer/options.h"
#include "answer/sites.h"
#include "balance/balance.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "conf/conf.h"
#include "daemon/options.h"
#include "io/io.h"
#include "store/store.h"
#include "sync/plan.h"

struct configuration {
    struct conf *conf;
    struct store_plan *plan; /* NULL once the store has taken it */
    struct sync_plan *sync;    /* NULL once sync has taken it */
    struct balance_plan *annotations; /* NULL once balance has taken them */
    struct tsig_keys *keys;    /* NULL once the workers' settings have taken them */
    struct answer_sites *sites; /* likewise */
    const struct daemon_options *daemon;
    const struct daemon_health_options *health;
    const struct io_options *io;
    const struct answer_options *answer;
    const struct admin_options *admin;
};

void configuration_free(struct configuration *configuration);
/* Reads and validates `path`. `sites` are those in force, NULL at the start; they must stay during the call. Everything
 * wrong goes to `diag`; ERR_INVALID then, and NULL. [any thread] */
enum err configuration_load(struct configuration **configuration, const char *path, const struct answer_sites *sites,
                            struct diag *diag) ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;

/* The most messages that are kept of one configuration. */
enum { CONFIGURATION_DIAG_MOST = 1000 };
