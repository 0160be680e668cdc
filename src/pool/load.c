#include "pool/load.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { RUN_LEAST = 6 };  /* moves one way before the step grows */
#define STEP_LEAST 0.007 /* of a factor's logarithm: a sixteenth of half the greatest */
#define STEP_GROWS 1.25
#define DEAD_BAND 0.05
#define LEAK 0.0625
#define UTILIZATION_LEAST 0.05
#define PERCENT_MOST 1000
#define WORTH 0.03 /* a change of a weight */
#define STEP_MOST (POOL_LOAD_STEP / 1.06) /* what was not worth it yet, and what is rounded, comes on top */
/* Weights in effect are whole numbers of quanta, at least so many, so that a table has no more slots than it takes:
 * some hundred where 4,096 would be a few hundredths of a percent better. */
enum { QUANTA_LEAST = 32, QUANTA_MOST = 4096 };
#define AT_REST 0.01

/* What is on its way from one step to the next, by member; logarithms. */
struct step {
    struct pool_load_member *members;
    size_t cnt;
    double was[POOL_MEMBERS_MAX];
    double want[POOL_MEMBERS_MAX]; /* how far the factor should go, before it is cut to a move */
    double now[POOL_MEMBERS_MAX];
    double gain[POOL_MEMBERS_MAX];
    enum pool_load_kind kind[POOL_MEMBERS_MAX]; /* POOL_LOAD_NONE: it is not steered */
    bool is_news[POOL_MEMBERS_MAX];
};

/* ---- what is wanted ---- */

static bool counts(const struct pool_load_member *member)
{
    return member->used && member->weight && member->report.kind != POOL_LOAD_NONE;
}

static bool is_wish(enum pool_load_kind kind) { return kind == POOL_LOAD_WEIGHT || kind == POOL_LOAD_PERCENT; }

static bool is_integrated(enum pool_load_kind kind)
{
    return kind == POOL_LOAD_UTILIZATION || kind == POOL_LOAD_CONNECTIONS;
}

/* Wishes are heeded from the first report on; what tells of clients needs clients. */
static enum pool_load_kind steered_by(struct pool_load_member *member, bool *is_news)
{
    struct pool_load *load = &member->load;
    if (!counts(member)) {
        load->seen = 0;
        return POOL_LOAD_NONE;
    }
    *is_news = member->report.when_ms != load->heard_ms;
    load->heard_ms = member->report.when_ms;
    bool is_blind = load->seen < POOL_LOAD_BLIND;
    if (is_blind && *is_news)
        load->seen++;
    return is_blind && !is_wish(member->report.kind) ? POOL_LOAD_NONE : member->report.kind;
}

/* How much of it there is, the more the worse; a wish the other way round. */
static double log_value(const struct pool_load_member *member)
{
    double value = member->report.value;
    switch (member->report.kind) {
    case POOL_LOAD_UTILIZATION:
        value = fmax(value / 65536, UTILIZATION_LEAST);
        break;
    case POOL_LOAD_CONNECTIONS:
        value = (value + 1) / member->weight;
        break;
    case POOL_LOAD_WEIGHT:
        value = fmax(value, POOL_LOAD_FLOOR) / member->weight;
        break;
    case POOL_LOAD_PERCENT:
        value = fmax(fmin(value, PERCENT_MOST) / 100, POOL_LOAD_FLOOR);
        break;
    case POOL_LOAD_TIME:
        value = fmax(value, 1);
        break;
    case POOL_LOAD_NONE:
    case POOL_LOAD_KIND_CNT:
        break;
    }
    return log(value);
}

/* The factors of those who share a sum, moved so that it is that of the configured weights; `factor` by member. */
static void keep_sum(const struct step *step, enum pool_load_kind kind, double *factor)
{
    double configured = 0, sum = 0;
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind) {
            configured += step->members[i].weight;
            sum += step->members[i].weight * exp(factor[i]);
        }
    double shift = sum > 0 ? log(configured / sum) : 0;
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind)
            factor[i] = fmax(factor[i] + shift, log(POOL_LOAD_FLOOR));
}

