/* UTF-8 text from others: what in it is well-formed, and what would do harm where people or terminals read it. Any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The length of the well-formed sequence (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF) at `s`, which
 * ends in a NUL byte, and its code point; 0 when there is none. */
unsigned utf8_next(const char *s, uint32_t *code) ATTR_NONNULL_ALL;
/* C0, DEL and C1; and the characters that turn or hide the text around them (bidirectional controls, zero width). */
bool utf8_is_harmful(uint32_t code) ATTR_PURE;
/* One line of text out of `len` bytes, of which what harms or is no UTF-8 becomes "?", a byte each, a tab a blank;
 * without blanks before and behind. Cut between characters to what `cap` holds, always terminated; returns `out`. */
char *utf8_clean(char *out, size_t cap, const char *bytes, size_t len) ATTR_NONNULL_ALL;
