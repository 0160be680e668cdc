/* What checks have found, as it is carried over a restart: the door to the prober's memory for who keeps it. All of it
 * is nothing where nothing is probed. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balance/balance.h"
#include "base/attr.h"
#include "health/memory.h"

/* What a former process knew (copied): targets that come begin with it, until it is forgotten. */
void balance_remember(struct balance *balance, const struct health_memory *memories, size_t cnt) ATTR_NONNULL(1);
void balance_forget(struct balance *balance) ATTR_NONNULL_ALL;
/* What counts of a target: during a hold not what checks say. False: nothing, or there is no such target. */
bool balance_recall(const struct balance *balance, uint32_t target, struct health_memory *memory)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Targets are numbered from 1 on, below this. */
uint32_t balance_target_end(const struct balance *balance) ATTR_NONNULL_ALL;
/* `fn` is called with every target that has something to tell. One at a time; NULL: nobody. */
void balance_on_verdict(struct balance *balance, void (*fn)(void *arg, uint32_t target), void *arg) ATTR_NONNULL(1);
