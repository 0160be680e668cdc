/* What checks measure of a target, beside whether it lives: values, as the prober last had them. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What `load` is, as the target's last report said it. */
enum health_load {
    HEALTH_LOAD_NONE,        /* no report has come */
    HEALTH_LOAD_UTILIZATION, /* how busy it is, in 65536ths of its capacity; may be above 1 */
    HEALTH_LOAD_CONNECTIONS, /* how many it serves now */
    HEALTH_LOAD_WEIGHT,      /* the weight that it wants to have, absolute */
    HEALTH_LOAD_PERCENT,     /* of its configured weight */
};

/* What a target's agent has said of it and not taken back. */
enum { HEALTH_AGENT_DOWN = 1, HEALTH_AGENT_DRAIN = 2, HEALTH_AGENT_MAINT = 4 };

struct health_measure {
    uint32_t response_us;   /* smoothed over successful checks; 0: none yet */
    uint32_t load;          /* by `load_kind` */
    uint8_t load_kind;      /* enum health_load */
    uint8_t agent;          /* HEALTH_AGENT_… bits */
    bool drains;            /* its agent asks for no new clients */
    bool has_days_left;
    int16_t days_left;      /* until its certificate expires; below 0: it has */
    uint64_t response_wall_ms; /* of the last successful check; 0: none */
    uint64_t load_wall_ms;  /* of the last report of load; 0: none */
};
