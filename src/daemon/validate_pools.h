/* What `rondod -t` says of pools. */
#pragma once

#include <stdbool.h>

#include "balance/balance.h"
#include "base/attr.h"
#include "base/diag.h"

/* Adds to `diag` what only tables can tell: weights that had to be rounded. */
void validate_pools_check(const struct balance *balance, struct diag *diag) ATTR_NONNULL_ALL;
/* How soon each pool notices a dead server and keeps all clients from it: the worst ten, or all, to standard output. */
void validate_pools_print(const struct balance *balance, bool all) ATTR_NONNULL_ALL;
