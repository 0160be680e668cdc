/* The command check: a member's checks, done now and told step by step. */
#include <stdlib.h>

#include "admin/internal.h"
#include "admin/member.h"
#include "balance/look.h"
#include "base/mem.h"
#include "ctl/text.h"

/* Of the admin nothing: it may end before its commands do. */
struct checking {
    struct ctl_reply *reply;
    struct balance *balance;
    struct member_ask ask;
    json_t *checks;
    size_t cnt, failed_cnt;
    size_t waiting_cnt; /* zones whose checks are under way, and one until all have begun */
};

static const char *const outcome_names[] = {
    [PROBE_PASSED] = "passed", [PROBE_FAILED] = "failed", [PROBE_IGNORED] = "undecided", [PROBE_NOT_DONE] = "not done"};

static json_t *ms(uint32_t us) { return us ? json_real(us / 1000.0) : json_null(); }

static json_t *check_json(const struct look_check *check)
{
    char address[ADDR_TEXT_MAX];
    const struct probe_trace *trace = &check->trace;
    if (check->has_port)
        addr_port_to_text(address, &check->address);
    else
        addr_to_text(address, &check->address);
    return json_pack("{so ss ss ss so so so so so so}",
                     "probe", ctl_json_text(check->probe),
                     "type", check->type,
                     "address", address,
                     "result", check->ended ? outcome_names[trace->outcome] : "given up",
                     "connected_ms", ms(trace->steps.connected_us),
                     "handshake_ms", ms(trace->steps.handshake_us),
                     "sent_ms", ms(trace->steps.sent_us),
                     "first_byte_ms", ms(trace->steps.first_byte_us),
                     "ended_ms", ms(trace->steps.ended_us),
                     "reason", check->ended ? ctl_json_text(trace->reason) : json_null());
}

static void answer(struct checking *checking)
{
    const struct member_ask *ask = &checking->ask;
    json_t *data = NULL;
    char *error = checking->failed_cnt
                      ? mem_printf("%zu of %zu checks did not pass", checking->failed_cnt, checking->cnt)
                      : NULL;
    if (ctl_reply_wanted(checking->reply))
        data = json_pack("{ss ss sO so}", "pool", ask->pool, "member", ask->address, "checks", checking->checks,
                         "zones", member_ask_json(ask, checking->balance));
    ctl_reply_send(&checking->reply, error ? CTL_STATUS_FAILED : CTL_STATUS_DONE, error, data);
    free(error);
    json_decref(checking->checks);
    member_ask_fini(&checking->ask);
    free(checking);
}

static void release(struct checking *checking)
{
    if (--checking->waiting_cnt == 0)
        answer(checking);
}

static void on_looked(void *arg, const struct look *look)
{
    struct checking *checking = arg;
    for (size_t i = 0; i < look->cnt; i++) {
        const struct look_check *check = &look->checks[i];
        json_array_append_new(checking->checks, check_json(check));
        checking->failed_cnt += !check->ended || check->trace.outcome != PROBE_PASSED;
        checking->cnt++;
    }
    release(checking);
}

/* How many zones have it checked, and why others not. */
static size_t start(struct checking *checking, enum err *err)
{
    size_t cnt = 0;
    checking->waiting_cnt = 1;
    for (size_t i = 0; i < checking->ask.cnt; i++) {
        checking->waiting_cnt++;
        enum err e = look_start(checking->balance, &checking->ask.members[i], on_looked, checking);
        cnt += !e;
        checking->waiting_cnt -= e != ERR_OK;
        *err = e ? e : *err;
    }
    return cnt;
}

static void refuse(struct checking *checking, const char *error)
{
    ctl_reply_send(&checking->reply, CTL_STATUS_FAILED, error, NULL);
    json_decref(checking->checks);
    free(checking);
}

static const char *why_not(enum err err)
{
    switch (err) {
    case ERR_DENIED:
        return "its address may not be probed (probe_allow, probe_deny)";
    case ERR_INVALID:
        return "it has no probe";
    default:
        return "the zone has no such record";
    }
}

void admin_check_ask(const struct admin *admin, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct checking *checking = mem_zalloc(1, sizeof *checking);
    enum err err = ERR_OK;
    checking->reply = reply;
    checking->balance = admin->setup.balance;
    if (!checking->balance) {
        refuse(checking, "rondod is starting");
        return;
    }
    char *error = member_find(&checking->ask, checking->balance, request->args[0], request->args[1]);
    if (error) {
        refuse(checking, error);
        free(error);
        return;
    }
    checking->checks = json_array();
    if (start(checking, &err)) {
        release(checking);
        return;
    }
    error = mem_printf("%s of pool \"%s\" is not checked: %s", checking->ask.address, checking->ask.pool,
                       why_not(err));
    member_ask_fini(&checking->ask);
    refuse(checking, error);
    free(error);
}
