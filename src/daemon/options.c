#include "daemon/options.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/template.h"
#include "daemon/on_change.h"
#include "daemon/privileges.h"

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, daemon_options, field)

static const struct opt opts[] = {
    {KEY("user", OPT_STRING, OPT_RESTART, user), .most = 255, .text_default = "\"\"",
     .help = "The user to become, with all its groups, once sockets are bound; \"\": the daemon stays who started it. "
             "The user must be able to read the configuration and the zone files."},
    {KEY("state_dir", OPT_STRING, OPT_PATH | OPT_RESTART, state_dir), .least = 1, .most = 4095,
     .text_default = "\"/var/lib/rondo\"",
     .help = "Folder of what survives a restart beside configuration and zone files: changes of zones and zones of "
             "secondaries, drains and forced states that rondoctl ordered, and verdicts, which the next start takes "
             "over when they are younger than five minutes. Made when missing, for the user; each daemon needs its "
             "own. When it cannot be used, a warning at the start says so, and only updates of zones and the commands "
             "that need it fail. What is damaged in it is renamed, and a warning says to what."},
    {KEY("start_wait", OPT_DURATION, OPT_RESTART, start_wait_ms), .least = 0, .most = 60 * 1000,
     .text_default = "\"2s\"",
     .help = "How long the start may wait for the first checks: answers begin when no pool would be answered with "
             "an address that has not been judged, at the latest after this time. Queries that come before wait in "
             "the sockets. The first check of an address begins within half of it."},
};

static void check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct daemon_options *options = filled;
    struct privileges privileges;
    if (!*options->user || !privileges_find(&privileges, options->user))
        return;
    char *text = mem_printf("there is no user \"%s\"", options->user);
    say(arg, "user", text);
    free(text);
}

const struct opt_table daemon_opt_table = {
    .path = "server",
    .size = sizeof(struct daemon_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
    .check = check,
};

#undef KEY
#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, daemon_health_options, field)

static const struct opt health_opts[] = {
    {KEY("on_change", OPT_STRING, OPT_LIST, on_change), .least = 0, .most = 4095,
     .help = "A command that is run whenever a member of a pool goes down, comes up, or has its first verdict: the "
             "absolute path of a program and its arguments, such as [ \"/usr/local/bin/tell\", \"{pool}\", "
             "\"{member}\", \"{old}\", \"{new}\", \"{reason}\" ]; there is no shell. {zone}, {pool}, {member}, {old}, "
             "{new} and {reason}, also within an argument, stand for what they say. See COMMANDS."},
};

static void check_health(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct daemon_health_options *options = filled;
    char problem[TEMPLATE_PROBLEM_MAX];
    if (on_change_has_problem(problem, &options->on_change))
        say(arg, "on_change", problem);
}

const struct opt_table daemon_health_opt_table = {
    .path = "health",
    .size = sizeof(struct daemon_health_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(health_opts),
    .check = check_health,
};
