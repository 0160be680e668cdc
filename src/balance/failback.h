/* Pools that stay on a worse tier although a better one is good again, as their `failback` says, and the way back by
 * order. [control] */
#pragma once

#include "balance/balance.h"

/* The pools of `owner` (wire) go back to the tier that is best now. ERR_NOT_FOUND: there is none of that name. *cnt:
 * those that stayed. */
enum err balance_failback(struct balance *balance, const uint8_t *owner, size_t *cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* All that stay; returns their number. */
size_t balance_failback_all(struct balance *balance) ATTR_NONNULL_ALL;
