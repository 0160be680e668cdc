/* Allocation for the control plane: out of memory ends the process with one log line, so callers
 * never check. The data plane allocates nothing after start and does not include this for its
 * query path. Any thread. Memory from here is released with free(). */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"

/* Says so in the log and ends the process; for allocators on top of the system's. */
void mem_exhausted(void) ATTR_NORETURN ATTR_COLD;
/* `cnt` × `size` bytes, zeroed; the product is checked for overflow. A size of 0 gives a pointer too. */
void *mem_zalloc(size_t cnt, size_t size) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* Grows or shrinks `p` (may be NULL) to `cnt` × `size` bytes; the product is checked for overflow. */
void *mem_realloc(void *p, size_t cnt, size_t size) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
void *mem_dup(const void *src, size_t len) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
char *mem_strdup(const char *s) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
char *mem_strndup(const char *s, size_t len) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* A new string, as by printf. */
char *mem_vprintf(const char *fmt, va_list args) ATTR_MUST_USE ATTR_RETURNS_NONNULL ATTR_PRINTF(1, 0);
char *mem_printf(const char *fmt, ...) ATTR_MUST_USE ATTR_RETURNS_NONNULL ATTR_PRINTF(1, 2);
