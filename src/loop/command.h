/* Commands as the configuration has them: a list of arguments, the program's path first, in which words in braces stand
 * for values (base/template.h). Any thread. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/opt.h"
#include "base/template.h"

/* What is wrong with a command (char * items) in which these words may stand, into `problem`; false: nothing, as with
 * none at all. */
bool command_has_problem(char problem[TEMPLATE_PROBLEM_MAX], const struct opt_list *command,
                         const struct template_word *words, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
