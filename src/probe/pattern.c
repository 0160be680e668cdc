#include "probe/pattern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct pattern {
    uint32_t refs; /* atomic */
    struct pattern *next;
    char *text;
    uint64_t first[4]; /* what a match may begin with, but at the begin */
    uint32_t cnt;
    struct pattern_step steps[];
};

/* ---- the search ---- */

/* Steps that the machine is at, each once. */
struct places {
    uint16_t steps[PATTERN_STEPS_MAX];
    unsigned cnt;
    uint64_t is_in[(PATTERN_STEPS_MAX + 63) / 64];
};

static void clear(struct places *places)
{
    memset(places->is_in, 0, sizeof places->is_in);
    places->cnt = 0;
}

static void put(struct places *places, uint16_t step)
{
    uint64_t bit = UINT64_C(1) << step % 64;
    if (places->is_in[step / 64] & bit)
        return;
    places->is_in[step / 64] |= bit;
    places->steps[places->cnt++] = step;
}

/* Goes on over all steps that take no byte; each is gone through once, so it takes no longer than the
 * program. True: found. */
static bool go_on(const struct pattern *pattern, struct places *places, bool at_begin, bool at_end)
{
    for (unsigned i = 0; i < places->cnt; i++) {
        uint16_t at = places->steps[i];
        const struct pattern_step *step = &pattern->steps[at];
        if (step->op == PATTERN_FOUND)
            return true;
        if (step->op == PATTERN_SPLIT || step->op == PATTERN_JUMP)
            put(places, step->to);
        if (step->op == PATTERN_SPLIT)
            put(places, step->or_to);
        if ((step->op == PATTERN_BEGIN && at_begin) || (step->op == PATTERN_END && at_end))
            put(places, (uint16_t)(at + 1));
    }
    return false;
}

static bool has_byte(const uint64_t set[4], uint8_t byte)
{
    return set[byte / 64] >> byte % 64 & 1;
}

/* Where the machine is after `byte`. */
static void take_byte(const struct pattern *pattern, const struct places *before, struct places *after, uint8_t byte)
{
    clear(after);
    for (unsigned i = 0; i < before->cnt; i++) {
        const struct pattern_step *step = &pattern->steps[before->steps[i]];
        if (step->op == PATTERN_BYTE && has_byte(step->bytes, byte))
            put(after, (uint16_t)(before->steps[i] + 1));
    }
}

bool pattern_matches(const struct pattern *pattern, const uint8_t *bytes, size_t len)
{
    struct places places[2];
    struct places *now = &places[0], *after = &places[1];
    clear(now);
    for (size_t i = 0;; i++) {
        /* Nothing begun: on to where something may begin. */
        while (i > 0 && i < len && !now->cnt && !has_byte(pattern->first, bytes[i]))
            i++;
        put(now, 0); /* a match may begin at every byte */
        if (go_on(pattern, now, i == 0, i == len))
            return true;
        if (i == len)
            return false;
        take_byte(pattern, now, after, bytes[i]);
        struct places *swap = now;
        now = after;
        after = swap;
    }
}

/* ---- the compiled ones ---- */

bool pattern_has_problem(char problem[PATTERN_PROBLEM_MAX], const char *text)
{
    struct pattern_program *program = mem_zalloc(1, sizeof *program);
    bool has_problem = pattern_compile(program, text, problem) != ERR_OK;
    free(program);
    return has_problem;
}

static void find_first(struct pattern *pattern)
{
    struct places places;
    clear(&places);
    put(&places, 0);
    (void)go_on(pattern, &places, false, false); /* one that matches nothing matches at the begin already */
    for (unsigned i = 0; i < places.cnt; i++)
        for (unsigned j = 0; j < 4; j++)
            pattern->first[j] |= pattern->steps[places.steps[i]].bytes[j];
}

static struct pattern *make(const char *text)
{
    char problem[PATTERN_PROBLEM_MAX];
    struct pattern_program *program = mem_zalloc(1, sizeof *program);
    enum err err = pattern_compile(program, text, problem);
    assert(err == ERR_OK); /* who subscribes has asked pattern_has_problem */
    (void)err;
    struct pattern *pattern = mem_zalloc(1, sizeof *pattern + program->cnt * sizeof *program->steps);
    pattern->refs = 1;
    pattern->text = mem_strdup(text);
    pattern->cnt = program->cnt;
    memcpy(pattern->steps, program->steps, program->cnt * sizeof *program->steps);
    free(program);
    find_first(pattern);
    return pattern;
}

void pattern_put(struct pattern *pattern)
{
    if (!pattern || __atomic_sub_fetch(&pattern->refs, 1, __ATOMIC_ACQ_REL))
        return;
    free(pattern->text);
    free(pattern);
}

/* What only the set still counts is of no use any more. */
static void prune(struct pattern_set *set)
{
    struct pattern **at = &set->first;
    while (*at) {
        struct pattern *pattern = *at;
        if (__atomic_load_n(&pattern->refs, __ATOMIC_ACQUIRE) == 1) {
            *at = pattern->next;
            pattern_put(pattern);
        } else {
            at = &pattern->next;
        }
    }
}

struct pattern *pattern_set_get(struct pattern_set *set, const char *text)
{
    struct pattern *pattern = set->first;
    while (pattern && strcmp(pattern->text, text) != 0)
        pattern = pattern->next;
    if (!pattern) {
        prune(set);
        pattern = make(text);
        pattern->next = set->first;
        set->first = pattern;
    }
    __atomic_add_fetch(&pattern->refs, 1, __ATOMIC_RELAXED);
    return pattern;
}

void pattern_set_fini(struct pattern_set *set)
{
    while (set->first) {
        struct pattern *pattern = set->first;
        set->first = pattern->next;
        pattern_put(pattern);
    }
}
