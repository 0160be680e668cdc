#include "answer/signing.h"

#include <assert.h>

#include "base/clock.h"

static uint64_t now_sec(void)
{
    return clock_wall_ms() / 1000;
}

bool signing_read(struct query *q, const struct answer_packet *packet, size_t at)
{
    const struct tsig_keys *keys = q->context->settings->keys;
    enum tsig_verdict verdict = tsig_verify_request(&q->tsig, keys, packet->in, packet->in_len, at, now_sec());
    if (verdict == TSIG_FORMERR)
        return false;
    q->tsig_len = (uint16_t)tsig_room(&q->tsig);
    q->tsig_error = (uint16_t)verdict;
    if (verdict) {
        answer_count(q->context->counters, tsig_bad);
    } else {
        answer_count(q->context->counters, tsig_good);
        q->trusted = true;
    }
    return true;
}

size_t signing_most(struct query *q, const struct answer_packet *packet, size_t most)
{
    size_t least = (size_t)q->begun_len + q->opt.len + q->tsig_len;
    if (least <= most)
        return most;
    if (least <= packet->out_cap)
        return least;
    q->tsig_len = 0; /* the server's buffers are never so small */
    return most;
}

void signing_write(struct query *q)
{
    bool truncated = q->out.failed;
    q->out.failed = false;
    q->out.end += q->tsig_len; /* begin_answer kept it back */
    bool done = tsig_sign(&q->tsig, &q->out, now_sec());
    assert(done);
    (void)done;
    q->out.failed = truncated;
}
