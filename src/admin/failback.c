/* The commands `failback` and `release`: what an operator knows better than checks. */
#include "balance/failback.h"

#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "balance/hold.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"

static void fail(struct ctl_reply *reply, char *error)
{
    ctl_reply_send(&reply, CTL_STATUS_FAILED, error, NULL);
    free(error);
}

static void answer(struct ctl_reply *reply, size_t cnt)
{
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, json_pack("{sI}", "pools", (json_int_t)cnt));
}

/* ==== failback ==== */

static void failback_one(struct balance *balance, const char *text, struct ctl_reply *reply)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    size_t cnt;
    if (name_from_text(wire, &len, text, strlen(text), NULL) || balance_failback(balance, wire, &cnt)) {
        fail(reply, mem_printf("\"%s\" is no pool", text));
    } else if (!cnt) {
        fail(reply, mem_printf("pool \"%s\" is on its best tier", text));
    } else {
        log_notice("pool \"%s\": goes back to its best tier, told by an operator", text);
        answer(reply, cnt);
    }
}

/* A pool of the name "all" is told as "all.". */
void admin_run_failback(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    struct balance *balance = admin->setup.balance;
    if (!balance) {
        fail(reply, mem_printf("there are no pools"));
    } else if (strcmp(request->args[0], "all") != 0) {
        failback_one(balance, request->args[0], reply);
    } else {
        size_t cnt = balance_failback_all(balance);
        log_notice("%zu pools go back to their best tiers, told by an operator", cnt);
        answer(reply, cnt);
    }
}

/* ==== release ==== */

void admin_run_release(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    (void)request;
    if (admin->setup.balance && balance_release(admin->setup.balance))
        ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, json_object());
    else
        ctl_reply_send(&reply, CTL_STATUS_FAILED, "no verdicts are held", NULL);
}
