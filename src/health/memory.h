/* What is remembered of a target over a restart: a value. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/health.h"
#include "health/measure.h"

enum { HEALTH_DIGEST_LEN = 16, HEALTH_REASON_MAX = 96 };

struct health_memory {
    uint8_t digest[HEALTH_DIGEST_LEN]; /* of its check, without the timing */
    enum health_verdict verdict;       /* never unknown */
    bool unsettled;
    uint16_t contrary_cnt; /* as struct health_target has it */
    uint32_t duration_us;  /* of the last check */
    uint64_t since_wall_ms;
    struct health_measure measure;
    char reason[HEALTH_REASON_MAX];
};

/* A verdict that is older than this says nothing of now. */
enum { HEALTH_MEMORY_MS = 5 * 60 * 1000 };