/* Factors in the ratio that is asked for. */
static void want_map(struct step *step, enum pool_load_kind kind)
{
    double goal[POOL_MEMBERS_MAX] = {0};
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind)
            goal[i] = log_value(&step->members[i]) * (kind == POOL_LOAD_TIME ? -1 : 1);
    if (kind != POOL_LOAD_PERCENT)
        keep_sum(step, kind, goal);
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind)
            step->want[i] = goal[i] - step->was[i];
}

/* Until all have the same: the mean by weight, so that the sum hardly moves. */
static void want_equal(struct step *step, enum pool_load_kind kind)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind) {
            double weight = step->members[i].weight * exp(step->was[i]);
            mean += weight * log_value(&step->members[i]);
            sum += weight;
        }
    for (size_t i = 0; i < step->cnt; i++)
        if (step->kind[i] == kind)
            step->want[i] = mean / sum - log_value(&step->members[i]);
}

static size_t count(const struct step *step, enum pool_load_kind kind)
{
    size_t cnt = 0;
    for (size_t i = 0; i < step->cnt; i++)
        cnt += step->kind[i] == kind;
    return cnt;
}

static void want_kind(struct step *step, enum pool_load_kind kind)
{
    size_t cnt = count(step, kind);
    if (!cnt)
        return;
    if (is_integrated(kind) && cnt > 1)
        want_equal(step, kind);
    else
        want_map(step, kind); /* one alone keeps the sum: its configured weight */
}

/* ---- how far it goes ---- */

/* Its greatest step by where it went before. */
static double learn_step(struct pool_load *load, int direction)
{
    double most = log(STEP_MOST), step = load->log_step > 0 ? load->log_step : most;
    if (direction == load->direction) {
        if (load->run < RUN_LEAST)
            load->run++;
        else
            step *= STEP_GROWS;
    } else {
        load->run = 1;
        if (load->direction)
            step /= 2;
    }
    load->direction = (int8_t)direction;
    step = fmin(fmax(step, STEP_LEAST), most);
    load->log_step = (float)step;
    return step;
}

static double move_of(struct step *step, size_t i)
{
    struct pool_load *load = &step->members[i].load;
    double want = step->want[i];
    if (step->kind[i] == POOL_LOAD_NONE) {
        load->log_step = 0;
        load->direction = 0;
        return fabs(want) < AT_REST ? want : want * step->gain[i];
    }
    if (!step->is_news[i] && !is_wish(step->kind[i]))
        return 0;
    double leak = is_integrated(step->kind[i]) ? LEAK * step->was[i] : 0;
    if (fabs(want) < DEAD_BAND)
        return -leak * step->gain[i];
    want -= leak;
    double most = learn_step(load, want > 0 ? 1 : -1);
    return fmin(fmax(want * step->gain[i], -most), most);
}

/* How much of the way all may go that no share of those in use changes by more than POOL_LOAD_STEP. A share's change is
 * between the least and the greatest move, less the mean of them all. */
static double part_of_way(const struct step *step)
{
    double least = INFINITY, greatest = -INFINITY, before = 0, after = 0;
    for (size_t i = 0; i < step->cnt; i++) {
        const struct pool_load_member *member = &step->members[i];
        if (!member->used || !member->weight)
            continue;
        least = fmin(least, step->now[i] - step->was[i]);
        greatest = fmax(greatest, step->now[i] - step->was[i]);
        before += member->weight * exp(step->was[i]);
        after += member->weight * exp(step->now[i]);
    }
    if (!(before > 0))
        return 1;
    double mean = log(after / before), most = log(STEP_MOST);
    if (greatest - mean <= most && mean - least <= most)
        return 1;
    return fmin(1, most / (greatest - least));
}

/* ---- the result ---- */

static double part_in_effect(const struct pool_load *load)
{
    return (double)(POOL_PART_ONE - load->withheld) / POOL_PART_ONE;
}

/* How many quanta the greatest has, a power of two. */
static uint32_t quanta_for(double least_part)
{
    uint32_t quanta = QUANTA_LEAST;
    while (quanta < QUANTA_MOST && least_part * quanta < QUANTA_LEAST)
        quanta *= 2;
    return quanta;
}

static uint32_t withheld_for(double part, uint32_t quanta)
{
    double whole = fmin(fmax(round(part * quanta), 1), quanta);
    return POOL_PART_ONE - (uint32_t)whole * (POOL_PART_ONE / quanta);
}

