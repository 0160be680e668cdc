/* The probe thread: owns the sockets, the schedule and the rise/fall machines of all targets. Learns through the
 * exchange what is wanted and tells through it what it found. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "probe/exchange.h"
#include "probe/tally.h"

struct engine;

/* Ends the thread and every check; NULL is nothing. [control] */
void engine_stop(struct engine *engine);
/* Starts the thread. `wake` is called on it whenever an event waits after none did. ERR_IO (logged) when there can't be
 * one. [control] */
enum err engine_start(struct engine **engine, struct exchange *exchange, uint64_t first_within_ms,
                      void (*wake)(void *arg), void *arg) ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
/* Of checks under way at a time; 0: as many as descriptors allow. [control] */
void engine_set_checks_max(struct engine *engine, uint32_t checks_max) ATTR_NONNULL_ALL;
/* A wish waits. [control] */
void engine_wake(struct engine *engine) ATTR_NONNULL_ALL;
/* [any, while it runs] */
void engine_look(const struct engine *engine, struct tally_view *view) ATTR_NONNULL_ALL;
