/* A number in a body, found by a regular expression with one group around it: "Active connections: ([0-9]+)". The
 * machine of probe/pattern.h knows no groups, so the expression is cut at the group into what stands before, the number
 * and what stands after, each a pattern of its own: the first place is taken where all three follow each other and what
 * the group matches is a number; of several that begin there the longest.
 *
 * The group must not be empty, nor repeated, nor one of alternatives; other groups may be within it, none beside it.
 * One pass over the body, plus at most twice the body's bound of looking behind numbers: a body that takes more has
 * none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/pattern.h"

enum pattern_number_place { PATTERN_BEFORE, PATTERN_NUMBER, PATTERN_AFTER, PATTERN_PLACES };

/* What is wrong with an expression, into `problem`; false: nothing. */
bool pattern_number_has_problem(char problem[PATTERN_PROBLEM_MAX], const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Its part at a place, into `part`; "" when nothing stands there. */
void pattern_number_part(char part[PATTERN_MAX + 1], const char *text,
                         enum pattern_number_place place) ATTR_NONNULL_ALL;

/* The patterns of the parts (NULL: nothing stands there); false: there is no such number. [any] */
bool pattern_number_find(struct pattern *const parts[PATTERN_PLACES], const uint8_t *bytes, size_t len,
                         double *number) ATTR_NONNULL(1, 4) ATTR_MUST_USE;

/* A decimal number without sign, exponent allowed, of at most 32 characters and within what a double holds; false: it
 * is none. [any] */
enum { DECIMAL_MAX = 32 };
bool decimal_read(double *number, const uint8_t *text, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
