/* Failover, return and holds in the answers of `status`, `pools`, `failback` and `release`. */
#pragma once

#include <stddef.h>

#include <jansson.h>

#include "base/attr.h"
#include "tools/table.h"

/* Adds to the words on a member's state, and on a pool. */
void show_failover_member(char *out, size_t cap, const json_t *member) ATTR_NONNULL(1);
void show_failover_pool(char *out, size_t cap, const json_t *pool) ATTR_NONNULL(1);
/* A line when verdicts are held. */
void show_failover_hold(const json_t *hold);
/* Rows of `status`, where there is anything to say. */
void show_failover_status(struct table *table, const json_t *status) ATTR_NONNULL(1);
void show_failback(const json_t *data);
void show_release(const json_t *data);
