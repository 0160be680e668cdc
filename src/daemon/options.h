/* The daemon's own keys of group "server". */
#pragma once

#include "base/opt.h"

struct daemon_options {
    char *user; /* "": stay who we are */
    char *state_dir;
    uint64_t start_wait_ms;
};
extern const struct opt_table daemon_opt_table;
