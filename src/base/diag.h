/* What a user got wrong, collected with file and line so that everything is shown at once. Modules add, `daemon` and
 * `tools` show. At most `most` entries are kept; the rest are only counted. An error that comes when
 * they are full takes the place of the last warning: errors are what has to be seen. One thread at a time. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag_entry {
    enum diag_level level;
    unsigned line;    /* 0: not about a line */
    const char *file; /* NULL: not about a file */
    const char *text;
};

struct diag;

void diag_free(struct diag *diag);
struct diag *diag_new(size_t most) ATTR_FREED_BY(diag_free) ATTR_MUST_USE;

/* `file` (may be NULL) is copied. */
void diag_add(struct diag *diag, enum diag_level level, const char *file, unsigned line, const char *fmt, ...)
    ATTR_PRINTF(5, 6) ATTR_NONNULL(1, 5);
#define diag_error(diag, file, line, ...) diag_add(diag, DIAG_ERROR, file, line, __VA_ARGS__)
#define diag_warning(diag, file, line, ...) diag_add(diag, DIAG_WARNING, file, line, __VA_ARGS__)

/* From now on what is added without a file is about `file` (copied). */
void diag_set_file(struct diag *diag, const char *file) ATTR_NONNULL_ALL;

/* How many were added at that level, kept or not. */
size_t diag_cnt(const struct diag *diag, enum diag_level level) ATTR_NONNULL_ALL;
/* The kept ones, in the order of adding; valid until the next diag_add or diag_free. NULL past the end. */
const struct diag_entry *diag_at(const struct diag *diag, size_t index) ATTR_NONNULL_ALL;
/* Adds all of `from` to `to`. */
void diag_merge(struct diag *to, const struct diag *from) ATTR_NONNULL_ALL;
/* By file, in the order in which they are mentioned first, and line; entries about the same line stay in order. */
void diag_sort(struct diag *diag) ATTR_NONNULL_ALL;
/* "FILE:LINE: error: TEXT" (parts that are unknown left out) into `out`, always
 * terminated; returns the length that was needed. */
size_t diag_format(char *out, size_t cap, const struct diag_entry *entry) ATTR_NONNULL_ALL;
/* Every entry as a log line at its level, then "N more errors, M more warnings
 * not shown" where any were only counted. */
void diag_log(const struct diag *diag) ATTR_NONNULL_ALL;
