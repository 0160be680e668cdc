/* What the files of store that speak with LMDB share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/lmdb.h"

/* Address space, not memory: the file grows with what is in it. Doubled when it is used up. */
enum { MAP_FIRST = 16 << 20 };

/* What a file of ours says of itself, by which it is told from other programs' LMDB files; 0: it does not. */
enum { LMDB_FORMAT = 1 };
uint32_t lmdb_format_of(MDB_txn *txn) ATTR_NONNULL_ALL;

/* An error of MDB or errno, 0: none; *env is NULL then. */
int lmdb_open_env(MDB_env **env, const char *path, size_t map_len, unsigned flags) ATTR_NONNULL_ALL;
/* `text` into `why`; returns `err`. */
enum err lmdb_tell(char why[LMDB_WHY_MAX], enum err err, const char *text) ATTR_NONNULL_ALL;
/* So that the name of the file at `path`, which is new, is there after the machine has failed, too. */
void lmdb_sync_folder(const char *path) ATTR_NONNULL_ALL;
