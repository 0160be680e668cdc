#include "probe/pattern_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pattern_machine.h"

/* ---- cutting ---- */

/* Where the group's parentheses stand. */
struct group {
    const char *open, *close; /* NULL: none */
    const char *problem;
};

static struct group find_group(const char *text)
{
    struct group group = {NULL, NULL, NULL};
    int depth = 0;
    for (const char *at = text; *at && !group.problem;) {
        if (*at == '(' && !depth) {
            group.problem = group.open ? "it has a second group beside the number's" : NULL;
            group.open = at;
        }
        if (*at == '|' && !depth)
            group.problem = "the group with the number must not be one of alternatives";
        const char *next = pattern_skip_one(at, &depth);
        if (*at == ')' && !depth) {
            group.close = at;
            if (*next && strchr("*+?{", *next))
                group.problem = "the group with the number must not be repeated";
        }
        at = next;
    }
    if (!group.problem && (!group.open || !group.close))
        group.problem = "it has no group: parentheses around the number";
    if (!group.problem && group.close == group.open + 1)
        group.problem = "the group for the number is empty";
    return group;
}

bool pattern_number_has_problem(char problem[PATTERN_PROBLEM_MAX], const char *text)
{
    struct group group;
    if (pattern_has_problem(problem, text))
        return true;
    group = find_group(text);
    if (group.problem)
        snprintf(problem, PATTERN_PROBLEM_MAX, "%s", group.problem);
    return group.problem != NULL;
}

void pattern_number_part(char part[PATTERN_MAX + 1], const char *text, enum pattern_number_place place)
{
    struct group group = find_group(text);
    const char *begins[] = {text, group.open + 1, group.close + 1};
    const char *ends[] = {group.open, group.close, text + strlen(text)};
    size_t len = (size_t)(ends[place] - begins[place]);
    memcpy(part, begins[place], len);
    part[len] = '\0';
}

/* ---- numbers ---- */

static size_t digits(const uint8_t *text, size_t at, size_t len)
{
    while (at < len && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

bool decimal_read(double *number, const uint8_t *text, size_t len)
{
    char copy[DECIMAL_MAX + 1];
    size_t at = digits(text, 0, len), digit_cnt = at;
    if (len > DECIMAL_MAX)
        return false;
    if (at < len && text[at] == '.') {
        size_t begin = ++at;
        at = digits(text, at, len);
        digit_cnt += at - begin;
    }
    if (digit_cnt && at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        size_t begin = at;
        at = digits(text, at, len);
        digit_cnt *= at > begin;
    }
    if (!digit_cnt || at < len)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *number = strtod(copy, NULL);
    return isfinite(*number);
}

/* ---- searching ---- */

struct search {
    struct pattern *const *parts;
    const uint8_t *bytes;
    size_t len;
    size_t left; /* bytes that may still be looked at behind numbers' begins */
};

static bool spend(struct search *search)
{
    search->left -= search->left > 0;
    return search->left > 0;
}

static const struct set *first(const struct pattern *pattern, size_t at)
{
    return at ? &pattern->elsewhere : &pattern->at_begin;
}

/* The machine goes over a byte. */
static struct set over(const struct pattern *pattern, const struct set *now, const struct set *fresh, uint8_t byte)
{
    struct set next = fresh ? *fresh : (struct set){{0}};
    if (now)
        join_after(&next, pattern, now);
    set_keep(&next, &pattern->is_byte[byte]);
    return next;
}

static bool is_empty(const struct set *set)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < SET_WORDS; i++)
        any |= set->words[i];
    return !any;
}

/* Does what is to stand after the number begin at `at`, behind at least one byte? */
static bool goes_on(struct search *search, size_t at)
{
    const struct pattern *pattern = search->parts[PATTERN_AFTER];
    struct set now;
    if (!pattern || pattern->is_found_elsewhere || (at == search->len && pattern->is_found_at_end))
        return true;
    for (size_t i = at; i < search->len && spend(search); i++) {
        bool is_first = i == at;
        now = over(pattern, is_first ? NULL : &now, is_first ? first(pattern, i) : NULL, search->bytes[i]);
        if (set_meets(&now, &pattern->found))
            return true;
        if (is_empty(&now))
            return false;
        if (i + 1 == search->len)
            return set_meets(&now, &pattern->found_at_end);
    }
    return false;
}

/* The longest number that the group matches from `at` on, with what is to follow. */
static bool read_at(struct search *search, size_t at, double *number)
{
    const struct pattern *pattern = search->parts[PATTERN_NUMBER];
    uint8_t lens[DECIMAL_MAX], cnt = 0;
    struct set now;
    for (size_t i = at; i < search->len && i - at < DECIMAL_MAX && spend(search); i++) {
        bool is_first = i == at, is_last = i + 1 == search->len;
        now = over(pattern, is_first ? NULL : &now, is_first ? first(pattern, i) : NULL, search->bytes[i]);
        if (is_empty(&now))
            break;
        if (set_meets(&now, &pattern->found) || (is_last && set_meets(&now, &pattern->found_at_end)))
            lens[cnt++] = (uint8_t)(i - at + 1);
    }
    while (cnt--)
        if (decimal_read(number, search->bytes + at, lens[cnt]) && goes_on(search, at + lens[cnt]))
            return true;
    return false;
}

static bool may_begin(uint8_t byte) { return (byte >= '0' && byte <= '9') || byte == '.'; }

bool pattern_number_find(struct pattern *const parts[PATTERN_PLACES], const uint8_t *bytes, size_t len, double *number)
{
    const struct pattern *before = parts[PATTERN_BEFORE];
    struct search search = {.parts = parts, .bytes = bytes, .len = len, .left = 2 * 64 * 1024};
    struct set now = {{0}};
    for (size_t i = 0; i < len && search.left; i++) {
        bool is_behind = !before || (i ? before->is_found_elsewhere || set_meets(&now, &before->found)
                                       : before->is_found_at_begin);
        if (is_behind && may_begin(bytes[i]) && read_at(&search, i, number))
            return true;
        if (before)
            now = over(before, &now, first(before, i), bytes[i]);
    }
    return false;
}
