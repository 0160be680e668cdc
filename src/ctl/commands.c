#include "ctl/commands.h"

#include <string.h>

const struct ctl_command ctl_commands[CTL_COMMAND_CNT] = {
#define X(name, usage, least, most, timeout_sec, help) {#name, usage, help, least, most, timeout_sec},
    CTL_COMMANDS(X)
#undef X
};

enum ctl_command_id ctl_command_find(const char *name)
{
    unsigned id = 0;
    while (id < CTL_COMMAND_CNT && strcmp(ctl_commands[id].name, name) != 0)
        id++;
    return (enum ctl_command_id)id;
}
