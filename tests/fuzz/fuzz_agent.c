/* The agent machine: the input is what an agent says, whose first byte says in which pieces it comes and how it ends,
 * and what the agent said before. However it is cut, the outcome is the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/agent_line.h"
#include "probe/kind.h"
#include "probe/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

static const struct target *the_target(void)
{
    static struct target_table table;
    static const struct target *target;
    struct probe_spec spec = {
        .options.type = PROBE_AGENT,
        .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 80},
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
    bool is_new;
    if (!target) {
        target_table_init(&table);
        target = target_table_at(&table, target_table_add(&table, &spec, &is_new));
    }
    return target;
}

struct outcome {
    enum kind_state state;
    char text[PROBE_REASON_MAX];
    struct health_measure measure;
};

static void check_outcome(const struct kind_run *run, const struct health_measure *before)
{
    bool is_bad = run->measure.agent & (HEALTH_AGENT_DOWN | HEALTH_AGENT_MAINT);
    must(run->state != KIND_RUNNING);
    must(run->reason.code == REASON_TEXT && *run->text && memchr(run->text, 0, sizeof run->text));
    for (const char *at = run->text; *at; at++)
        must((uint8_t)*at >= ' ' && *at != 127);
    must((run->state != KIND_PASSED || !is_bad) && (run->state != KIND_FAILED || is_bad));
    must(run->measure.load <= AGENT_PERCENT_MAX);
    must((run->measure.agent & (HEALTH_AGENT_DRAIN | HEALTH_AGENT_MAINT)) != (HEALTH_AGENT_DRAIN | HEALTH_AGENT_MAINT));
    if (run->state == KIND_IGNORED)
        must(run->measure.agent == before->agent && run->measure.load == before->load);
}

static struct outcome run_in_pieces(const uint8_t *data, size_t len, size_t piece, bool closes, uint8_t agent)
{
    struct kind_run run = {.measure.agent = agent, .measure.drains = agent & HEALTH_AGENT_DRAIN};
    struct outcome outcome = {0};
    const struct health_measure before = run.measure;
    kind_start(&run, the_target(), 0);
    kind_connected(&run);
    for (size_t at = 0; at < len && run.state == KIND_RUNNING; at += piece) {
        size_t now = len - at < piece ? len - at : piece;
        uint8_t *exact = malloc(now);
        memcpy(exact, data + at, now);
        kind_received(&run, exact, now);
        free(exact);
    }
    if (run.state == KIND_RUNNING && closes)
        kind_closed(&run);
    if (run.state == KIND_RUNNING)
        kind_late(&run);
    check_outcome(&run, &before);
    kind_fini(&run);
    outcome.state = run.state;
    memcpy(outcome.text, run.text, strlen(run.text));
    outcome.measure.agent = run.measure.agent;
    outcome.measure.drains = run.measure.drains;
    outcome.measure.load = run.measure.load;
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t befores[] = {0, HEALTH_AGENT_DOWN, HEALTH_AGENT_DRAIN, HEALTH_AGENT_DOWN | HEALTH_AGENT_MAINT};
    if (!len)
        return 0;
    bool closes = data[0] & 1;
    uint8_t before = befores[data[0] >> 1 & 3];
    struct outcome whole = run_in_pieces(data + 1, len - 1, len, closes, before);
    struct outcome parts = run_in_pieces(data + 1, len - 1, 1 + (data[0] >> 3), closes, before);
    must(!memcmp(&whole, &parts, sizeof whole));
    return 0;
}
