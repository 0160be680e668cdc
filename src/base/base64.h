/* Base64 text (RFC 4648 section 4), as secrets are written. Strict: only the alphabet, padded, and the bits that
 * padding leaves unused are 0, so that one value has one text. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* `len` characters → at most `cap` bytes, `*out_len` of them written. ERR_SYNTAX: not such text; ERR_RANGE: more than
 * `cap` bytes. What was written before the error stays in `out`: wipe it where it is a secret. */
enum err base64_decode(uint8_t *out, size_t *out_len, size_t cap, const char *text, size_t len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
