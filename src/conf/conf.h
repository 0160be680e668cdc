/* The configuration file (libconfig syntax) → the option structs of all modules. Knows only base/opt.h: which keys
 * exist, their types and limits come from the tables. A configuration is built whole, validated, and immutable from
 * then on; the caller swaps it in or throws it away. Nothing here exits, whatever the file holds: @include is read by
 * ourselves (regular files, depth, cycles), integers are pre-scanned (libconfig 1.5 reads 4294967297 as 1). One thread
 * at a time (control, or a job). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"

struct conf;

void conf_free(struct conf *conf);
/* Reads `path` by `tables`. Tables with the same path describe the same group; `opt_table.list` says that it is written
 * ( {…}, … ). All errors (syntax: the first; the rest: every one) go to `diag` with file, line, what was expected and
 * the nearest known key. ERR_INVALID then; *conf is for nothing but to look for what only the caller can know to be
 * wrong, so that everything is shown at once, and NULL when not even that is possible (syntax, @include). What was
 * refused has its default in it, or nothing though the key is required (NULL, ADDR_NONE), and is left out of lists of
 * single values; opt_where says which structs that concerns. A file without any key is an error too. */
enum err conf_load(struct conf **conf, const char *path, const struct opt_table *const *tables, size_t cnt,
                   struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The same for a text, which may be empty, called `name` in messages; what it includes is relative to the folder of
 * `name`. */
enum err conf_load_text(struct conf **conf, const char *name, const char *text, size_t len,
                        const struct opt_table *const *tables, size_t cnt,
                        struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The struct that `table` (one of conf_load's, not a list) filled; all defaults when the group is absent. Owned by
 * `conf`. */
const void *conf_group(const struct conf *conf, const struct opt_table *table) ATTR_NONNULL_ALL;
/* The structs of a list table, in the file's order; lists of tables with the same path have the same length and order.
 * Owned by `conf`. */
struct opt_list conf_list(const struct conf *conf, const struct opt_table *table) ATTR_NONNULL_ALL;
/* True when a key with OPT_RESTART, in a table that is no list, has another value in one of two configurations of the
 * same tables; each is an error in `diag` ("server.listen was changed …") with file and line of the new value, or the
 * file alone where it has been left out. */
bool conf_restart_needed(const struct conf *was, const struct conf *is, struct diag *diag) ATTR_NONNULL_ALL;

/* conf/sample.c: the sample configuration, and the option list of rondo.conf(5) in mdoc or man macros, from the same
 * tables, into a new string. */
char *conf_sample_text(const struct opt_table *const *tables, size_t cnt) ATTR_MUST_USE ATTR_NONNULL_ALL;
char *conf_man_text(const struct opt_table *const *tables, size_t cnt) ATTR_MUST_USE ATTR_NONNULL_ALL;
