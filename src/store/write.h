/* A zone's file, written from the zone: so that it has what updates brought, and people can edit it.
 *
 * The file is written only where the zone has changes that it lacks, or where it is not there: to write it costs its
 * comments, its order and its $INCLUDEs. A file that somebody has changed since it was read is left alone. Of a
 * secondary, which reads no file, it is a copy, written whenever that is asked for.
 *
 * A zone is frozen to edit its file by hand: what it got by updates is written, then updates are refused until it is
 * thawed. Loads and transfers go on. Who takes updates asks struct store_making's is_frozen, as it may change until
 * then. A restart keeps it where there is a journal. [control] */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/store.h"

struct store_written {
    uint32_t serial;  /* of what the file has now */
    bool is_written;  /* false: the file had it already */
    const char *path;
};
/* ERR_OK and `written`, valid during the call; else `why`, a sentence: ERR_NOT_FOUND (no such zone), ERR_CLOSED (it has
 * no version), ERR_EXISTS (the file was changed, or it is frozen already, or is not), ERR_IO, ERR_LIMIT (what has been
 * done could not be kept). */
typedef void store_write_fn(void *arg, enum err err, const char *why, const struct store_written *written);

/* Each is a change (store/change.h): it waits for those before it; `fn` is called once, from the loop, and maybe within
 * this call when there is no such zone. `apex` is lower-cased. */
void store_write(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg) ATTR_NONNULL(1, 2, 3);
void store_freeze(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg) ATTR_NONNULL(1, 2, 3);
/* Whoever thaws has read the file before. */
void store_thaw(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg) ATTR_NONNULL(1, 2, 3);
/* False also where there is no such zone. */
bool store_is_frozen(const struct store *store, const uint8_t *apex) ATTR_NONNULL_ALL;
