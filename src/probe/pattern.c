#include "probe/pattern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/pattern_machine.h"

/* ---- the search ---- */

bool pattern_scan(const struct pattern *pattern, struct pattern_scan *scan, const uint8_t *bytes, size_t len)
{
    struct set now;
    if (pattern->is_found_at_begin)
        return true;
    memcpy(now.words, scan->set, sizeof now.words);
    for (size_t i = 0; i < len; i++) {
        struct set next = i || scan->any ? pattern->elsewhere : pattern->at_begin; /* a match may begin at every byte */
        join_after(&next, pattern, &now);
        set_keep(&next, &pattern->is_byte[bytes[i]]);
        if (set_meets(&next, &pattern->found))
            return true;
        now = next;
    }
    memcpy(scan->set, now.words, sizeof now.words);
    scan->any |= len > 0;
    return false;
}

bool pattern_scan_end(const struct pattern *pattern, const struct pattern_scan *scan)
{
    struct set now;
    memcpy(now.words, scan->set, sizeof now.words);
    return pattern->is_found_at_begin || pattern->is_found_at_end || (!scan->any && pattern->is_found_in_nothing) ||
           set_meets(&now, &pattern->found_at_end);
}

bool pattern_matches(const struct pattern *pattern, const uint8_t *bytes, size_t len)
{
    struct pattern_scan scan = {{0}, false};
    return pattern_scan(pattern, &scan, bytes, len) || pattern_scan_end(pattern, &scan);
}

/* ---- the tables ---- */

/* Steps that are reached without a byte, each once. */
struct places {
    uint16_t steps[PATTERN_STEPS_MAX];
    unsigned cnt;
    bool is_in[PATTERN_STEPS_MAX];
};

static void put(struct places *places, uint16_t step)
{
    if (places->is_in[step])
        return;
    places->is_in[step] = true;
    places->steps[places->cnt++] = step;
}

/* All steps reached from `from`, itself one; true: found. */
static bool reach(struct places *places, const struct pattern_program *program, uint16_t from, bool at_begin,
                  bool at_end)
{
    bool is_found = false;
    *places = (struct places){.cnt = 0};
    put(places, from);
    for (unsigned i = 0; i < places->cnt; i++) {
        uint16_t at = places->steps[i];
        const struct pattern_step *step = &program->steps[at];
        is_found |= step->op == PATTERN_FOUND;
        if (step->op == PATTERN_SPLIT || step->op == PATTERN_JUMP)
            put(places, step->to);
        if (step->op == PATTERN_SPLIT)
            put(places, step->or_to);
        if ((step->op == PATTERN_BEGIN && at_begin) || (step->op == PATTERN_END && at_end))
            put(places, (uint16_t)(at + 1));
    }
    return is_found;
}

/* The bytes among the places. `numbers`: by step, which byte it is. */
static struct set bytes_of(const struct places *places, const struct pattern_program *program, const uint16_t *numbers)
{
    struct set set = {{0}};
    for (unsigned i = 0; i < places->cnt; i++)
        if (program->steps[places->steps[i]].op == PATTERN_BYTE)
            set_add(&set, numbers[places->steps[i]]);
    return set;
}

static void fill_byte(struct pattern *pattern, const struct pattern_program *program, const uint16_t *numbers,
                      uint16_t step)
{
    struct places places;
    unsigned number = numbers[step];
    const uint64_t *bytes = program->steps[step].bytes;
    for (unsigned byte = 0; byte < 256; byte++)
        if (bytes[byte / 64] >> byte % 64 & 1)
            set_add(&pattern->is_byte[byte], number);
    if (reach(&places, program, (uint16_t)(step + 1), false, true))
        set_add(&pattern->found_at_end, number);
    if (reach(&places, program, (uint16_t)(step + 1), false, false))
        set_add(&pattern->found, number);
    struct set after = bytes_of(&places, program, numbers);
    for (unsigned nibble = 0; nibble < 16; nibble++)
        if (nibble >> number % 4 & 1)
            set_join(&pattern->after[number / 4][nibble], &after);
}

static void fill(struct pattern *pattern, const struct pattern_program *program)
{
    struct places places;
    uint16_t numbers[PATTERN_STEPS_MAX] = {0}, cnt = 0;
    for (unsigned i = 0; i < program->cnt; i++)
        if (program->steps[i].op == PATTERN_BYTE)
            numbers[i] = cnt++;
    assert(cnt <= PATTERN_BYTES_MAX);
    pattern->is_found_in_nothing = reach(&places, program, 0, true, true);
    pattern->is_found_at_end = reach(&places, program, 0, false, true);
    pattern->is_found_at_begin = reach(&places, program, 0, true, false);
    pattern->at_begin = bytes_of(&places, program, numbers);
    pattern->is_found_elsewhere = reach(&places, program, 0, false, false);
    pattern->elsewhere = bytes_of(&places, program, numbers);
    for (uint16_t i = 0; i < program->cnt; i++)
        if (program->steps[i].op == PATTERN_BYTE)
            fill_byte(pattern, program, numbers, i);
}

/* ---- the compiled ones ---- */

bool pattern_has_problem(char problem[PATTERN_PROBLEM_MAX], const char *text)
{
    struct pattern_program *program = mem_zalloc(1, sizeof *program);
    bool has_problem = pattern_compile(program, text, problem) != ERR_OK;
    free(program);
    return has_problem;
}

static struct pattern *make(const char *text)
{
    char problem[PATTERN_PROBLEM_MAX];
    struct pattern_program *program = mem_zalloc(1, sizeof *program);
    enum err err = pattern_compile(program, text, problem);
    assert(err == ERR_OK); /* who subscribes has asked pattern_has_problem */
    (void)err;
    struct pattern *pattern = mem_zalloc(1, sizeof *pattern);
    pattern->refs = 1;
    pattern->text = mem_strdup(text);
    fill(pattern, program);
    free(program);
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

const char *pattern_text(const struct pattern *pattern)
{
    return pattern->text;
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
