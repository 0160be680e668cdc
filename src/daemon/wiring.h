/* Where modules that must not know each other meet: the option tables of all for conf, the settings of the query path,
 * the commands that admin cannot carry out itself. */
#pragma once

#include "answer/answer.h"
#include "base/attr.h"
#include "base/opt.h"
#include "daemon/daemon.h"

extern const struct opt_table *const wiring_opt_tables[];
extern const size_t wiring_opt_table_cnt;

/* Gives the workers new settings, with the configuration's keys and sites, which are taken; the old ones go after a
 * grace period. [control] */
void wiring_publish_settings(struct answer_shared *shared, struct configuration *configuration) ATTR_NONNULL_ALL;
/* The last ones; no reader may be left. */
void wiring_free_settings(struct answer_shared *shared) ATTR_NONNULL_ALL;

/* Balance reads names of hosts in the zones that are served. [control] */
void wiring_own_zones(struct daemon *daemon) ATTR_NONNULL_ALL;
/* The configuration's resolvers are asked from the next plan on. [control] */
void wiring_set_resolvers(struct balance *balance, const struct configuration *configuration) ATTR_NONNULL_ALL;

/* Zones are moved by the configuration's plan, which is taken. [control] */
void wiring_set_sync(struct daemon *daemon) ATTR_NONNULL_ALL;

struct admin_hooks wiring_admin_hooks(struct daemon *daemon) ATTR_NONNULL_ALL;
