/* Dynamic updates (RFC 2136) that workers have handed off: those of one zone that wait are judged in one job, become
 * one change, and are answered when that is durable and served; so many clients cost one commit. [control] */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "io/io.h"

struct sync;
struct updating;

/* Answers those that wait, and waits for the change under way (by running the loop). NULL is nothing. */
void updating_free(struct updating *updating);
struct updating *updating_new(struct sync *sync) ATTR_FREED_BY(updating_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Takes a hand-off of kind ANSWER_UPDATE, which becomes NULL. */
void updating_take(struct updating *updating, struct io_handoff **handoff) ATTR_NONNULL_ALL;
