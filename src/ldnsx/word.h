/* Words of zone text → values: numbers, times, octets in their several notations. As strict as BIND 9.18. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "ldnsx/lex.h"

/* Decimal digits only, up to `most`. ERR_SYNTAX when it is no number (or stands in quotes), ERR_RANGE when it is too
 * large. */
enum err word_number(uint32_t *value, const struct word *word, uint32_t most) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A TTL or SOA timer, "3600" or "1w2d3h4m5s" in any case and order (as BIND). ERR_SYNTAX, ERR_RANGE above 32 bits. */
enum err word_period(uint32_t *seconds, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* YYYYMMDDHHmmSS (RFC 4034 3.2), the low 32 bits of the seconds since 1970. */
enum err word_time(uint32_t *seconds, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;

enum err word_ipv4(uint8_t out[4], const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err word_ipv6(uint8_t out[16], const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The octets of a word with its escapes (\DDD, \X) taken out, `most` at the most. ERR_SYNTAX: a bad escape; ERR_RANGE:
 * more. */
enum err word_octets(struct writer *out, const struct word *word, unsigned most) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The same as a character string (RFC 1035 3.3): a length byte, then at most 255 octets. */
enum err word_string(struct writer *out, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* Hexadecimal digits, base64 (RFC 4648 4) and base32hex without padding (RFC 4648 7) that may be cut into `cnt` words
 * anywhere. */
enum err words_hex(struct writer *out, const struct word *words, unsigned cnt) ATTR_NONNULL(1) ATTR_MUST_USE;
enum err words_base64(struct writer *out, const struct word *words, unsigned cnt) ATTR_NONNULL(1) ATTR_MUST_USE;
enum err word_base32hex(struct writer *out, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;

bool word_is(const struct word *word, const char *text) ATTR_NONNULL_ALL;
/* Value of a hexadecimal digit; -1: none. */
int hex_value(char c);

enum { WORD_SHOWN_MAX = 48 };
/* The word for a message: what does not print as \DDD, cut with "..."; returns `out`. */
char *word_show(char out[WORD_SHOWN_MAX], const struct word *word) ATTR_NONNULL_ALL;
