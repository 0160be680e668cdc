/* A string that grows, and what is said of an option, for conf/sample.c and conf/man.c. Private to conf; one thread at
 * a time. */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/opt.h"

struct conf_text {
    char *bytes; /* terminated; NULL while empty */
    size_t len, cap;
};

void conf_text_add(struct conf_text *text, const char *fmt, ...) ATTR_PRINTF(2, 3) ATTR_NONNULL_ALL;
/* `words` broken into lines of at most `width` columns, each after `prefix`. */
void conf_text_wrap(struct conf_text *text, const char *prefix, const char *words, size_t width) ATTR_NONNULL_ALL;
/* The string, never NULL; the caller frees it. */
char *conf_text_take(struct conf_text *text) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;

/* "Expected: a whole number from 0 to 9. Default: 5. A change needs a restart."; the caller frees it. */
char *conf_text_facts(const struct opt *opt) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
