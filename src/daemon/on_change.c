#include "daemon/on_change.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/change_queue.h"
#include "dns/name.h"
#include "loop/command.h"
#include "loop/spawn.h"

enum { LOG_BURST = 3 };

struct on_change {
    uv_poll_t poll;
    struct spawn *spawn;
    struct change_queue queue;
    const struct opt_list *command;
    struct log_rate rate;
    struct telling *first;
};

/* A command under way. */
struct telling {
    struct spawn_job job;
    struct telling *next, **at;
    struct on_change *on_change;
    struct change *change;
    char before[CHANGE_WORD_MAX], now[CHANGE_WORD_MAX]; /* `change` may have others by now */
};

/* ---- words */

enum { WORD_ZONE, WORD_POOL, WORD_MEMBER, WORD_OLD, WORD_NEW, WORD_REASON, WORD_CNT };
static const struct {
    const char *name, *variable;
} word_names[WORD_CNT] = {
    [WORD_ZONE] = {"zone", "RONDO_ZONE"},       [WORD_POOL] = {"pool", "RONDO_POOL"},
    [WORD_MEMBER] = {"member", "RONDO_MEMBER"}, [WORD_OLD] = {"old", "RONDO_OLD"},
    [WORD_NEW] = {"new", "RONDO_NEW"},          [WORD_REASON] = {"reason", "RONDO_REASON"},
};

static void set_words(struct template_word words[WORD_CNT], const char *const values[WORD_CNT])
{
    for (unsigned i = 0; i < WORD_CNT; i++)
        words[i] = (struct template_word){word_names[i].name, values ? values[i] : ""};
}

bool on_change_has_problem(char problem[], const struct opt_list *command)
{
    struct template_word words[WORD_CNT];
    set_words(words, NULL);
    return command_has_problem(problem, command, words, WORD_CNT);
}

/* ---- running */

static void watch(struct on_change *on_change);
static void tell_some(struct on_change *on_change);

static void end(struct telling *telling)
{
    *telling->at = telling->next;
    if (telling->next)
        telling->next->at = telling->at;
    change_queue_told(&telling->on_change->queue, telling->change);
    free(telling);
}

static const char *how_text(char *out, size_t cap, const struct spawn_result *result)
{
    const char *name = sigabbrev_np((int)result->number);
    switch (result->how) {
    case SPAWN_EXITED:
        snprintf(out, cap, "exit status %u", result->number);
        break;
    case SPAWN_SIGNALLED:
        snprintf(out, cap, "ended by SIG%s", name ? name : "?");
        break;
    case SPAWN_NOT_RUN:
        snprintf(out, cap, "cannot be run: %s", strerror((int)result->number));
        break;
    case SPAWN_LATE:
        snprintf(out, cap, "killed after %u s", ON_CHANGE_TIMEOUT_MS / 1000);
        break;
    case SPAWN_NO_PLACE:
        snprintf(out, cap, "too many commands run already");
        break;
    case SPAWN_LOST:
        snprintf(out, cap, "the process that runs commands is gone");
        break;
    }
    return out;
}

static void log_failure(const struct telling *telling, const struct spawn_result *result)
{
    struct on_change *on_change = telling->on_change;
    char how[128];
    if (result->how == SPAWN_EXITED && !result->number)
        return;
    if (log_rate_ok(&on_change->rate, LOG_BURST))
        log_warning("on_change: the command for pool \"%s\", member %s, %s to %s, failed: %s%s%s",
                    telling->change->pool, telling->change->member, telling->before, telling->now,
                    how_text(how, sizeof how, result), *result->line ? ": " : "", result->line);
}

static void on_done(struct spawn_job *job, const struct spawn_result *result)
{
    struct telling *telling = container_of(job, struct telling, job);
    log_failure(telling, result);
    end(telling);
}

/* The arguments and variables of one command; what it returns is free'd by free_texts. */
static void make_texts(char **texts, const struct opt_list *command, const char *const values[WORD_CNT])
{
    struct template_word words[WORD_CNT];
    set_words(words, values);
    for (size_t i = 0; i < command->cnt; i++)
        texts[i] = template_fill(((char *const *)command->items)[i], words, WORD_CNT);
    for (size_t i = 0; i < WORD_CNT; i++)
        texts[command->cnt + i] = mem_printf("%s=%s", word_names[i].variable, values[i]);
}

static void free_texts(char **texts, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        free(texts[i]);
    free(texts);
}

