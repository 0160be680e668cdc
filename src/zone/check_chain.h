/* Whether the NSEC or NSEC3 chain of a signed version is a closed circle: what each record names as the next one is
 * what stands next in canonical order. Where it is not, answers prove what is not so, or nothing. A warning: a broken
 * chain is served as it is, as by BIND. */
#pragma once

#include "base/attr.h"
#include "base/diag.h"

struct zone_version;

/* [builder] A look at each record of the chain. */
void zone_check_chain(const struct zone_version *version, struct diag *diag) ATTR_NONNULL_ALL;
