/* A file of networks: one prefix a line ("192.0.2.0/24", "2001:db8::/32", or an address alone), "#" begins a comment,
 * blanks and empty lines are of no account. So lists of a hundred thousand, as others publish them, need not stand in
 * the configuration. Any thread. */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/prefix.h"

/* The most bytes of a file. */
enum { NETWORKS_BYTES_MOST = 64 << 20 };

typedef void networks_fn(void *arg, const struct prefix *prefix, unsigned line);

/* Gives every network of a text; what is none goes to `diag`, line by line, as of `path`. Returns how many errors. */
size_t networks_parse(const char *text, size_t len, const char *path, networks_fn *fn, void *arg, struct diag *diag)
    ATTR_NONNULL(1, 3, 4, 6);
/* The same of a regular file; that it cannot be read is an error too. Blocks. */
size_t networks_read(const char *path, networks_fn *fn, void *arg, struct diag *diag) ATTR_NONNULL(1, 2, 4);
