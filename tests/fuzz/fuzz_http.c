/* The http machine: the input is a response, whose first byte says in which pieces it comes, whether a body is expected
 * and how it ends. However it is cut, the outcome is the same, and its bounds are kept. The machine stands behind
 * everything that a target can send. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/kind.h"
#include "probe/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

static const struct target *target_of(bool wants_body)
{
    static struct target_table table;
    static const struct target *targets[2];
    struct probe_spec spec = {
        .options.type = PROBE_HTTP,
        .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 80},
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
    bool is_new;
    if (!table.seats.item_len)
        target_table_init(&table);
    static char pattern[] = "(a|b)+c$|x";
    spec.options.expect_body = wants_body ? pattern : NULL;
    if (!targets[wants_body])
        targets[wants_body] = target_table_at(&table, target_table_add(&table, &spec, &is_new));
    return targets[wants_body];
}

struct outcome {
    enum kind_state state;
    struct reason reason;
};

static struct outcome run_in_pieces(const struct target *target, const uint8_t *data, size_t len, size_t piece,
                                    bool closes)
{
    struct kind_run run;
    kind_start(&run, target, 0);
    kind_connected(&run);
    kind_sent(&run, run.out_len);
    for (size_t at = 0; at < len && run.state == KIND_RUNNING; at += piece) {
        size_t now = len - at < piece ? len - at : piece;
        uint8_t *exact = malloc(now);
        memcpy(exact, data + at, now);
        kind_received(&run, exact, now);
        free(exact);
        must(run.response.body_len <= RESPONSE_BODY_MAX);
        must(run.response.head_len <= RESPONSE_HEAD_MAX + 1);
        must(target->patterns[0] || !run.response.body);
    }
    if (run.state == KIND_RUNNING && closes)
        kind_closed(&run);
    if (run.state == KIND_RUNNING)
        kind_late(&run);
    must(run.state != KIND_RUNNING);
    must(run.reason.code != REASON_NONE && run.reason.code < REASON_CNT);
    must(run.state != KIND_PASSED ||
         (run.reason.code == REASON_STATUS && run.reason.number >= 200 && run.reason.number <= 299));
    kind_fini(&run);
    return (struct outcome){run.state, run.reason};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (!len)
        return 0;
    const struct target *target = target_of(data[0] & 1);
    bool closes = data[0] & 2;
    size_t piece = 1 + (data[0] >> 2);
    char text[PROBE_REASON_MAX];
    struct outcome whole = run_in_pieces(target, data + 1, len - 1, len, closes);
    struct outcome cut = run_in_pieces(target, data + 1, len - 1, piece, closes);
    must(whole.state == cut.state && whole.reason.code == cut.reason.code && whole.reason.number == cut.reason.number);
    must(strlen(reason_to_text(text, whole.reason)) > 0);
    return 0;
}
