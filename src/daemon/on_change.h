/* The operator's command that is told of members that change (health.on_change): run by the spawn helper, a few at a
 * time, each for half a minute at most, and coalesced (daemon/change_queue.h). Whatever becomes of it holds up nobody
 * here; that it failed is logged. [control] */
#pragma once

#include <uv.h>

#include "balance/balance.h"
#include "base/attr.h"
#include "base/opt.h"

enum { ON_CHANGE_AT_ONCE = 4, ON_CHANGE_TIMEOUT_MS = 30 * 1000 };

struct on_change;

/* Commands that are under way are ended; the handle goes with the loop's next round. NULL is nothing. */
void on_change_close(struct on_change *on_change);
/* By this channel of the helper, borrowed. NULL when the system does not watch it, which is logged. */
struct on_change *on_change_open(uv_loop_t *loop, int spawn_fd) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* From now on this command (char *; none: nobody is told), borrowed until the next call. */
void on_change_use(struct on_change *on_change, const struct opt_list *command) ATTR_NONNULL_ALL;
/* For balance_on_change. */
void on_change_tell(void *on_change, const struct balance_change *change) ATTR_NONNULL_ALL;

/* What is wrong with a command, into `problem`; false: nothing. */
bool on_change_has_problem(char problem[], const struct opt_list *command) ATTR_NONNULL_ALL ATTR_MUST_USE;
