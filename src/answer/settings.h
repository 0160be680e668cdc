/* What the query path is told by the configuration: immutable, made from the options, published through RCU and
 * replaced by a reload. All zeros but udp_payload is a valid value too: nothing optional is on. */
#pragma once

#include <stdint.h>

#include "answer/options.h"
#include "base/attr.h"
#include "base/rcu.h"

struct answer_settings {
    uint16_t udp_payload; /* 512..4096: most bytes of a UDP answer, and the payload size we tell */
    struct rcu_deferred deferred; /* of whoever retires them */
};

void answer_settings_free(struct answer_settings *settings);
/* Never fails on options that conf accepted. [control] */
struct answer_settings *answer_settings_new(const struct answer_options *options)
    ATTR_FREED_BY(answer_settings_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Frees them when no worker can be reading them any more. [control] */
void answer_settings_retire(struct answer_settings *settings) ATTR_NONNULL_ALL;
