/* ping: echo requests, spread over the timeout. It is decided as soon as so many have been answered that the others
 * may be lost, which for most is the first answer; only a check that fails takes all of its time. */
#include <string.h>

#include "base/mem.h"
#include "probe/kind.h"

enum { COUNT_DEFAULT = 3 };

/* The detail. */
struct ping {
    uint32_t count;
    uint32_t need; /* answers */
};

static uint8_t *pack(const struct probe_spec *spec, size_t *len)
{
    const struct probe_options *options = &spec->options;
    struct ping ping = {.count = options->count ? (uint32_t)options->count : COUNT_DEFAULT};
    uint32_t may_be_lost = ping.count * (uint32_t)options->loss_max / 100;
    ping.need = may_be_lost < ping.count ? ping.count - may_be_lost : 1;
    *len = sizeof ping;
    return mem_dup(&ping, sizeof ping);
}

static const struct ping *ping_of(const struct kind_run *run)
{
    return (const struct ping *)(const void *)run->target->detail;
}

static enum addr_family family_of(const struct kind_run *run)
{
    return (enum addr_family)run->target->address.family;
}

static void start(struct kind_run *run)
{
    memset(&run->echo, 0, sizeof run->echo);
}

/* The next one, and when the one after it is due. */
static void ask(struct kind_run *run)
{
    uint64_t gap_us = run->target->timing.timeout_ms * 1000 / ping_of(run)->count;
    echo_next(&run->echo, family_of(run), run->random, run->now_us);
    run->out = run->echo.request;
    run->out_len = sizeof run->echo.request;
    run->want = KIND_WANT_WRITABLE;
    if (run->echo.sent_cnt < ping_of(run)->count)
        run->wake_us = run->now_us + gap_us;
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    struct echo *echo = &run->echo;
    bool is_answer = echo_take(echo, family_of(run), run->random, run->now_us, bytes, len);
    if (!is_answer || echo->answered_cnt < ping_of(run)->need)
        return;
    uint64_t response_us = echo->time_us / echo->answered_cnt;
    run->response_us = response_us ? (uint32_t)response_us : 1;
    kind_pass(run, REASON_ECHO_ANSWER, 0);
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    uint32_t answered = run->echo.answered_cnt, count = ping_of(run)->count;
    if (!answered)
        return (struct reason){REASON_NO_ANSWER, timeout_ms};
    return (struct reason){REASON_ECHO_LOST, (count - answered) * 100 / count};
}

const struct kind kind_ping = {
    .name = "ping",
    .transport = KIND_ECHO,
    .pack = pack,
    .start = start,
    .connected = ask,
    .received = received,
    .wake = ask,
    .late = late,
};
