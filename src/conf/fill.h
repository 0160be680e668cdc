/* A parsed configuration → structs, by option tables. Everything the structs point to comes from the arena. Private to
 * conf; one thread at a time. */
#pragma once

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/opt.h"
#include "conf/source.h"

struct conf_fill {
    struct arena *arena;
    struct diag *diag;
    const struct conf_source *source; /* of the settings; NULL: of a table's defaults */
    const char *folder;               /* where relative paths start: "" or with a final slash */
    struct conf_defaults *defaults;
    const char *last_file; /* in the arena */
    bool is_broken;        /* a key of the struct being filled was refused; not what lies in a group inside it */
};

/* Which group is being filled: "zones", "zones.balance", … */
struct conf_place {
    const struct conf_place *up;
    const char *name;
};

/* Tables that describe the same group. */
struct conf_tables {
    const struct opt_table *const *tables;
    size_t cnt;
};

/* Where a setting stands; the file's name is in the arena. NULL: nowhere, which gives the file only. */
struct opt_where conf_fill_where(struct conf_fill *fill, const config_setting_t *setting) ATTR_NONNULL(1);
/* Fills one struct a table from a group; NULL: a group that is absent, all defaults. What is wrong goes to the diag,
 * once: a mistyped key is read as the nearest one, unless that is given too, and a table's check is not asked of a
 * struct with errors. What was refused keeps its default, in lists of single values it is left out. */
void conf_fill_group(struct conf_fill *fill, const config_setting_t *group, const struct conf_tables *tables,
                     void *const *structs, const struct conf_place *place) ATTR_NONNULL(1, 3, 4, 5);
/* The same where something else stands in a group's place: all defaults, and marked as broken. */
void conf_fill_broken(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *tables,
                      void *const *structs, const struct conf_place *place) ATTR_NONNULL_ALL;
/* The groups of ( { … }, { … } ), or the one of { … }, each filled; the lists, one a table, have the same length and
 * order. */
void conf_fill_list(struct conf_fill *fill, const config_setting_t *list, const struct conf_tables *tables,
                    struct opt_list *lists, const struct conf_place *place) ATTR_NONNULL_ALL;
