/* Versions held while somebody reads them for longer than a turn: a transfer, a dump. [control] */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/store.h"
#include "zone/version.h"

struct lmdb;
struct store_zone;

/* A version that is held: it stays, whatever is published meanwhile. What it costs is what later versions replace of
 * it. */
struct store_held {
    struct zone_version *version;
    uint64_t seq;               /* of the last changeset in it, to read its history by; 0: it has none */
    const struct hash_key *key; /* of its zone */
    struct store *store;        /* private, like the next */
    struct store_zone *zone;
};
/* What the zone `apex` (lower-cased) serves now. ERR_NOT_FOUND: there is no such zone; ERR_CLOSED: it has no version
 * so far; ERR_TIMEOUT: what it has has expired. */
enum err store_hold(struct store *store, struct store_held *held, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Gives it back; nobody reads it any more. */
void store_unhold(struct store_held *held) ATTR_NONNULL_ALL;
/* Where histories are read; NULL: there is none. */
struct lmdb *store_lmdb(const struct store *store) ATTR_NONNULL_ALL;
