/* Copies of filled option structs whose strings and lists belong to an arena, for whoever outlives the configuration
 * that they were filled from. */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/opt.h"

/* A copy of `filled`, a struct of `table` (without sub groups), with everything that its rows point to. A struct
 * opt_where keeps `is_broken` alone. */
void *opt_copy(struct arena *arena, const void *filled, const struct opt_table *table)
    ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;