/* The greatest factor of those in use is the whole; who is not in use may have a greater one, for when it will be. */
static bool put_in_effect(const struct step *step)
{
    double greatest = -INFINITY, least = 1;
    bool is_worth = false, at_rest = true;
    for (size_t i = 0; i < step->cnt; i++)
        if (step->members[i].used && step->members[i].weight)
            greatest = fmax(greatest, step->now[i]);
    for (size_t i = 0; i < step->cnt; i++) {
        const struct pool_load *load = &step->members[i].load;
        double part = fmin(exp(step->now[i] - greatest), 1);
        is_worth |= fabs(part / part_in_effect(load) - 1) > WORTH;
        least = step->members[i].used && step->members[i].weight ? fmin(part, least) : least;
        at_rest &= step->now[i] == 0;
    }
    bool is_changed = false;
    uint32_t quanta = quanta_for(least);
    for (size_t i = 0; i < step->cnt && (is_worth || at_rest); i++) {
        struct pool_load *load = &step->members[i].load;
        uint32_t withheld = withheld_for(exp(step->now[i] - greatest), quanta);
        is_changed |= withheld != load->withheld;
        load->withheld = withheld;
    }
    return is_changed;
}

/* ---- from outside ---- */

bool pool_load_step(struct pool_load_member *members, size_t cnt)
{
    struct step step = {.members = members, .cnt = cnt};
    assert(cnt <= POOL_MEMBERS_MAX);
    for (size_t i = 0; i < cnt; i++) {
        step.was[i] = members[i].load.log_factor;
        step.kind[i] = steered_by(&members[i], &step.is_news[i]);
        step.want[i] = -step.was[i];
        step.gain[i] = step.kind[i] == POOL_LOAD_NONE || is_wish(step.kind[i]) ? POOL_LOAD_WISH_GAIN : POOL_LOAD_GAIN;
    }
    for (enum pool_load_kind kind = POOL_LOAD_TIME; kind < POOL_LOAD_KIND_CNT; kind++)
        want_kind(&step, kind);
    for (size_t i = 0; i < cnt; i++)
        step.now[i] = step.was[i] + move_of(&step, i);
    for (enum pool_load_kind kind = POOL_LOAD_TIME; kind < POOL_LOAD_PERCENT; kind++)
        keep_sum(&step, kind, step.now);
    double part = part_of_way(&step);
    for (size_t i = 0; i < cnt; i++) {
        step.now[i] = step.was[i] + part * (step.now[i] - step.was[i]);
        members[i].load.log_factor = (float)step.now[i];
    }
    return put_in_effect(&step);
}

static bool is_fresh(uint64_t then_ms, uint64_t now_ms, uint64_t stale_ms)
{
    return then_ms && now_ms - then_ms + stale_ms <= 2 * stale_ms; /* a clock that was set back makes it no older */
}

static enum pool_load_kind kind_of(uint8_t load_kind)
{
    static const enum pool_load_kind kinds[] = {
        [HEALTH_LOAD_NONE] = POOL_LOAD_NONE,
        [HEALTH_LOAD_UTILIZATION] = POOL_LOAD_UTILIZATION,
        [HEALTH_LOAD_CONNECTIONS] = POOL_LOAD_CONNECTIONS,
        [HEALTH_LOAD_WEIGHT] = POOL_LOAD_WEIGHT,
        [HEALTH_LOAD_PERCENT] = POOL_LOAD_PERCENT,
    };
    return load_kind < sizeof kinds / sizeof *kinds ? kinds[load_kind] : POOL_LOAD_NONE;
}

struct pool_load_report pool_load_read(enum pool_policy policy, const struct health_measure *measure,
                                       uint64_t now_wall_ms, uint64_t stale_ms)
{
    const struct pool_load_report none = {POOL_LOAD_NONE, 0, 0};
    if (policy == POOL_FASTEST) {
        bool is_there = measure->response_us && is_fresh(measure->response_wall_ms, now_wall_ms, stale_ms);
        return is_there
                   ? (struct pool_load_report){POOL_LOAD_TIME, measure->response_us, measure->response_wall_ms}
                   : none;
    }
    if (!is_fresh(measure->load_wall_ms, now_wall_ms, stale_ms))
        return none;
    return (struct pool_load_report){kind_of(measure->load_kind), measure->load, measure->load_wall_ms};
}

double pool_load_factor(const struct pool_load *load) { return exp((double)load->log_factor); }
