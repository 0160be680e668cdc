/* Text for a terminal: tables whose columns line up whatever the script (width by display, not by byte), and strings
 * from elsewhere (zone files, paths) that can do a terminal no harm. One thread. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"

/* A copy of `s` in which control characters, and bytes that are no UTF-8, stand as \xHH. */
char *table_clean(const char *s) ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* Columns that a cleaned string takes on a terminal. */
size_t table_width(const char *s) ATTR_NONNULL_ALL;

enum table_align { TABLE_LEFT, TABLE_RIGHT };
struct table_column {
    const char *head; /* NULL for all: a table without a head line */
    enum table_align align;
};

struct table;
void table_free(struct table *table);
/* `columns` is borrowed. */
struct table *table_new(const struct table_column *columns, size_t cnt)
    ATTR_FREED_BY(table_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The next cell, row by row from the left; the text is cleaned. NULL is "-". */
void table_add(struct table *table, const char *text) ATTR_NONNULL(1);
void table_addf(struct table *table, const char *fmt, ...) ATTR_PRINTF(2, 3) ATTR_NONNULL(1, 2);
void table_print(const struct table *table, FILE *out) ATTR_NONNULL_ALL;
