/* Domain names in wire form (RFC 1035 3.1, 4343): labels with their lengths, ending in the root's 0, uncompressed,
 * at most 255 bytes. "Valid name" below means a pointer to such bytes that the caller has checked or made. Any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

enum {
    NAME_MAX_LEN = 255,     /* bytes with the root label */
    NAME_MAX_LABELS = 127,  /* without the root label */
    NAME_LABEL_MAX = 63,
    NAME_TEXT_MAX = 1010,   /* longest text, terminator included */
};

/* Lower-cases one ASCII byte, without branches or tables. */
static inline uint8_t name_lower_byte(uint8_t c) { return (uint8_t)(c | ((uint8_t)(c - 'A') < 26) << 5); }

/* A name taken apart in one pass: its lower-cased bytes, where labels begin, and the hash of each suffix. */
struct name_split {
    uint8_t len;                           /* bytes with the root label */
    uint8_t depth;                         /* labels without the root */
    uint8_t lower[NAME_MAX_LEN + 1];       /* lower-cased copy */
    uint8_t label_at[NAME_MAX_LABELS + 1]; /* offset of label i, i = 0 the leftmost; [depth] is the root's */
    uint64_t suffix_hash[NAME_MAX_LABELS + 1]; /* [d]: of the last d labels; [depth]: of all; [0]: the root */
};

/* Reads an uncompressed name at `r` (a question's name: a compression pointer there is an error) and fills `split`,
 * hashes too. ERR_SYNTAX for pointers, reserved label types, more than 255 bytes; ERR_SHORT when the input ends. `r`
 * is then behind the name. [query path] */
enum err name_split(struct name_split *split, struct reader *r, const struct hash_key *key)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The same for a valid name. */
void name_split_valid(struct name_split *split, const uint8_t *name, const struct hash_key *key) ATTR_NONNULL_ALL;
/* The hash of the name "*." + the suffix of depth `d`. */
uint64_t name_split_wildcard_hash(const struct name_split *split, unsigned d, const struct hash_key *key)
    ATTR_NONNULL_ALL ATTR_PURE;
/* The suffix of depth `d`, lower-cased: a pointer into `split`. */
static inline const uint8_t *name_split_suffix(const struct name_split *split, unsigned d)
{
    return split->lower + split->label_at[split->depth - d];
}

/* The hash of a valid name, whatever its case: equals suffix_hash[depth] of its split. */
uint64_t name_hash(const uint8_t *name, const struct hash_key *key) ATTR_NONNULL_ALL ATTR_PURE;

/* Bytes of a valid name, root label included. */
unsigned name_len(const uint8_t *name) ATTR_NONNULL_ALL ATTR_PURE;
/* Labels without the root. */
unsigned name_depth(const uint8_t *name) ATTR_NONNULL_ALL ATTR_PURE;
/* Case-insensitive (RFC 4343). */
bool name_equal(const uint8_t *a, const uint8_t *b) ATTR_NONNULL_ALL ATTR_PURE;
/* True when `name` is `ancestor` or below it. */
bool name_within(const uint8_t *name, const uint8_t *ancestor) ATTR_NONNULL_ALL ATTR_PURE;
/* The canonical order of RFC 4034 6.1; <0, 0, >0. */
int name_cmp(const uint8_t *a, const uint8_t *b) ATTR_NONNULL_ALL ATTR_PURE;
/* The suffix of `name` of depth `d` (≤ its depth): a pointer into it. */
const uint8_t *name_suffix(const uint8_t *name, unsigned d) ATTR_NONNULL_ALL ATTR_PURE;
/* Copies lower-cased; returns the length. */
unsigned name_to_lower(uint8_t out[NAME_MAX_LEN], const uint8_t *name) ATTR_NONNULL_ALL;

/* Checks `len` bytes for exactly one uncompressed name at their start; returns its length, 0 when there is none. */
unsigned name_check(const uint8_t *p, size_t len) ATTR_NONNULL_ALL ATTR_PURE;

/* Text (RFC 1035 5.1: \DDD and \X) → wire. A name without a final dot is relative to `origin`; NULL there: such a
 * name is taken as absolute. "@" is the origin, "." the root. ERR_SYNTAX (empty label, bad escape), ERR_RANGE (label
 * over 63, name over 255). `*len` the length written. */
enum err name_from_text(uint8_t out[NAME_MAX_LEN], unsigned *len, const char *text, size_t text_len,
                        const uint8_t *origin) ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
/* Wire → text, escaped so that it reads back, absolute names with the final dot; returns `out`. */
char *name_to_text(char out[NAME_TEXT_MAX], const uint8_t *name) ATTR_NONNULL_ALL;
/* The same without the final dot (except the root), as people write zone names. */
char *name_to_text_bare(char out[NAME_TEXT_MAX], const uint8_t *name) ATTR_NONNULL_ALL;
