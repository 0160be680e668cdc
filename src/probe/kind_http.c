/* http: sends a GET request and judges the response by its status, and by its body where something is expected of it.
 * Redirects are not followed: a 3xx is a status like any other. */
#include "probe/kind.h"

static void start(struct kind_run *run)
{
    const struct target *target = run->target;
    response_init(&run->response, target_status(target), target->status_cnt, target->pattern != NULL);
}

static void connected(struct kind_run *run)
{
    run->out = target_request(run->target);
    run->out_len = run->target->request_len;
    run->want = KIND_WANT_WRITABLE;
}

static void judge(struct kind_run *run)
{
    const struct response *response = &run->response;
    const struct pattern *pattern = run->target->pattern;
    if (!response->is_expected)
        kind_fail(run, (struct reason){REASON_STATUS, response->status});
    else if (pattern && !pattern_matches(pattern, response->body, response->body_len))
        kind_fail(run, (struct reason){response->body_cut ? REASON_NO_MATCH_CUT : REASON_NO_MATCH, response->status});
    else
        kind_pass(run, REASON_STATUS, response->status);
}

static void go_on(struct kind_run *run, enum response_progress progress)
{
    if (progress == RESPONSE_DONE)
        judge(run);
    else if (progress == RESPONSE_BAD)
        kind_fail(run, run->response.reason);
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    go_on(run, response_feed(&run->response, bytes, len));
}

static void closed(struct kind_run *run)
{
    go_on(run, response_end(&run->response));
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    return response_late(&run->response, timeout_ms);
}

static void fini(struct kind_run *run)
{
    response_fini(&run->response);
}

const struct kind kind_http = {
    .start = start,
    .connected = connected,
    .received = received,
    .closed = closed,
    .late = late,
    .fini = fini,
};
