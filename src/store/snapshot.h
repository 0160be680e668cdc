/* Snapshots: a zone version as a file, whole. A changeset in the journal leads on from one (store/history.h), and with
 * it a zone comes back after a restart without its text or its primary.
 *
 * A file has a head (what it is and of which zone, serial and sequence number), the records, and a checksum over all
 * before it; all or nothing of it is taken. It is written under another name, made durable and then renamed, so there
 * is always a whole one: the old one or the new one. Its name is made from the zone's name, of any bytes and length.
 *
 * Everything blocks on the disk: [job]; one at a time for a zone. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "zone/records.h"
#include "zone/version.h"

enum { SNAPSHOT_WHY_MAX = 256 };

struct snapshot_head {
    uint32_t serial;
    uint64_t seq;     /* changesets up to it are in the snapshot (store/history_record.h) */
    uint64_t wall_ms; /* when it was written */
};

/* The folder of all snapshots, "STATE_DIR/zones", to be freed: made if need be (mode 0700), and cleared of what a crash
 * left of unfinished ones. ERR_IO with a sentence in `why`, *dir NULL. [before jobs run] */
enum err snapshot_dir_make(char **dir, const char *state_dir, char why[SNAPSHOT_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The file of the zone `apex` (any case) in `dir`, to be freed. [any thread] */
char *snapshot_path(const char *dir, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;

/* Writes `version`, which the caller holds and which is the one after changeset `seq`. ERR_OK: it is durable. ERR_IO
 * with a sentence in `why`: the one before it stays (or, when only the folder could not be made durable, either may be
 * found after a crash). */
enum err snapshot_write(const char *dir, const struct zone_version *version, uint64_t seq,
                        char why[SNAPSHOT_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* *records, the caller's: sorted, their owners within the zone, their rdata valid. `key` as for zone_records_new. Each
 * error with a sentence in `why`: ERR_NOT_FOUND (there is none), ERR_INVALID (it is damaged, cut short, of another zone
 * or version, or something else), ERR_IO. */
enum err snapshot_read(struct zone_records **records, struct snapshot_head *head, const char *dir, const uint8_t *apex,
                       const struct hash_key *key, char why[SNAPSHOT_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Its sequence number, by a look at the head alone; 0: there is no snapshot of the zone that could be read. */
uint64_t snapshot_seq(const char *dir, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Renames the file, to *name (to be freed). ERR_NOT_FOUND: there is none; ERR_IO; each with a sentence in `why`. */
enum err snapshot_set_aside(char **name, const char *dir, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What is not there needs no removing. ERR_IO with a sentence in `why`. */
enum err snapshot_remove(const char *dir, const uint8_t *apex, char why[SNAPSHOT_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
