#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop/command.h"
#include "probe/exec.h"
#include "probe/kind.h"

/* What may stand in braces. */
enum { WORD_ADDRESS, WORD_PORT, WORD_POOL, WORD_CNT };
static const char *const word_names[WORD_CNT] = {
    [WORD_ADDRESS] = "address", [WORD_PORT] = "port", [WORD_POOL] = "pool"};

static void set_words(struct template_word words[WORD_CNT], const char *address, const char *port, const char *pool)
{
    const char *const values[] = {[WORD_ADDRESS] = address, [WORD_PORT] = port, [WORD_POOL] = pool};
    for (unsigned i = 0; i < WORD_CNT; i++)
        words[i] = (struct template_word){word_names[i], values[i]};
}

/* ---- settings ---- */

static bool uses_port(const struct opt_list *command)
{
    char *const *arguments = command->items;
    for (size_t i = 0; i < command->cnt; i++)
        if (template_uses(arguments[i], word_names[WORD_PORT]))
            return true;
    return false;
}

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    struct template_word words[WORD_CNT];
    char problem[TEMPLATE_PROBLEM_MAX];
    set_words(words, "", "", "");
    if (!options->command.cnt)
        say(arg, "command", "missing: a probe of type \"exec\" must have it");
    else if (command_has_problem(problem, &options->command, words, WORD_CNT))
        say(arg, "command", problem);
    else if (!options->port && uses_port(&options->command))
        say(arg, "command", "\"{port}\" stands for nothing: the probe has no port");
}

static uint8_t *pack(const struct probe_spec *spec, size_t *len)
{
    const struct opt_list *command = &spec->options.command;
    struct template_word words[WORD_CNT];
    char address[ADDR_TEXT_MAX], port[8];
    snprintf(port, sizeof port, "%u", spec->address.port);
    set_words(words, addr_to_text(address, &spec->address), port, spec->pool ? spec->pool : "");
    struct exec_detail *detail = mem_zalloc(1, sizeof *detail);
    *len = sizeof *detail;
    detail->arg_cnt = (uint32_t)command->cnt;
    for (size_t i = 0; i < command->cnt; i++) {
        char *argument = template_fill(((char *const *)command->items)[i], words, WORD_CNT);
        size_t argument_len = strlen(argument) + 1;
        detail = mem_realloc(detail, *len + argument_len, 1);
        memcpy((char *)detail + *len, argument, argument_len);
        *len += argument_len;
        free(argument);
    }
    return (uint8_t *)detail;
}

/* ---- results ---- */

/* Without the figures, and without what is left blank before them. */
static void end_with_line(struct kind_run *run, enum kind_state state, const char *before, const char *line)
{
    char text[SPAWN_LINE_MAX + 64];
    size_t len = strcspn(line, "|");
    while (len && line[len - 1] == ' ')
        len--;
    snprintf(text, sizeof text, "%s%s%.*s", before, *before && len ? ": " : "", (int)len, line);
    kind_end_text(run, state, text, strlen(text));
}

static void judge_status(struct kind_run *run, uint32_t status, const char *line)
{
    enum { OK, WARNING, CRITICAL, UNKNOWN };
    char before[64] = "";
    bool is_mute = line[0] == '\0' || line[0] == '|';
    if (is_mute || status > UNKNOWN)
        snprintf(before, sizeof before, "%sexit status %u", status > CRITICAL ? "no word on it, " : "", status);
    switch (status) {
    case OK:
    case WARNING:
        end_with_line(run, KIND_PASSED, before, line);
        break;
    case CRITICAL:
        end_with_line(run, KIND_FAILED, before, line);
        break;
    default:
        end_with_line(run, KIND_IGNORED, before, line);
    }
}

static void judge_signal(struct kind_run *run, uint32_t number, const char *line)
{
    char before[64];
    const char *name = sigabbrev_np((int)number);
    snprintf(before, sizeof before, "no word on it, the command was ended by %s%s", name ? "SIG" : "a signal",
             name ? name : "");
    end_with_line(run, KIND_IGNORED, before, line);
}

static void lack(struct check *check, int error, enum reason_code code, uint32_t number)
{
    check->local_error = error;
    check->lack = (struct reason){code, number};
}

void exec_judge(struct check *check, const struct spawn_result *result)
{
    struct kind_run *run = &check->run;
    switch (result->how) {
    case SPAWN_EXITED:
        judge_status(run, result->number, result->line);
        break;
    case SPAWN_SIGNALLED:
        judge_signal(run, result->number, result->line);
        break;
    case SPAWN_LATE:
        check->is_late = true;
        kind_fail(run, (struct reason){REASON_NO_RESULT, (uint32_t)run->target->timing.timeout_ms});
        break;
    case SPAWN_NOT_RUN:
        lack(check, (int)result->number, REASON_NOT_RUN, result->number);
        break;
    case SPAWN_NO_PLACE:
        lack(check, EAGAIN, REASON_NO_PLACE, 0);
        break;
    case SPAWN_LOST:
        lack(check, ECHILD, REASON_NO_HELPER, 0);
        break;
    }
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    (void)run;
    return (struct reason){REASON_NO_RESULT, timeout_ms};
}

const struct kind kind_exec = {
    .name = "exec",
    .transport = KIND_DRIVEN,
    .driver = &exec_driver,
    .check_options = check_options,
    .pack = pack,
    .late = late,
};
