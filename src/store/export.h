/* What a zone serves, as text (store/dump.h) in a file that has no name: for somebody else to read at their pace, while
 * the zone goes on. The version is held only until the file is written. The file is in the folder of the snapshots, or
 * in memory where there is none, or no room; it takes the room until whoever has its descriptor closes it. [control] */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/store.h"

enum { STORE_EXPORTS_MOST = 4 /* that are written at a time */ };

struct store_exported {
    uint32_t serial;
    size_t rr_cnt;
    uint64_t bytes;
    int fd; /* the callee's, at its begin; -1: it could not be written */
};
/* `why` is a sentence, NULL: all went well. */
typedef void store_export_fn(void *arg, const char *why, const struct store_exported *exported);
/* `fn` is called once, from the loop, later, and before store_free returns. ERR_NOT_FOUND, ERR_CLOSED, ERR_TIMEOUT as
 * store_hold; ERR_LIMIT: there are STORE_EXPORTS_MOST already. Then it is not. */
enum err store_export(struct store *store, const uint8_t *apex, store_export_fn *fn, void *arg)
    ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