static enum err hand_in(struct telling *telling)
{
    const struct opt_list *command = telling->on_change->command;
    const struct change *change = telling->change;
    const char *const values[WORD_CNT] = {
        [WORD_ZONE] = change->zone,  [WORD_POOL] = change->pool, [WORD_MEMBER] = change->member,
        [WORD_OLD] = change->before, [WORD_NEW] = change->now,   [WORD_REASON] = change->reason,
    };
    size_t cnt = command->cnt + WORD_CNT;
    char **texts = mem_zalloc(cnt, sizeof *texts);
    make_texts(texts, command, values);
    const struct spawn_request request = {
        .argv = (const char *const *)texts,
        .arg_cnt = command->cnt,
        .variables = (const char *const *)texts + command->cnt,
        .variable_cnt = WORD_CNT,
        .timeout_ms = ON_CHANGE_TIMEOUT_MS,
    };
    enum err err = spawn_run(telling->on_change->spawn, &telling->job, &request);
    free_texts(texts, cnt);
    return err;
}

static void tell_one(struct on_change *on_change, struct change *change)
{
    struct telling *telling = mem_zalloc(1, sizeof *telling);
    telling->job.done = on_done;
    telling->on_change = on_change;
    telling->change = change;
    memcpy(telling->before, change->before, sizeof telling->before);
    memcpy(telling->now, change->now, sizeof telling->now);
    telling->next = on_change->first;
    telling->at = &on_change->first;
    if (telling->next)
        telling->next->at = &telling->next;
    on_change->first = telling;
    enum err err = hand_in(telling);
    if (!err)
        return;
    const struct spawn_result result = {.how = err == ERR_LIMIT ? SPAWN_NOT_RUN : SPAWN_LOST, .number = E2BIG};
    on_done(&telling->job, &result);
}

static void tell_some(struct on_change *on_change)
{
    for (struct change *change; (change = change_queue_next(&on_change->queue)) != NULL;)
        tell_one(on_change, change);
    watch(on_change);
}

/* ---- the channel */

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct on_change *on_change = container_of(poll, struct on_change, poll);
    (void)status;
    (void)events;
    spawn_serve(on_change->spawn);
    tell_some(on_change);
}

/* Once the helper is gone there is nobody to tell: nothing waits for it. */
static void watch(struct on_change *on_change)
{
    int events = spawn_wants_write(on_change->spawn) ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    if (spawn_is_open(on_change->spawn)) {
        (void)uv_poll_start(&on_change->poll, events, on_event);
        return;
    }
    uv_poll_stop(&on_change->poll);
    change_queue_clear(&on_change->queue);
}

/* ---- use */

static bool is_wanted(const struct on_change *on_change)
{
    return on_change->command && on_change->command->cnt && spawn_is_open(on_change->spawn);
}

void on_change_tell(void *arg, const struct balance_change *change)
{
    struct on_change *on_change = arg;
    char zone[NAME_TEXT_MAX], pool[NAME_TEXT_MAX], member[ADDR_TEXT_MAX], reason[CHANGE_REASON_MAX];
    if (!is_wanted(on_change))
        return;
    name_to_text_bare(zone, change->apex);
    name_to_text_bare(pool, change->owner);
    addr_to_text(member, change->member);
    utf8_clean(reason, sizeof reason, change->reason, strlen(change->reason));
    change_queue_add(&on_change->queue, zone, pool, member, change->before, change->now, reason);
    tell_some(on_change);
}

void on_change_use(struct on_change *on_change, const struct opt_list *command)
{
    on_change->command = command;
    if (!command->cnt)
        change_queue_clear(&on_change->queue);
}

struct on_change *on_change_open(uv_loop_t *loop, int spawn_fd)
{
    struct on_change *on_change = mem_zalloc(1, sizeof *on_change);
    int err = uv_poll_init(loop, &on_change->poll, spawn_fd);
    if (err) {
        log_error("cannot watch the process that runs commands: %s", uv_strerror(err));
        free(on_change);
        return NULL;
    }
    on_change->spawn = spawn_new(spawn_fd, "on_change commands");
    change_queue_init(&on_change->queue, ON_CHANGE_AT_ONCE);
    watch(on_change);
    uv_unref((uv_handle_t *)&on_change->poll);
    return on_change;
}

static void on_close(uv_handle_t *handle)
{
    free(container_of((uv_poll_t *)handle, struct on_change, poll));
}

void on_change_close(struct on_change *on_change)
{
    if (!on_change)
        return;
    if (on_change->queue.changes.cnt)
        log_warning("on_change: %zu changes are told to nobody any more, as rondod ends",
                    on_change->queue.changes.cnt);
    while (on_change->first) {
        struct telling *telling = on_change->first;
        spawn_stop(on_change->spawn, &telling->job);
        end(telling);
    }
    change_queue_fini(&on_change->queue);
    spawn_free(on_change->spawn);
    uv_close((uv_handle_t *)&on_change->poll, on_close);
}
