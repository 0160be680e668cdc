/* A regular expression → steps. A repetition is found by looking ahead over its atom; the atom is then read as many
 * times as it is to stand in the program. Recursion goes as deep as groups are nested. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pattern.h"
#include "probe/pattern_machine.h"

enum {
    DEPTH_MAX = 32,
    REPEAT_MAX = 255,  /* RE_DUP_MAX, POSIX's least */
    READS_MAX = 20000, /* of atoms and branches: (((){255}){255}){255} makes no step, but would be read for years */
};

struct compiler {
    struct pattern_program *program;
    const char *at;
    unsigned depth, reads;
    const char *problem; /* the first one; nothing is read after it */
    bool is_large;
};

static void refuse(struct compiler *c, const char *problem)
{
    if (!c->problem)
        c->problem = problem;
}

/* Where the next step will stand. */
static uint16_t here(const struct compiler *c)
{
    return (uint16_t)c->program->cnt;
}

static void too_large(struct compiler *c)
{
    refuse(c, "it is too large: at most 256 characters, repetitions written out");
    c->is_large = true;
}

static void add(struct compiler *c, struct pattern_step step)
{
    if (c->program->cnt < PATTERN_STEPS_MAX)
        c->program->steps[c->program->cnt++] = step;
    else
        too_large(c);
}

static void add_jump(struct compiler *c, enum pattern_op op, uint16_t to, uint16_t or_to)
{
    add(c, (struct pattern_step){.op = (uint8_t)op, .to = to, .or_to = or_to});
}

/* ---- bracket expressions: XBD 9.3.5 ---- */

static void set_byte(struct pattern_step *step, uint8_t byte)
{
    step->bytes[byte / 64] |= UINT64_C(1) << byte % 64;
}

static bool set_class(struct pattern_step *step, const char *name, size_t len)
{
    static const struct {
        const char *name;
        int (*is)(int c);
    } classes[] = {
        {"alpha", isalpha}, {"digit", isdigit}, {"alnum", isalnum}, {"upper", isupper},
        {"lower", islower}, {"space", isspace}, {"blank", isblank}, {"punct", ispunct},
        {"print", isprint}, {"graph", isgraph}, {"cntrl", iscntrl}, {"xdigit", isxdigit},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strlen(classes[i].name) != len || memcmp(classes[i].name, name, len) != 0)
            continue;
        for (int byte = 0; byte < 128; byte++)
            if (classes[i].is(byte))
                set_byte(step, (uint8_t)byte);
        return true;
    }
    return false;
}

/* "[:alpha:]"; `at` stands behind "[:". */
static void read_class(struct compiler *c, struct pattern_step *step)
{
    const char *end = strstr(c->at, ":]");
    if (!end || !set_class(step, c->at, (size_t)(end - c->at)))
        refuse(c, "unknown character class");
    else
        c->at = end + 2;
}

/* One end of a range, or a byte alone: itself, "[.x.]" or "[=x=]". */
static uint8_t read_bracket_byte(struct compiler *c)
{
    const char *at = c->at;
    if (at[0] == '[' && (at[1] == '.' || at[1] == '=')) {
        if (!at[2] || at[3] != at[1] || at[4] != ']') {
            refuse(c, "unknown collating symbol");
            return 0;
        }
        c->at += 5;
        return (uint8_t)at[2];
    }
    c->at++;
    return (uint8_t)*at;
}

static void read_range(struct compiler *c, struct pattern_step *step)
{
    uint8_t least = read_bracket_byte(c), most = least;
    if (c->at[0] == '-' && c->at[1] && c->at[1] != ']') {
        c->at++;
        if (c->at[0] == '[' && c->at[1] == ':')
            refuse(c, "a character class is no end of a range");
        most = read_bracket_byte(c);
    }
    if (most < least)
        refuse(c, "a range in [] ends before it begins");
    for (unsigned byte = least; byte <= most; byte++)
        set_byte(step, (uint8_t)byte);
}

static void read_bracket(struct compiler *c)
{
    struct pattern_step step = {.op = PATTERN_BYTE};
    bool is_inverse = *++c->at == '^';
    c->at += is_inverse;
    const char *begin = c->at;
    while (!c->problem && (*c->at != ']' || c->at == begin)) {
        if (!*c->at) {
            refuse(c, "a [ has no ]");
        } else if (c->at[0] == '[' && c->at[1] == ':') {
            c->at += 2;
            read_class(c, &step);
        } else {
            read_range(c, &step);
        }
    }
    if (c->problem)
        return;
    c->at++;
    for (unsigned i = 0; i < 4 && is_inverse; i++)
        step.bytes[i] = ~step.bytes[i];
    add(c, step);
}

