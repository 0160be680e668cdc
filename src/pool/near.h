/* The step "near" of pool_choose: clients of a site get its members. */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "pool/pool.h"

/* pool_choose for settings with a site. */
void pool_near_choose(struct pool_choice *choice, const struct pool_settings *settings,
                      const struct pool_member *members, size_t cnt) ATTR_NONNULL(1, 2);
