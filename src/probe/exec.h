/* exec: a command of the operator's says how a member is, as Nagios' plugins do: 0 is well and 1 is well enough
 * (a warning), 2 is bad; 3, and whatever else, is no word on the member. The first line of output is the reason, up to
 * a "|", behind which plugins have figures for machines.
 *
 * The command is run by the spawn helper (loop/spawn.h), which takes its time from its real start and kills it with its
 * process group. That it cannot be run at all is our own failure. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "loop/spawn_message.h"
#include "probe/check.h"
#include "probe/driver.h"

/* A target's detail: the arguments, filled, one behind the other. Whether two pools have the same check with "{pool}"
 * is thereby a matter of what it makes of it. */
struct exec_detail {
    uint32_t arg_cnt;
    char arguments[];
};
static inline const struct exec_detail *exec_of(const struct target *target)
{
    return (const struct exec_detail *)(const void *)target->detail;
}

extern const struct driver_type exec_driver;

/* Decides a check by how its command ended. [probe] */
void exec_judge(struct check *check, const struct spawn_result *result) ATTR_NONNULL_ALL;
