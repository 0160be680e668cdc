/* The machine that patterns are, for the two searches that run it (pattern.c, pattern_number.c). Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/pattern.h"

/* A set of the expression's bytes, those of repetitions written out. */
enum { SET_WORDS = PATTERN_BYTES_MAX / 64, NIBBLES = PATTERN_BYTES_MAX / 4 };
struct set {
    uint64_t words[SET_WORDS];
};

/* The machine is at a set of bytes: those that the last byte of the body may have been. Where it may be next comes from
 * tables of four members of the set at a time, so that the worst expression takes NIBBLES look-ups a byte of body: the
 * probe thread does nothing else meanwhile. 40 KiB an expression. */
struct pattern {
    uint32_t refs; /* atomic */
    struct pattern *next;
    char *text;
    bool is_found_at_begin, is_found_at_end; /* nothing needs to be there */
    bool is_found_elsewhere;                 /* ... neither at the begin nor at the end */
    bool is_found_in_nothing;                /* ... but it must be begin and end at once */
    struct set at_begin, elsewhere;          /* what a match may begin with */
    struct set found, found_at_end;          /* after these it is found */
    struct set is_byte[256];
    struct set after[NIBBLES][16];
};

static inline void set_add(struct set *set, unsigned member)
{
    set->words[member / 64] |= UINT64_C(1) << member % 64;
}

static inline void set_join(struct set *set, const struct set *other)
{
    for (unsigned i = 0; i < SET_WORDS; i++)
        set->words[i] |= other->words[i];
}

static inline void set_keep(struct set *set, const struct set *other)
{
    for (unsigned i = 0; i < SET_WORDS; i++)
        set->words[i] &= other->words[i];
}

static inline bool set_meets(const struct set *a, const struct set *b)
{
    uint64_t both = 0;
    for (unsigned i = 0; i < SET_WORDS; i++)
        both |= a->words[i] & b->words[i];
    return both;
}

/* Adds what may come after `now`. */
static inline void join_after(struct set *set, const struct pattern *pattern, const struct set *now)
{
    for (unsigned i = 0; i < SET_WORDS; i++) {
        const struct set(*after)[16] = &pattern->after[i * 16];
        for (uint64_t word = now->words[i]; word; word >>= 4, after++)
            set_join(set, &(*after)[word & 15]);
    }
}

/* pattern_compile.c: past one byte, escape, bracket expression or parenthesis; `depth` follows the parentheses. */
const char *pattern_skip_one(const char *at, int *depth);
