/* The bytes in which a zone's changes, and what is known of its history, are kept in the journal. Every record has a
 * version and a checksum over its key and value; what is not just as it was written is no record. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/name.h"
#include "zone/changeset.h"

/* Keys: a zone's name in wire form, lower-cased, which no other name's bytes begin with; of a changeset, its sequence
 * number behind it (eight bytes), so that a zone's changesets stand together, in order. */
enum { HISTORY_ZONE_KEY_MAX = NAME_MAX_LEN, HISTORY_KEY_MAX = NAME_MAX_LEN + 8 };

/* Return the length. `apex` in any case. */
size_t history_zone_key(uint8_t key[HISTORY_ZONE_KEY_MAX], const uint8_t *apex) ATTR_NONNULL_ALL;
size_t history_key(uint8_t key[HISTORY_KEY_MAX], const uint8_t *apex, uint64_t seq) ATTR_NONNULL_ALL;
/* The sequence number of a changeset's key; false: it is not of this zone. */
bool history_key_seq(uint64_t *seq, const uint8_t *apex, const uint8_t *key, size_t key_len) ATTR_NONNULL_ALL;

/* ---- changesets */

/* The bytes that a changeset takes; its owners are within the zone. */
size_t history_changes_len(const struct changeset *changes) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Writes `len` bytes, as many as history_changes_len said. */
void history_changes_put(uint8_t *value, size_t len, const struct changeset *changes, const uint8_t *key,
                         size_t key_len) ATTR_NONNULL_ALL;
/* The two serials, unchecked: for a look at many. False: too short for any. */
bool history_changes_peek(uint32_t *from, uint32_t *to, const uint8_t *value, size_t value_len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* *changes (the caller's) sorted, with valid rdata. `hash_key` as for zone_records_new. ERR_SYNTAX: it is no such
 * record; ERR_UNSUPPORTED: of another version. What it allocates is bounded by
 * `value_len`, some 40 times that at worst. */
enum err history_changes_read(struct changeset **changes, const uint8_t *key, size_t key_len, const uint8_t *value,
                              size_t value_len, const struct hash_key *hash_key) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* ---- zones */

enum { HISTORY_DIGEST_LEN = 32 };
enum history_flag {
    HISTORY_HAS_UPDATES = 1, /* changes that the zone's file lacks */
    HISTORY_HAS_SOURCE = 2,  /* what is said of the source is known */
    HISTORY_IS_FROZEN = 4,   /* updates are refused, as somebody edits the file */
};

/* Of a zone that has a history; all zero: it has none so far. */
struct history_zone {
    uint32_t serial;            /* after the last change */
    uint64_t seq;               /* of the last change; the first is 1 */
    uint32_t checkpoint_serial; /* of the snapshot */
    uint64_t checkpoint_seq;    /* changes up to it are in the snapshot; those behind it are all kept */
    uint64_t dropped_seq;       /* changes up to it are no more; never above checkpoint_seq */
    uint32_t source_serial;     /* of the zone's text when it was last taken */
    uint8_t source_digest[HISTORY_DIGEST_LEN]; /* of the bytes of that text, and how many */
    uint64_t source_len;
    uint64_t source_seq;     /* changes behind it are none of that text */
    uint32_t flags;          /* enum history_flag; others are kept */
    uint64_t changed_wall_ms; /* the last change */
};

enum { HISTORY_ZONE_VALUE_LEN = 1 + 4 + 8 + 4 + 8 + 8 + 4 + HISTORY_DIGEST_LEN + 8 + 8 + 4 + 8 + 8 };
void history_zone_value(uint8_t value[HISTORY_ZONE_VALUE_LEN], const uint8_t *key, size_t key_len,
                        const struct history_zone *zone) ATTR_NONNULL_ALL;
/* ERR_SYNTAX, ERR_UNSUPPORTED as above. */
enum err history_zone_read(struct history_zone *zone, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len) ATTR_NONNULL_ALL ATTR_MUST_USE;
