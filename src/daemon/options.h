/* The daemon's own keys of groups "server" and "health". */
#pragma once

#include "base/opt.h"

struct daemon_options {
    char *user; /* "": stay who we are */
    char *state_dir;
    uint64_t start_wait_ms;
};
extern const struct opt_table daemon_opt_table;

/* The daemon's own keys of group "health". */
struct daemon_health_options {
    struct opt_list on_change; /* char *: a command */
};
extern const struct opt_table daemon_health_opt_table;
