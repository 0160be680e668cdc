/* POSIX extended regular expressions (POSIX.1-2017, XBD 9.4) for bodies: checked with the configuration, compiled once
 * for all targets that have the same one. Our own and not regcomp(3): a body is the target's to choose, and glibc's
 * search takes time with the square of its length ("<.*>ok" over 64 KiB of HTML: seconds, in which no other target is
 * checked) and memory without bound. Here a search is one pass over the body, and
 * PATTERN_BYTES_MAX keeps the worst of them within some 5 ms for 64 KiB.
 *
 * Bytes, in the C locale; "." and [^x] match every byte else. Not there: back references (no part of extended
 * expressions), and what POSIX leaves undefined: a repetition of nothing or of a repetition, "\" before a letter or
 * digit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum { PATTERN_PROBLEM_MAX = 128, PATTERN_MAX = 1024, PATTERN_STEPS_MAX = 500, PATTERN_BYTES_MAX = 256 };

/* One step of the machine. */
enum pattern_op {
    PATTERN_BYTE,  /* one of `bytes`, then the next step */
    PATTERN_SPLIT, /* on at `to` and at `or_to` */
    PATTERN_JUMP,  /* on at `to` */
    PATTERN_BEGIN, /* nothing came before */
    PATTERN_END,   /* nothing comes any more */
    PATTERN_FOUND,
};
struct pattern_step {
    uint8_t op;
    uint16_t to, or_to;
    uint64_t bytes[4]; /* bit a byte */
};
struct pattern_program {
    uint32_t cnt;
    struct pattern_step steps[PATTERN_STEPS_MAX];
};

/* pattern_compile.c: ERR_SYNTAX, or ERR_LIMIT when it is too large (a repetition is written out); `problem` says what
 * is wrong. */
enum err pattern_compile(struct pattern_program *program, const char *text,
                         char problem[PATTERN_PROBLEM_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What is wrong with an expression, into `problem`; false: nothing. */
bool pattern_has_problem(char problem[PATTERN_PROBLEM_MAX], const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* Immutable, counted. */
struct pattern;
/* Drops one count, the last one frees. [any] */
void pattern_put(struct pattern *pattern);
/* What it was compiled from; borrowed. [any] */
const char *pattern_text(const struct pattern *pattern) ATTR_NONNULL_ALL;
/* Does it match somewhere in these bytes? `^` and `$` are the begin and the end of them all. [any] */
bool pattern_matches(const struct pattern *pattern, const uint8_t *bytes, size_t len) ATTR_NONNULL(1) ATTR_MUST_USE;

/* The same for bytes that come in pieces, of which none is kept. All zero at first. */
struct pattern_scan {
    uint64_t set[PATTERN_BYTES_MAX / 64];
    bool any; /* a byte came */
};
/* The next piece. True: it matches, whatever comes. Not to be called again then. [any] */
bool pattern_scan(const struct pattern *pattern, struct pattern_scan *scan, const uint8_t *bytes, size_t len)
    ATTR_NONNULL(1, 2) ATTR_MUST_USE;
/* Does it match, given that nothing comes any more? [any] */
bool pattern_scan_end(const struct pattern *pattern, const struct pattern_scan *scan) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* All patterns in use, to share them. [control] */
struct pattern_set {
    struct pattern *first;
};
void pattern_set_fini(struct pattern_set *set) ATTR_NONNULL_ALL;
/* The one with this text, which must be without problem, with one count for the caller. */
struct pattern *pattern_set_get(struct pattern_set *set, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
