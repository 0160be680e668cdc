#include "loop/command.h"

#include <stdio.h>

#include "loop/spawn_message.h"

bool command_has_problem(char problem[TEMPLATE_PROBLEM_MAX], const struct opt_list *command,
                         const struct template_word *words, size_t cnt)
{
    char *const *arguments = command->items;
    if (!command->cnt)
        return false;
    if (arguments[0][0] != '/') {
        snprintf(problem, TEMPLATE_PROBLEM_MAX,
                 "expected the program's absolute path first: it is not searched for, and there is no shell");
        return true;
    }
    if (command->cnt > SPAWN_ARGUMENTS_MAX) {
        snprintf(problem, TEMPLATE_PROBLEM_MAX, "%zu arguments, at most %d can be", command->cnt, SPAWN_ARGUMENTS_MAX);
        return true;
    }
    for (size_t i = 0; i < command->cnt; i++)
        if (template_has_problem(problem, arguments[i], words, cnt))
            return true;
    return false;
}
