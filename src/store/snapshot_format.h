/* Private to snapshot*.c: what a snapshot file begins with, and buffers to write and read one in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/name.h"
#include "store/packed.h"
#include "store/snapshot.h"

/* The head: SNAPSHOT_MAGIC, the version, the zone's name behind its length, serial, sequence number, time, records. */
#define SNAPSHOT_MAGIC "rondozon"
enum { SNAPSHOT_MAGIC_LEN = 8, SNAPSHOT_VERSION = 1 };
enum { SNAPSHOT_HEAD_MAX = SNAPSHOT_MAGIC_LEN + 1 + 1 + NAME_MAX_LEN + 4 + 8 + 8 + 8 };

/* Any record fits in it behind some of the one before. */
enum { SNAPSHOT_BUFFER_LEN = 256 * 1024 };
_Static_assert((size_t)SNAPSHOT_BUFFER_LEN >= 2 * (size_t)PACKED_MAX, "a record and what is left of the last one");

/* Makes `why` the system's sentence for `error`; returns ERR_IO. */
enum err snapshot_tell(char why[SNAPSHOT_WHY_MAX], int error) ATTR_NONNULL_ALL;
