#include "tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

uint64_t tally_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void tally_answer(struct tally *tally, unsigned rcode, int truncated, uint64_t took_us)
{
    tally->answered++;
    tally->truncated += truncated != 0;
    tally->rcode[rcode < TALLY_RCODES ? rcode : TALLY_RCODES - 1]++;
    tally->latency_us[took_us < TALLY_LATENCY_MOST_US ? took_us : TALLY_LATENCY_MOST_US]++;
}

/* The least time that `share` of all answers did not exceed. */
static uint32_t percentile_us(const struct tally *tally, double share)
{
    uint64_t total = 0, below = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i <= TALLY_LATENCY_MOST_US; i++)
        total += tally->latency_us[i];
    while (at < TALLY_LATENCY_MOST_US) {
        below += tally->latency_us[at];
        if ((double)below >= share * (double)total)
            break;
        at++;
    }
    return at;
}

void tally_print(const struct tally *tally, uint64_t took_us)
{
    printf("sent %" PRIu64 "\nanswered %" PRIu64 "\nlost %" PRIu64 "\nstrange %" PRIu64 "\ntruncated %" PRIu64 "\n",
           tally->sent, tally->answered, tally->lost, tally->strange, tally->truncated);
    for (unsigned i = 0; i < TALLY_RCODES; i++)
        if (tally->rcode[i] > 0)
            printf("rcode_%u %" PRIu64 "\n", i, tally->rcode[i]);
    printf("seconds %.6f\np50_us %u\np99_us %u\np999_us %u\n", (double)took_us / 1e6, percentile_us(tally, 0.5),
           percentile_us(tally, 0.99), percentile_us(tally, 0.999));
}
