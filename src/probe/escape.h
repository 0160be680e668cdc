/* What a check says, as people write it: text in which \r \n \t \\ and \xHH stand for bytes, any of them, NUL too. (The
 * configuration's own syntax knows most of these; what it has turned into bytes already is taken as it is, so that
 * "PING\r\n" and "PING\\r\\n" are the same there.) Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/probe.h"

enum { ESCAPE_MAX = 1024 };

/* False: a "\" that begins none of them, or more than ESCAPE_MAX bytes. */
bool escape_read(uint8_t out[ESCAPE_MAX], size_t *len, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* As struct kind's pack, for kinds that say what their row's `send` is, and have nothing else. */
uint8_t *escape_pack(const struct probe_spec *spec, size_t *len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What is wrong with `send`; NULL: nothing. */
const char *escape_problem(const char *text);
