/* What the query path can be configured with: keys of group "server". */
#pragma once

#include <stdint.h>

#include "base/opt.h"

struct answer_options {
    int64_t udp_payload;
};
extern const struct opt_table answer_opt_table;
