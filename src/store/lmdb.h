/* A file of named databases that survive: ordered keys, each with a value, changed in transactions that are durable, or
 * have changed nothing, when they return. The only user of LMDB.
 *
 * Nothing of the file is trusted that was not written by this process: a file that exists is read record by record in a
 * process of its own before it is opened here, for LMDB follows what it finds in a damaged file wherever it leads; and
 * what is opened is the copy which that process makes, unless there is no room for one or the file is large.
 *
 * Everything blocks on the disk. Opening, closing and writing are of one thread at a time [before the loop runs, or the
 * journal thread]. Reading is [any thread that may block], also while another one writes: it sees what had been
 * committed when it began, and nothing else. But for growing the file, making a database and opening the file again
 * after an error LMDB must have it for itself: who writes then waits until all that read have ended, and no other
 * begins meanwhile. So to read is to be short: copy what is wanted, end, then work. A thread that reads must not
 * write. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* Of a key; what `why` has room for; databases of a file. */
enum { LMDB_KEY_MAX = 511, LMDB_WHY_MAX = 256, LMDB_DATABASES_MAX = 32 };
/* That read at a time; more wait. */
enum { LMDB_READERS_MOST = 64 };

struct lmdb;

/* NULL is nothing. */
void lmdb_close(struct lmdb *lmdb);
/* Opens the file at `path`, made (mode 0600) when missing, beside a file PATH-lock. No other thread of the process may
 * run that could hold a lock in fork(2). Errors with a sentence in `why`: ERR_INVALID (it is no file of ours, it is
 * damaged, or of a newer rondo: nothing of it was changed), ERR_IO. */
enum err lmdb_open(struct lmdb **lmdb, const char *path, char why[LMDB_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* A transaction being filled. */
struct lmdb_write;
/* May be called several times for one lmdb_write; must then do the same again. */
typedef void lmdb_fill_fn(void *arg, struct lmdb_write *write);
/* Runs `fill` within a transaction and commits it, growing the file as needed. ERR_IO with a sentence in `why` when the
 * disk is full or broken: nothing was changed, and the next call tries anew. */
enum err lmdb_write(struct lmdb *lmdb, lmdb_fill_fn *fill, void *arg, char why[LMDB_WHY_MAX])
    ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
/* A database is made with its first key. Errors are lmdb_write's to tell. A value may have any length, a key 1 to
 * LMDB_KEY_MAX bytes. */
void lmdb_put(struct lmdb_write *write, const char *database, const void *key, size_t key_len, const void *value,
              size_t value_len) ATTR_NONNULL(1, 2, 3);
/* What is not there needs no deleting. */
void lmdb_delete(struct lmdb_write *write, const char *database, const void *key, size_t key_len) ATTR_NONNULL_ALL;
/* All keys from `first` to `last`, both included, in order of bytes. */
void lmdb_delete_range(struct lmdb_write *write, const char *database, const void *first, size_t first_len,
                       const void *last, size_t last_len) ATTR_NONNULL_ALL;

/* What there is at one moment. What is read from it is valid until its end, and has no alignment. */
struct lmdb_read;
/* ERR_IO with a sentence in `why`: nothing has begun. */
enum err lmdb_read_begin(struct lmdb_read **read, struct lmdb *lmdb, char why[LMDB_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* NULL is nothing. */
void lmdb_read_end(struct lmdb_read *read);
/* False: that was enough. */
typedef bool lmdb_each_fn(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);
/* Keys in order of bytes, from the first one that is not before `from` (NULL and 0: the very first). ERR_IO with a
 * sentence in `why`. */
enum err lmdb_read_up(struct lmdb_read *read, const char *database, const void *from, size_t from_len, lmdb_each_fn *fn,
                      void *arg, char why[LMDB_WHY_MAX]) ATTR_NONNULL(1, 2, 5, 7) ATTR_MUST_USE;
/* In reverse order, from the last one that is not behind `from`. */
enum err lmdb_read_down(struct lmdb_read *read, const char *database, const void *from, size_t from_len,
                        lmdb_each_fn *fn, void *arg, char why[LMDB_WHY_MAX]) ATTR_NONNULL(1, 2, 3, 5, 7) ATTR_MUST_USE;

/* Every key of a database, in order of bytes; none when there is no such database. Both are valid during the call, and
 * have no alignment. ERR_IO with a sentence in `why`. */
enum err lmdb_each(struct lmdb *lmdb, const char *database,
                   void (*fn)(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
                   void *arg, char why[LMDB_WHY_MAX]) ATTR_NONNULL(1, 2, 3, 5) ATTR_MUST_USE;
