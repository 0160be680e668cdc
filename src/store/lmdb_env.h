/* What the files of store that speak with LMDB share. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/lmdb.h"

/* A database that the environment has a handle of. */
struct lmdb_database {
    char *name;
    MDB_dbi dbi;
};

/* LMDB must be given another map, closed, or be asked for a handle of a database only while nobody reads; so whoever
 * writes is alone for that, and else writes beside readers. */
struct lmdb {
    MDB_env *env; /* NULL: to be opened again, for LMDB refuses to go on after a failed write of its head */
    char *path;
    size_t map_len;
    struct lmdb_database databases[LMDB_DATABASES_MAX]; /* all that the file has; changed by who is alone */
    unsigned database_cnt;
    pthread_mutex_t lock; /* "lmdb": of what follows, and of opening `env` */
    pthread_cond_t wake;
    unsigned reader_cnt;
    bool is_alone; /* who writes is, or waits to be: nobody else begins to read */
};

/* Of the lock's holder: opens `env` unless it is open. An error of MDB or errno, 0: none. */
int lmdb_reopen(struct lmdb *lmdb) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Of who reads or writes. NULL: there is no such database. */
const struct lmdb_database *lmdb_find_database(const struct lmdb *lmdb, const char *name) ATTR_NONNULL_ALL;

/* Address space, not memory: the file grows with what is in it. Doubled when it is used up. */
enum { MAP_FIRST = 16 << 20 };

/* What a file of ours says of itself, by which it is told from other programs' LMDB files; 0: it does not. */
enum { LMDB_FORMAT = 1 };
uint32_t lmdb_format_of(MDB_txn *txn) ATTR_NONNULL_ALL;

/* An error of MDB or errno, 0: none; *env is NULL then. */
int lmdb_open_env(MDB_env **env, const char *path, size_t map_len, unsigned flags) ATTR_NONNULL_ALL;
/* `text` into `why`; returns `err`. */
enum err lmdb_tell(char why[LMDB_WHY_MAX], enum err err, const char *text) ATTR_NONNULL_ALL;
/* The sentence of an error of MDB or errno; returns what it comes to for whoever opens the file. */
enum err lmdb_tell_error(char why[LMDB_WHY_MAX], int error) ATTR_NONNULL_ALL;
/* So that the name of the file at `path`, which is new, is there after the machine has failed, too. */
void lmdb_sync_folder(const char *path) ATTR_NONNULL_ALL;
