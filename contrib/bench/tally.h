/* What a load generator counts, and how it tells: lines "KEY NUMBER" on standard output, which generators.py reads.
 * One thread; the one struct is the program's. */
#pragma once

#include <stdint.h>

enum { TALLY_RCODES = 64, TALLY_LATENCY_MOST_US = 1000000 };

struct tally {
    uint64_t sent;
    uint64_t answered;
    uint64_t lost;                /* sent and never answered */
    uint64_t strange;             /* came and is the answer to nothing that was waited for */
    uint64_t truncated;           /* of those answered: with TC */
    uint64_t rcode[TALLY_RCODES]; /* of those answered; with the upper bits of an OPT where it was looked at */
    uint32_t latency_us[TALLY_LATENCY_MOST_US + 1]; /* how many took so long; the last one: so long or longer */
};

uint64_t tally_now_us(void);
/* Counts one; `took_us` is from its query. */
void tally_answer(struct tally *tally, unsigned rcode, int truncated, uint64_t took_us);
/* `took_us`: of the whole run. RCODEs that came, and the percentiles 50, 99, 99.9. */
void tally_print(const struct tally *tally, uint64_t took_us);
