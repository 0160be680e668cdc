#include "helpers/table.h"

#include <stdio.h>
#include <string.h>

#include "helpers/decode.h"

enum { TEXT_MAX = 1 << 16 };

static void strip_question(char *text)
{
    char *line = strstr(text, "\nqu ");
    if (line) {
        char *next = strchr(line + 1, '\n');
        memmove(line, next, strlen(next) + 1);
    }
}

/* The answer to `in` as it should be, or a message on stderr. */
static bool judge(const struct row *row, const char *way, const uint8_t *in, size_t in_len, const uint8_t *out,
    size_t out_len)
{
    static char text[TEXT_MAX];
    size_t question_len = in_len - 12 - (row->ask.payload ? 11 : 0);
    text[0] = 0;
    const char *wrong = out_len ? decode_answer(text, sizeof text, out, out_len) : "no answer";
    if (!wrong && memcmp(in, out, 2))
        wrong = "another ID";
    if (!wrong && (out_len < 12 + question_len || memcmp(in + 12, out + 12, question_len)))
        wrong = "another question";
    strip_question(text);
    if (!wrong && strcmp(text, row->answer))
        wrong = "another answer";
    if (wrong)
        fprintf(stderr, "%s type %u, %s: %s\n--- got\n%s--- expected\n%s---\n", row->ask.name, row->ask.type, way,
            wrong, text, row->answer);
    return !wrong;
}

static bool ask_alone(struct world *world, const struct row *row, const uint8_t *in, size_t in_len)
{
    static uint8_t out[65535];
    static const struct {
        const char *way;
        enum answer_proto proto;
        bool in_place;
    } ways[] = {{"udp", ANSWER_UDP, false}, {"udp in place", ANSWER_UDP, true}, {"tcp", ANSWER_TCP, false},
        {"tcp in place", ANSWER_TCP, true}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        /* TCP is how a truncated answer becomes another one. */
        if (ways[i].proto == ANSWER_TCP && strstr(row->answer, " tc"))
            continue;
        memset(out, 0xee, sizeof out);
        memcpy(out, in, in_len);
        size_t out_len = world_answer(world, out, sizeof out, ways[i].in_place ? out : in, in_len, ways[i].proto);
        if (!judge(row, ways[i].way, in, in_len, out, out_len))
            return false;
    }
    return true;
}

/* ANSWER_BATCH_MAX rows at once, from `first` on and around. */
static unsigned ask_together(struct world *world, const struct row *rows, size_t cnt, size_t first)
{
    static uint8_t buffers[ANSWER_BATCH_MAX][4096];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    unsigned wrong = 0;
    for (size_t i = 0; i < ANSWER_BATCH_MAX; i++) {
        size_t len = world_ask(buffers[i], &rows[(first + i) % cnt].ask);
        packets[i] = (struct answer_packet){.in = buffers[i], .out = buffers[i], .in_len = (uint32_t)len,
            .out_cap = sizeof buffers[i]};
    }
    answer_batch(world->worker, packets, ANSWER_BATCH_MAX);
    for (size_t i = 0; i < ANSWER_BATCH_MAX; i++) {
        uint8_t in[512];
        size_t len = world_ask(in, &rows[(first + i) % cnt].ask);
        wrong += !judge(&rows[(first + i) % cnt], "in a batch", in, len, buffers[i], packets[i].out_len);
    }
    return wrong;
}

unsigned table_run(struct world *world, const struct row *rows, size_t cnt)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < cnt; i++) {
        uint8_t in[512];
        size_t in_len = world_ask(in, &rows[i].ask);
        wrong += !ask_alone(world, &rows[i], in, in_len);
    }
    for (size_t first = 0; first < cnt && !wrong; first += ANSWER_BATCH_MAX)
        wrong += ask_together(world, rows, cnt, first);
    return wrong;
}