/* ---- looking ahead ---- */

static const char *skip_bracket(const char *at)
{
    at++;
    at += *at == '^';
    at += *at == ']';
    while (*at && *at != ']') {
        char kind = at[1];
        bool is_named = *at++ == '[' && kind && strchr(":.=", kind);
        if (!is_named)
            continue;
        char end[3] = {kind, ']', '\0'};
        const char *found = strstr(at + 1, end);
        at = found ? found + 2 : at;
    }
    return at + (*at == ']');
}

const char *pattern_skip_one(const char *at, int *depth)
{
    if (*at == '[')
        return skip_bracket(at);
    *depth += (*at == '(') - (*at == ')');
    return at + 1 + (*at == '\\' && at[1]);
}

static const char *skip_atom(const char *at)
{
    int depth = 0;
    do
        at = pattern_skip_one(at, &depth);
    while (depth > 0 && *at);
    return at;
}

/* The "|" that ends this branch; NULL: it is the last of its group. */
static const char *find_bar(const char *at)
{
    int depth = 0;
    while (*at && depth >= 0) {
        if (*at == '|' && depth == 0)
            return at;
        at = pattern_skip_one(at, &depth);
    }
    return NULL;
}

/* ---- repetitions ---- */

struct repeat {
    unsigned least, most; /* most UINT_MAX: without end */
    const char *end;
};

/* "{2}", "{2,}", "{2,5}". */
static void read_interval(struct compiler *c, struct repeat *repeat)
{
    const char *at = repeat->end + 1;
    char *end;
    unsigned long least = 0, most;
    bool is_number = isdigit((unsigned char)*at);
    if (is_number)
        least = strtoul(at, &end, 10);
    most = least;
    if (is_number && *end == ',') {
        at = end + 1;
        most = isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : UINT32_MAX;
        end = isdigit((unsigned char)*at) ? end : end + 1;
    }
    if (!is_number || *end != '}' || least > most || least > REPEAT_MAX || (most > REPEAT_MAX && most != UINT32_MAX)) {
        refuse(c, "expected {N}, {N,} or {N,M}, N at most M, both at most 255");
        return;
    }
    *repeat = (struct repeat){(unsigned)least, (unsigned)most, end + 1};
}

static struct repeat read_repeat(struct compiler *c, const char *at)
{
    struct repeat repeat = {1, 1, at};
    if (*at == '*')
        repeat = (struct repeat){0, UINT32_MAX, at + 1};
    else if (*at == '+')
        repeat = (struct repeat){1, UINT32_MAX, at + 1};
    else if (*at == '?')
        repeat = (struct repeat){0, 1, at + 1};
    else if (*at == '{')
        read_interval(c, &repeat);
    if (repeat.end != at && *repeat.end && strchr("*+?{", *repeat.end))
        refuse(c, "a repetition of a repetition needs parentheses");
    return repeat;
}

static void read_branches(struct compiler *c);

static void read_group(struct compiler *c)
{
    if (++c->depth > DEPTH_MAX)
        refuse(c, "groups are nested too deep");
    c->at++;
    read_branches(c);
    if (*c->at == ')')
        c->at++;
    else
        refuse(c, "a ( has no )");
    c->depth--;
}

static void read_literal(struct compiler *c)
{
    struct pattern_step step = {.op = PATTERN_BYTE};
    if (*c->at == '\\') {
        c->at++;
        if (!*c->at || isalnum((unsigned char)*c->at) || strchr("<>`'", *c->at)) {
            refuse(c, "\"\\\" stands only before special characters");
            return;
        }
    }
    set_byte(&step, (uint8_t)*c->at++);
    add(c, step);
}

static void read_atom(struct compiler *c)
{
    if (++c->reads > READS_MAX)
        too_large(c);
    if (c->problem)
        return;
    if (*c->at == '(') {
        read_group(c);
    } else if (*c->at == '[') {
        read_bracket(c);
    } else if (*c->at == '.') {
        add(c, (struct pattern_step){.op = PATTERN_BYTE, .bytes = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}});
        c->at++;
    } else if (strchr("*+?{", *c->at)) {
        refuse(c, "a repetition of nothing");
    } else {
        read_literal(c);
    }
}

