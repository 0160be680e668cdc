/* Answers of the control socket as people read them, on standard output. A server of another release may leave out or
 * add members: what is missing shows as a dash or 0, what is unknown does not show. One thread. */
#pragma once

#include <jansson.h>

#include "base/attr.h"
#include "ctl/commands.h"

/* `data` may be NULL: nothing is shown. */
void show_answer(enum ctl_command_id command, const json_t *data);
