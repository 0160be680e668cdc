#include "probe/kind.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"

const struct kind *const kinds[PROBE_TYPE_CNT] = {
    [PROBE_TCP] = &kind_tcp,
    [PROBE_HTTP] = &kind_http,
    [PROBE_HTTPS] = &kind_https,
    [PROBE_TLS] = &kind_tls,
    [PROBE_EXEC] = &kind_exec,
    [PROBE_DNS] = &kind_dns,
    [PROBE_PING] = &kind_ping,
    [PROBE_AGENT] = &kind_agent,
};

void kind_start(struct kind_run *run, const struct target *target, uint64_t now_us)
{
    run->kind = kinds[target->type];
    run->target = target;
    run->now_us = now_us;
    run->deadline_us = now_us + target->timing.timeout_ms * 1000;
    run->wake_us = 0;
    run->state = KIND_RUNNING;
    run->want = KIND_WANT_CONNECTED;
    run->reason = (struct reason){REASON_NONE, 0};
    run->text[0] = '\0';
    run->was_connected = run->was_answered = false;
    run->steps = (struct probe_steps){0};
    run->out = NULL;
    run->out_len = 0;
    run->response_us = 0;
    run->resets = run->kind->resets;
    run->speaks_first = !run->resets;
    if (run->kind->start)
        run->kind->start(run);
}

void kind_connected(struct kind_run *run)
{
    assert(run->state == KIND_RUNNING && run->want == KIND_WANT_CONNECTED);
    run->was_connected = true;
    run->kind->connected(run);
}

void kind_sent(struct kind_run *run, size_t len)
{
    assert(run->state == KIND_RUNNING && len <= run->out_len);
    run->out += len;
    run->out_len -= len;
    if (!run->out_len)
        run->want = KIND_WANT_READABLE;
}

void kind_received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    assert(run->state == KIND_RUNNING);
    run->was_answered = true;
    run->kind->received(run, bytes, len);
}

void kind_closed(struct kind_run *run)
{
    assert(run->state == KIND_RUNNING);
    run->kind->closed(run);
}

void kind_broken(struct kind_run *run, int system_error)
{
    assert(run->state == KIND_RUNNING);
    kind_end_unreached(run, (struct reason){REASON_SYSTEM, (uint32_t)system_error});
}

void kind_wake(struct kind_run *run)
{
    assert(run->state == KIND_RUNNING && run->wake_us);
    run->wake_us = 0;
    run->kind->wake(run);
}

void kind_late(struct kind_run *run)
{
    uint32_t timeout_ms = (uint32_t)run->target->timing.timeout_ms;
    assert(run->state == KIND_RUNNING);
    if (run->want == KIND_WANT_CONNECTED && run->kind->transport == KIND_STREAM)
        kind_end_unreached(run, (struct reason){REASON_NO_CONNECTION, timeout_ms});
    else
        kind_end_unreached(run, run->kind->late(run, timeout_ms));
}

void kind_fini(struct kind_run *run)
{
    if (run->kind->fini)
        run->kind->fini(run);
}

void kind_end_unreached(struct kind_run *run, struct reason reason)
{
    static const char before[] = "no word, nothing changes: ";
    char text[sizeof before + PROBE_REASON_MAX];
    if (!run->kind->advises) {
        kind_fail(run, reason);
        return;
    }
    memcpy(text, before, sizeof before);
    reason_to_text(text + sizeof before - 1, reason);
    kind_end_text(run, KIND_IGNORED, text, strlen(text));
}

void kind_set_text(struct kind_run *run, const char *text, size_t len)
{
    utf8_clean(run->text, sizeof run->text, text, len);
}

void kind_end_text(struct kind_run *run, enum kind_state state, const char *text, size_t len)
{
    kind_set_text(run, text, len);
    run->state = state;
    run->reason = (struct reason){REASON_TEXT, 0};
}
