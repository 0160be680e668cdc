/* What survives a restart beside configuration and zone files: operators' orders (drains, forced states), and what
 * checks have found so far. Kept in server.state_dir by the journal (store/journal.h); put in force through balance.
 * Where the folder can't be used, everything works but what needs it, and says why.
 *
 * Life: state_open before zones are loaded, with no other thread running yet; state_follow once the first have been;
 * state_end, then the loop runs until state_ended, then state_close, all before balance_free. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "balance/operate.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "store/state_record.h"

struct state;

/* Waits for what is not durable yet. Its handle goes with the loop's next round. NULL is nothing. */
void state_close(struct state *state);
/* Opens `dir`, and gives `balance` (borrowed until state_close) what is kept there. ERR_BUSY with an error in `diag`:
 * another rondod has it. ERR_OK with warnings: the folder can't be used, something in it was damaged. */
enum err state_open(struct state **state, uv_loop_t *loop, const char *dir, struct balance *balance, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;

/* Where things are kept; NULL: the folder can't be used. Until state_close. */
struct journal;
struct journal *state_journal(const struct state *state) ATTR_NONNULL_ALL;
/* The first zones have been loaded: from now on what checks find is kept, transitions at once, all else within half a
 * minute. */
void state_follow(struct state *state) ATTR_NONNULL_ALL;
/* Keeps it a last time; the loop runs on until that is durable, or has failed. */
void state_end(struct state *state) ATTR_NONNULL_ALL;
bool state_ended(const struct state *state) ATTR_NONNULL_ALL;

/* An order for one member in as many zones as have it; NULL lifts it. First it is made durable, then put in force; then
 * `fn` is called, once. `why`: it could not be kept, nothing has changed. */
void state_order(struct state *state, const struct operate_member *members, size_t cnt, enum operate_kind kind,
                 const struct operate_order *order, void (*fn)(void *arg, const char *why), void *arg)
    ATTR_NONNULL(1, 2, 6);
