/* Single values of a parsed configuration → fields of structs, and what is told of them. Private to conf; one thread at
 * a time. */
#pragma once

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/opt.h"
#include "conf/fill.h"

/* Values and keys of the user's are cut to the first in messages. */
enum { CONF_SHOWN_MOST = 60, CONF_PLACE_MOST = 256 };

/* Adds an error where the setting stands; the struct being filled is broken then. */
void conf_value_tell(struct conf_fill *fill, const config_setting_t *setting, const char *fmt, ...)
    ATTR_PRINTF(3, 4) ATTR_NONNULL(1, 3);
/* "zones.balance.ttl" into `out`, which it returns; `key` may be NULL. */
const char *conf_value_place(char out[CONF_PLACE_MOST], const struct conf_place *place,
                             const char *key) ATTR_NONNULL(1, 2);
/* What the user wrote, as a message shows it. */
void conf_value_show(char *out, size_t cap, const config_setting_t *setting) ATTR_NONNULL_ALL;
/* Tells what was expected in place of what was got. */
void conf_value_refuse(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt,
                       const struct conf_place *place) ATTR_NONNULL_ALL;
/* Whether a setting has the type of the option's values, good ones or not. */
bool conf_value_fits(const struct opt *opt, const config_setting_t *setting) ATTR_NONNULL_ALL;
/* Fills the field of an option that is no group, a list or not; a bad value is refused, and the field, or the list,
 * left without it. */
void conf_value_fill(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                     const struct conf_place *place) ATTR_NONNULL_ALL;
/* Memory for an array, in the arena. */
void *conf_value_zeroed(struct conf_fill *fill, size_t cnt, size_t size) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
