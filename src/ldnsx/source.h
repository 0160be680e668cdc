/* The files that zone text comes from: read whole into memory (a mapping could be cut short under us) and remembered by
 * a keyed hash of their bytes. Private to ldnsx. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "ldnsx/zonefile.h"

/* A file as the lexer wants it: a newline at its end, then a zero byte, none before. */
struct source_text {
    char *text; /* owned by whoever loaded it: free() */
    size_t len;
    const char *path; /* the sources' */
    dev_t dev;
    ino_t ino;
    bool cut; /* the last line had no end */
};

enum { SOURCE_WHY_MAX = 128 };
/* Below 4 GiB, so that a word's length fits 32 bits. */
#define SOURCE_BYTES_MAX UINT64_C(0xffff0000)

struct zonefile_sources *zonefile_sources_new(void) ATTR_FREED_BY(zonefile_sources_free) ATTR_MUST_USE;
/* Loads the regular file at `path` (never blocks, whatever stands there) and remembers it. ERR_IO, ERR_LIMIT or
 * ERR_INVALID with the reason in `why`: nothing to free then, but the path is remembered as changed. */
enum err source_load(struct source_text *source, struct zonefile_sources *sources, const char *path,
                     char why[SOURCE_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Makes a source_text out of bytes in memory, with the same checks. */
enum err source_from_bytes(struct source_text *source, const char *name, const char *bytes, size_t len,
                           char why[SOURCE_WHY_MAX]) ATTR_NONNULL(1, 2, 5) ATTR_MUST_USE;
