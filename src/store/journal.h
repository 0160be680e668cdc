/* The journal: what must survive a restart, put into named databases by a thread of its own. Whoever wants something
 * kept fills a batch, hands it in, and is told on the loop when it is durable, or why it is not. The loop itself never
 * waits for a disk.
 *
 * Batches are numbered in the order in which they are handed in, and are told of in that order: durable(N) says that
 * everything up to N is. A batch is written as a whole or not at all; those that wait are written together, with one
 * flush.
 *
 * When one fails (the disk is full), so do all that were handed in behind it before its failure was told: what builds
 * on something that was not kept is not kept either. Nothing of them is in the databases. Later ones are tried anew.
 *
 * [control] but where a function says otherwise. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/lmdb.h"

struct journal;

/* Puts and deletes, to happen together and in that order. A batch is filled by one thread at a time, any. */
struct journal_batch;
void journal_batch_free(struct journal_batch *batch);
struct journal_batch *journal_batch_new(void) ATTR_FREED_BY(journal_batch_free) ATTR_MUST_USE;
/* Both are copied; a key has 1 to LMDB_KEY_MAX bytes. `database` is a literal. */
void journal_batch_put(struct journal_batch *batch, const char *database, const void *key, size_t key_len,
                       const void *value, size_t value_len) ATTR_NONNULL(1, 2, 3);
/* The same with room for the value, to be filled before anything else is done with the batch. */
uint8_t *journal_batch_room(struct journal_batch *batch, const char *database, const void *key, size_t key_len,
                            size_t value_len) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
void journal_batch_delete(struct journal_batch *batch, const char *database, const void *key,
                          size_t key_len) ATTR_NONNULL_ALL;
/* All keys from `first` to `last`, of the same length, both included. */
void journal_batch_delete_range(struct journal_batch *batch, const char *database, const void *first, const void *last,
                                size_t key_len) ATTR_NONNULL_ALL;
/* How many there are. */
size_t journal_batch_cnt(const struct journal_batch *batch) ATTR_NONNULL_ALL;

/* `why` NULL: batch `number` and all before it that were not said to have failed are durable. Else it has failed, for
 * that reason. */
typedef void journal_done_fn(void *arg, uint64_t number, const char *why);

/* Waits until everything handed in has been written or has failed, tells it (from within this call), ends the thread,
 * closes the databases. Its handle goes with the loop's next round. NULL is nothing. */
void journal_close(struct journal *journal);
/* Takes the databases (*lmdb becomes NULL) and starts the thread. ERR_IO (logged) when there can be none: they are
 * closed. */
enum err journal_open(struct journal **journal, uv_loop_t *loop, struct lmdb **lmdb) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Hands a batch in (taken); returns its number, the first is 1. `fn` (may be NULL) is called once, in a later turn of
 * the loop. Failures are logged here too, a few in ten seconds. */
uint64_t journal_write(struct journal *journal, struct journal_batch **batch, journal_done_fn *fn, void *arg)
    ATTR_NONNULL(1, 2);
/* Numbers that have not been told of yet: 0, nothing is under way. */
uint64_t journal_pending(const struct journal *journal) ATTR_NONNULL_ALL;
/* The databases, to be read from by any thread that may block (store/lmdb.h), until journal_close. */
struct lmdb *journal_lmdb(const struct journal *journal) ATTR_NONNULL_ALL ATTR_MUST_USE;