static void read_again(struct compiler *c, const char *atom)
{
    c->at = atom;
    read_atom(c);
}

/* x{2,} is x x, and back to the second; x* is a split around x and a jump back. */
static void read_endless(struct compiler *c, const char *atom, unsigned least)
{
    uint16_t begin = here(c);
    for (unsigned i = 0; i < least && !c->problem; i++) {
        begin = here(c);
        read_again(c, atom);
    }
    if (least) {
        add_jump(c, PATTERN_SPLIT, begin, (uint16_t)(here(c) + 1));
        return;
    }
    add_jump(c, PATTERN_SPLIT, (uint16_t)(begin + 1), 0);
    read_again(c, atom);
    add_jump(c, PATTERN_JUMP, begin, 0);
    if (!c->problem)
        c->program->steps[begin].or_to = here(c);
}

/* x{2,4} is x x (x (x)?)?, every split going to the same end. */
static void read_bounded(struct compiler *c, const char *atom, const struct repeat *repeat)
{
    uint16_t splits[REPEAT_MAX];
    unsigned split_cnt = 0;
    for (unsigned i = 0; i < repeat->most && !c->problem; i++) {
        if (i >= repeat->least) {
            splits[split_cnt++] = here(c);
            add_jump(c, PATTERN_SPLIT, (uint16_t)(here(c) + 1), 0);
        }
        read_again(c, atom);
    }
    for (unsigned i = 0; i < split_cnt && !c->problem; i++)
        c->program->steps[splits[i]].or_to = here(c);
    if (!repeat->most) { /* x{0}: read for its errors alone */
        uint32_t cnt = c->program->cnt;
        read_again(c, atom);
        c->program->cnt = cnt;
    }
}

static void read_piece(struct compiler *c)
{
    const char *atom = c->at;
    if (*atom == '^' || *atom == '$') {
        add_jump(c, *atom == '^' ? PATTERN_BEGIN : PATTERN_END, 0, 0);
        c->at++;
        return; /* a repetition that follows is one of nothing */
    }
    struct repeat repeat = read_repeat(c, skip_atom(atom));
    if (c->problem)
        return;
    if (repeat.most == UINT32_MAX)
        read_endless(c, atom, repeat.least);
    else
        read_bounded(c, atom, &repeat);
    if (!c->problem)
        c->at = repeat.end;
}

/* ---- branches ---- */

/* a|b|c: a split before each but the last, a jump to the end behind it. */
static void read_branches(struct compiler *c)
{
    uint16_t jumps[PATTERN_MAX];
    unsigned jump_cnt = 0;
    while (!c->problem) {
        bool is_last = !find_bar(c->at);
        uint16_t split = here(c);
        if (++c->reads > READS_MAX)
            too_large(c);
        if (!is_last)
            add_jump(c, PATTERN_SPLIT, (uint16_t)(split + 1), 0);
        while (!c->problem && *c->at && *c->at != '|' && *c->at != ')')
            read_piece(c);
        if (is_last || c->problem)
            break;
        jumps[jump_cnt++] = here(c);
        add_jump(c, PATTERN_JUMP, 0, 0);
        if (!c->problem)
            c->program->steps[split].or_to = here(c);
        c->at++;
    }
    for (unsigned i = 0; i < jump_cnt && !c->problem; i++)
        c->program->steps[jumps[i]].to = here(c);
}

static unsigned count_bytes(const struct pattern_program *program)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < program->cnt; i++)
        cnt += program->steps[i].op == PATTERN_BYTE;
    return cnt;
}

enum err pattern_compile(struct pattern_program *program, const char *text, char problem[PATTERN_PROBLEM_MAX])
{
    struct compiler c = {.program = program, .at = text};
    program->cnt = 0;
    if (strlen(text) > PATTERN_MAX)
        too_large(&c);
    read_branches(&c);
    if (!c.problem && *c.at == ')')
        refuse(&c, "a ) has no (");
    add_jump(&c, PATTERN_FOUND, 0, 0);
    if (!c.problem && count_bytes(program) > PATTERN_BYTES_MAX)
        too_large(&c);
    if (!c.problem)
        return ERR_OK;
    snprintf(problem, PATTERN_PROBLEM_MAX, "%s", c.problem);
    return c.is_large ? ERR_LIMIT : ERR_SYNTAX;
}
