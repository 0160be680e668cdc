/* The commands drain, undrain, force and unforce: what an operator orders is made durable, put in force, and answered
 * for once no client is answered by a table from before. */
#include "balance/operate.h"

#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "admin/member.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/opt.h"

/* Of the admin nothing: it may end before its commands do. */
struct operating {
    struct ctl_reply *reply;
    struct balance *balance;
    struct member_ask ask;
    size_t waiting_cnt; /* members whose tables are yet to come, and one until all have been asked for */
};

/* ---- words */

struct words {
    const char *plain[3]; /* pool, member, state */
    size_t plain_cnt;
    const char *reason; /* NULL: none */
    uint64_t for_ms;    /* 0: without end */
};

static char *read_option(struct words *words, const char *name, const char *value)
{
    if (!value)
        return mem_printf("\"%s\" needs a value", name);
    if (!strcmp(name, "--reason")) {
        words->reason = value;
        return strlen(value) <= STATE_REASON_MAX ? NULL
                                                 : mem_printf("the reason may have %d bytes at most", STATE_REASON_MAX);
    }
    if (strcmp(name, "--for") != 0)
        return mem_printf("unknown option \"%s\"; expected --for or --reason", name);
    enum { DAYS_MOST = 3660 };
    if (opt_duration_from_text(&words->for_ms, value) || !words->for_ms ||
        words->for_ms > DAYS_MOST * UINT64_C(86400000))
        return mem_printf("--for \"%s\" is no time; expected such as \"10m\", \"2h\", \"1d\"", value);
    return NULL;
}

/* NULL, or what is wrong. */
static char *read_words(struct words *words, const struct ctl_request *request, size_t plain_cnt, bool has_options)
{
    *words = (struct words){.plain_cnt = 0};
    for (size_t i = 0; i < request->arg_cnt; i++) {
        const char *word = request->args[i];
        if (has_options && !strncmp(word, "--", 2)) {
            char *error = read_option(words, word, i + 1 < request->arg_cnt ? request->args[i + 1] : NULL);
            if (error)
                return error;
            i++;
        } else if (words->plain_cnt == plain_cnt) {
            return mem_printf("\"%s\" is too much", word);
        } else {
            words->plain[words->plain_cnt++] = word;
        }
    }
    return words->plain_cnt < plain_cnt ? mem_strdup("too few arguments") : NULL;
}

static char *read_state(struct operate_order *order, const char *word)
{
    order->forced = !strcmp(word, "up") ? HEALTH_UP : !strcmp(word, "down") ? HEALTH_DOWN : HEALTH_UNKNOWN;
    return order->forced == HEALTH_UNKNOWN ? mem_printf("\"%s\" is no state; expected up or down", word) : NULL;
}

/* ---- the way */

static void fail(struct operating *operating, int status, const char *error)
{
    ctl_reply_send(&operating->reply, status, error, NULL);
    member_ask_fini(&operating->ask);
    free(operating);
}

static void answer(struct operating *operating)
{
    const struct member_ask *ask = &operating->ask;
    json_t *data = NULL;
    if (ctl_reply_wanted(operating->reply))
        data = json_pack("{ss ss so}", "pool", ask->pool, "member", ask->address, "zones",
                         member_ask_json(ask, operating->balance));
    ctl_reply_send(&operating->reply, CTL_STATUS_DONE, NULL, data);
    member_ask_fini(&operating->ask);
    free(operating);
}

static void on_served(void *arg)
{
    struct operating *operating = arg;
    if (--operating->waiting_cnt == 0)
        answer(operating);
}

static void on_kept(void *arg, const char *why)
{
    struct operating *operating = arg;
    if (why) {
        fail(operating, CTL_STATUS_FAILED, why);
        return;
    }
    operating->waiting_cnt = operating->ask.cnt + 1;
    for (size_t i = 0; i < operating->ask.cnt; i++)
        operate_when_served(operating->balance, &operating->ask.members[i], on_served, operating);
    on_served(operating);
}

static struct operate_order make_order(const struct words *words, const struct ctl_reply *reply)
{
    uid_t uid;
    pid_t pid = ctl_reply_who(reply, &uid);
    uint64_t now_ms = clock_wall_ms();
    return (struct operate_order){
        .since_wall_ms = now_ms,
        .until_wall_ms = words->for_ms ? now_ms + words->for_ms : 0,
        .uid = uid == (uid_t)-1 ? -1 : (int64_t)uid,
        .pid = pid,
        .reason = words->reason ? words->reason : "",
    };
}

/* *error (free()) with a status, or NULL and the search is done. */
static int prepare(struct operating *operating, struct words *words, struct operate_order *order,
                   const struct ctl_request *request, enum operate_kind kind, bool is_lifted, char **error)
{
    *error = read_words(words, request, kind == OPERATE_FORCE && !is_lifted ? 3 : 2, !is_lifted);
    *order = make_order(words, operating->reply);
    if (!*error && kind == OPERATE_FORCE && !is_lifted)
        *error = read_state(order, words->plain[2]);
    if (*error)
        return CTL_STATUS_USAGE;
    *error = is_lifted
                 ? member_find_order(&operating->ask, operating->balance, kind, words->plain[0], words->plain[1])
                 : member_find(&operating->ask, operating->balance, words->plain[0], words->plain[1]);
    return CTL_STATUS_FAILED;
}

void admin_operate_ask(const struct admin *admin, const struct ctl_request *request, enum operate_kind kind,
                       bool is_lifted, struct ctl_reply *reply)
{
    struct operating *operating = mem_zalloc(1, sizeof *operating);
    struct operate_order order;
    struct words words;
    char *error;
    operating->reply = reply;
    operating->balance = admin->setup.balance;
    if (!admin->state || !operating->balance) {
        ctl_reply_send(&reply, CTL_STATUS_FAILED, "rondod is starting", NULL);
        free(operating);
        return;
    }
    int status = prepare(operating, &words, &order, request, kind, is_lifted, &error);
    if (error) {
        ctl_reply_send(&reply, status, error, NULL);
        free(error);
        free(operating);
        return;
    }
    state_order(admin->state, operating->ask.members, operating->ask.cnt, kind, is_lifted ? NULL : &order, on_kept,
                operating);
}
