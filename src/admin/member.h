/* Which member a command is about: a pool's name and an address, as an operator wrote them. [control] */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "balance/operate.h"
#include "base/arena.h"
#include "base/attr.h"
#include "ctl/ctl.h"
#include "dns/name.h"

struct member_ask {
    const char *pool, *address; /* without a final dot; canonical */
    uint8_t owner[NAME_MAX_LEN];
    struct operate_member *members; /* one for each zone that has the pool with it */
    size_t cnt;
    struct arena arena; /* of all these */
};

void member_ask_fini(struct member_ask *ask) ATTR_NONNULL_ALL;
/* NULL, or what is wrong, with what may have been meant (free()); then there is nothing to fini. */
char *member_find(struct member_ask *ask, const struct balance *balance, const char *pool,
                  const char *address) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The same among orders of that kind, be their members there or not. */
char *member_find_order(struct member_ask *ask, const struct balance *balance, enum operate_kind kind, const char *pool,
                        const char *address) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The member in each of its zones, as `pools` shows it. */
json_t *member_ask_json(const struct member_ask *ask, const struct balance *balance) ATTR_NONNULL_ALL ATTR_MUST_USE;
