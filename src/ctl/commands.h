/* The commands of rondoctl, once for both sides: a row here, a function admin_run_NAME in admin/commands.c that does
 * it, and a function show_NAME in tools/show.c that prints its answer. */
#pragma once

#include "base/attr.h"

/* Name, arguments as shown, least and most of them, seconds that rondoctl waits unless told otherwise, help.
 * A reload may read gigabytes and stop waits for the process to end; all else comes from memory. */
#define CTL_COMMANDS(X)                                                                                                \
    X(status, "", 0, 0, 10, "show the server: version, zones by state, counters, memory, last load")                   \
    X(zones, "[NAME...]", 0, 1000, 10, "show all zones or those named, with state, serial and size")                   \
    X(pools, "[NAME]", 0, 1, 10, "show all pools or those of a name: members, verdicts, reasons, weights, shares")     \
    X(explain, "NAME TYPE [--client ADDRESS] [--if-down MEMBER,...] [--if-up MEMBER,...]", 2, 200, 30,                 \
      "show how a question is answered, step by step, and what would be if members were down or up")                   \
    X(drain, "POOL MEMBER [--for TIME] [--reason TEXT]", 2, 6, 30,                                                     \
      "give no new answers with a member; show when its server can be stopped")                                        \
    X(undrain, "POOL MEMBER", 2, 2, 30, "end a drain")                                                                 \
    X(force, "POOL MEMBER up|down [--for TIME] [--reason TEXT]", 3, 7, 30,                                             \
      "let a member count as up or down, whatever its checks say")                                                     \
    X(unforce, "POOL MEMBER", 2, 2, 30, "let its checks decide again")                                                 \
    X(check, "POOL MEMBER", 2, 2, 120, "check a member now, and show each step with its time")                         \
    X(reload, "[ZONE [--force | --merge]]", 0, 2, 3600,                                                                \
      "read configuration and zone files again, or one zone's file; wait until all is served")                         \
    X(refresh, "ZONE", 1, 1, 10, "ask a zone's primaries now whether they have anything newer")                        \
    X(retransfer, "ZONE", 1, 1, 10, "fetch a zone from its primaries whole, whatever its serial")                      \
    X(notify, "ZONE", 1, 1, 10, "tell a zone's secondaries its serial now")                                            \
    X(dump, "ZONE [--output FILE]", 1, 1, 120, "write a zone, as it is served, as text")                               \
    X(sync, "ZONE", 1, 1, 120, "write a zone's changes to its file on the server")                                     \
    X(freeze, "ZONE", 1, 1, 120, "sync, then refuse updates, so that the file can be edited")                          \
    X(thaw, "ZONE", 1, 1, 3600, "read the file of a frozen zone, then take updates again")                             \
    X(failback, "NAME|all", 1, 1, 10, "let the pools of a name, or all, go back to their best tier")                   \
    X(release, "", 0, 0, 10, "end a hold: members are judged by the checks of now, whatever seems dead")               \
    X(log, "LEVEL", 1, 1, 10, "log lines up to LEVEL: error, warning, notice, info or debug")                          \
    X(stop, "", 0, 0, 60, "stop the server; wait until it has ended")

enum ctl_command_id {
#define X(name, usage, least, most, timeout_sec, help) CTL_COMMAND_##name,
    CTL_COMMANDS(X)
#undef X
    CTL_COMMAND_CNT,
};

struct ctl_command {
    const char *name, *usage, *help;
    unsigned args_least, args_most, timeout_sec;
};
extern const struct ctl_command ctl_commands[CTL_COMMAND_CNT];

/* By name; CTL_COMMAND_CNT: there is none. */
enum ctl_command_id ctl_command_find(const char *name) ATTR_NONNULL_ALL ATTR_PURE;
