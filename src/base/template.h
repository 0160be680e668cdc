/* Words in braces that stand for values: "{address}" within an argument of a command. A brace that does not begin
 * "{word}" stands for itself, so JSON needs no escapes; there is none, and "{{" is refused before somebody takes it for
 * one. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Values by word. */
struct template_word {
    const char *name, *value;
};

enum { TEMPLATE_PROBLEM_MAX = 256 };

/* What is wrong with a text in which these words may stand (their values are not looked at), into `problem`; false:
 * nothing. */
bool template_has_problem(char problem[TEMPLATE_PROBLEM_MAX], const char *text, const struct template_word *words,
                          size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Does that word stand in the text? */
bool template_uses(const char *text, const char *name) ATTR_NONNULL_ALL;
/* The text with its values, a new string. What stands in a value is not looked at again. */
char *template_fill(const char *text, const struct template_word *words, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
