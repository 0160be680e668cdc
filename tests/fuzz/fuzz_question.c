/* What a name server's datagrams are to a question, and records as text: the input is a datagram, whose first byte says
 * what was expected. With its ID and question put right it is an answer, else none. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rr.h"
#include "probe/kind.h"
#include "probe/rdata_text.h"
#include "probe/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

enum { EXPECT_CNT = 8 };

static const struct target *target_of(unsigned which)
{
    static struct target_table table;
    static const struct target *targets[EXPECT_CNT];
    static const struct {
        uint16_t type;
        const char *expect;
    } expects[EXPECT_CNT] = {{RR_SOA, NULL},         {RR_A, "192.0.2.1"}, {RR_AAAA, "2001:db8::1"},
                             {RR_SOA, "^ns\\.a\\."}, {RR_TXT, "\"ok\""},  {RR_MX, "^10 "},
                             {RR_ANY, "x$"},         {RR_SRV, "443"}};
    struct probe_spec spec = {
        .options = {.type = PROBE_DNS, .query_name = (char *)(uintptr_t)"a."},
        .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 53},
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
    bool is_new;
    if (!table.seats.item_len)
        target_table_init(&table);
    spec.options.query_type = expects[which].type;
    spec.options.expect_answer = (char *)(uintptr_t)expects[which].expect;
    if (!targets[which])
        targets[which] = target_table_at(&table, target_table_add(&table, &spec, &is_new));
    return targets[which];
}

static void check_texts(const uint8_t *data, size_t len)
{
    static const uint16_t types[] = {RR_A, RR_AAAA, RR_NS, RR_MX, RR_SRV, RR_SOA, RR_TXT, 257};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[RDATA_TEXT_MAX];
        struct reader r = reader_over(data, len);
        size_t at = len > MSG_HEADER_LEN ? MSG_HEADER_LEN : 0;
        (void)reader_take(&r, at);
        size_t text_len = rdata_text(text, &r, types[i], (uint16_t)(len - at > UINT16_MAX ? UINT16_MAX : len - at));
        must(text_len < RDATA_TEXT_MAX && strlen(text) == text_len);
        for (size_t j = 0; j < text_len; j++)
            must(text[j] >= ' ' && text[j] <= '~');
    }
}

/* A datagram of exactly its size. */
static enum kind_state hear(const struct target *target, const uint8_t *bytes, size_t len, uint64_t random,
                            struct reason *reason)
{
    struct kind_run run = {.random = random};
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    kind_start(&run, target, 0);
    kind_connected(&run);
    kind_sent(&run, run.out_len);
    kind_received(&run, exact, len);
    free(exact);
    *reason = run.reason;
    kind_fini(&run);
    return run.state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (!len)
        return 0;
    const struct target *target = target_of(data[0] % EXPECT_CNT);
    const struct question_detail *detail = (const void *)target->detail;
    struct reason reason;
    data++;
    len--;
    check_texts(data, len);
    (void)hear(target, data, len, 0x1234, &reason);
    if (len < detail->query_len || len > 4096)
        return 0;
    uint8_t answer[4096];
    memcpy(answer, data, len);
    memcpy(answer + MSG_HEADER_LEN, detail->query + MSG_HEADER_LEN, detail->query_len - MSG_HEADER_LEN);
    be16_put(answer, 0x1234);
    be16_put(answer + 4, 1);
    answer[2] = (uint8_t)(0x80 | (answer[2] & 7));
    enum kind_state state = hear(target, answer, len, 0x1234, &reason);
    must(state == KIND_PASSED || state == KIND_FAILED);
    must(reason.code != REASON_NONE && reason.code < REASON_CNT);
    must(state != KIND_PASSED || (answer[3] & 15) == RCODE_NOERROR);
    must(hear(target, answer, len, 0x1235, &reason) == KIND_RUNNING); /* of another question */
    return 0;
}
