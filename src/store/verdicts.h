/* What checks have found, kept over a restart: a record a target, under the digest of its check, and the time until
 * which they were true. Records are written when something of them changes that a verdict hangs on; at the end all are.
 * [control] */
#pragma once

#include <uv.h>

#include "balance/balance.h"
#include "base/attr.h"
#include "base/diag.h"
#include "store/journal.h"
#include "store/lmdb.h"

struct verdicts;

/* Its handles go with the loop's next rounds. NULL is nothing. */
void verdicts_close(struct verdicts *verdicts);
struct verdicts *verdicts_new(uv_loop_t *loop, struct balance *balance)
    ATTR_FREED_BY(verdicts_close) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Reads what is kept, and gives it to balance when it is no older than HEALTH_MEMORY_MS. [before the loop runs] */
void verdicts_load(struct verdicts *verdicts, struct lmdb *lmdb, struct diag *diag) ATTR_NONNULL_ALL;
/* From now on they are kept, transitions at once, all else in passes over all targets. */
void verdicts_start(struct verdicts *verdicts, struct journal *journal) ATTR_NONNULL_ALL;
/* The last time, with all that was measured. Takes as long as it takes: nothing else is to be done any more. */
void verdicts_end(struct verdicts *verdicts) ATTR_NONNULL_ALL;
