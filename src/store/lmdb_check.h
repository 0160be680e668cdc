/* Whether a file of databases is sound: LMDB follows what it finds in a damaged one wherever it leads. */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "store/lmdb.h"

/* Reads the file at `path` record by record in a process of its own, and puts the copy that it makes of them in its
 * place: what the old file said of its free pages, which LMDB follows when it writes, is then gone. Without a copy the
 * file is left as it is: there is no room for one, the file is large, or none of ours. ERR_OK also when there is none.
 * Errors with a sentence in `why`: ERR_INVALID (damaged, or no such file), ERR_IO (it could not be checked). No other
 * thread of the process may run that could hold a lock in fork(2). */
enum err lmdb_check(const char *path, char why[LMDB_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
