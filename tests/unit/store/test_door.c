/* Random loads, transfers, updates of the file and ends of the process, one after the other: what is served is what a
 * model says, and the history leads there from all that it says it does. */
#include "door_rig.h"

enum { STEPS = 250, PAST_MAX = STEPS + 1 };

struct story {
    struct door *d;
    struct random_state rng;
    struct model now;
    /* since the history began, or later: what was served, the oldest first */
    struct model past[PAST_MAX];
    size_t past_cnt;
    struct store_held held;
    struct model held_model;
    bool holds;
};

static void note(struct story *s, const struct model *next)
{
    s->past[s->past_cnt++] = s->now;
    s->now = *next;
}

static void check(struct story *s, bool must_have)
{
    door_expect(s->d, &s->now);
    if (!s->past_cnt)
        return;
    const struct model *then = &s->past[random_below(&s->rng, (uint32_t)s->past_cnt)];
    if (must_have)
        assert_true(door_has_history(s->d, s->past[s->past_cnt - 1].serial));
    if (door_has_history(s->d, then->serial))
        door_expect_history(s->d, then, &s->now);
}

static struct model another(struct story *s, const struct model *model)
{
    struct model next = *model;
    next.serial += 1 + random_below(&s->rng, 3);
    model_change(&next, &s->rng, random_below(&s->rng, 5));
    return next;
}

static void hold_or_let_go(struct story *s)
{
    if (s->holds) {
        expect_model(s->held.version, &s->held_model);
        store_unhold(&s->held);
    } else {
        assert_int_equal(store_hold(s->d->store, &s->held, test_apex), ERR_OK);
        s->held_model = s->now;
    }
    s->holds = !s->holds;
}

static void restart(struct story *s)
{
    if (s->holds)
        hold_or_let_go(s);
    door_restart(s->d);
    assert_string_equal(s->d->said_at_start, "");
}

static void go_and_come(struct story *s)
{
    s->d->is_wanted = false;
    door_load(s->d);
    if (s->holds && random_below(&s->rng, 2))
        hold_or_let_go(s);
    s->d->is_wanted = true;
    door_load(s->d);
}

/* ---- a secondary */

static void steps(struct story *s)
{
    struct model models[4] = {s->now};
    size_t cnt = 1 + random_below(&s->rng, 3);
    for (size_t i = 0; i < cnt; i++)
        models[i + 1] = another(s, &models[i]);
    assert_int_equal(door_steps(s->d, models, cnt + 1), ERR_OK);
    for (size_t i = 0; i < cnt; i++)
        note(s, &models[i + 1]);
}

static void whole(struct story *s, bool is_forced)
{
    struct model next = another(s, &s->now);
    bool is_older = random_below(&s->rng, 3) == 0;
    if (is_older)
        next.serial = s->now.serial - random_below(&s->rng, 3);
    enum err err = door_whole(s->d, &next, is_forced);
    assert_int_equal(err, is_older && !is_forced ? ERR_INVALID : ERR_OK);
    if (err)
        return;
    if (is_older)
        s->past_cnt = 0; /* serials may come a second time */
    else
        s->past[s->past_cnt++] = s->now;
    s->now = next;
}

static void wrong_steps(struct story *s)
{
    struct model models[2] = {s->now};
    models[0].last[3] ^= 8;
    models[1] = models[0];
    models[1].serial++;
    models[1].last[3] = 16;
    assert_int_equal(door_steps(s->d, models, 2), ERR_INVALID);
}

/* The disk is full, now and then for longer than one change. */
static void steps_on_a_full_disk(struct story *s)
{
    struct model next = another(s, &s->now);
    int error = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    disk_fill(s->d, 4096);
    unsigned cnt = 1 + random_below(&s->rng, 2);
    while (cnt--)
        assert_int_equal(door_steps(s->d, (struct model[]){s->now, next}, 2), ERR_LIMIT);
    disk_empty(s->d);
    dup2(error, STDERR_FILENO);
    close(error);
    close(null);
}

static void secondary_step(struct story *s)
{
    switch (random_below(&s->rng, s->d->most_bytes > 60000 ? 13 : 12)) {
    case 0: restart(s); break;
    case 1: go_and_come(s); break;
    case 12: steps_on_a_full_disk(s); break;
    case 2: whole(s, random_below(&s->rng, 2)); break;
    case 3: wrong_steps(s); break;
    case 4: hold_or_let_go(s); break;
    case 5: door_load(s->d); break;
    case 6:
        store_expire(s->d->store, test_apex);
        if (random_below(&s->rng, 2))
            restart(s);
        store_revive(s->d->store, test_apex);
        break;
    default:
        steps(s);
        check(s, s->now.serial != s->past[s->past_cnt - 1].serial && s->d->most_bytes > 60000);
    }
    check(s, false);
}

static void secondary(struct door *d, uint64_t seed)
{
    struct story *s = mem_zalloc(1, sizeof *s);
    s->d = d;
    s->rng = (struct random_state){{seed, 2 * seed + 1}};
    s->now.serial = UINT32_MAX - 40;
    model_change(&s->now, &s->rng, 30);
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(door_whole(d, &s->now, false), ERR_OK);
    for (unsigned i = 0; i < STEPS && s->past_cnt < PAST_MAX - 4; i++)
        secondary_step(s);
    if (s->holds)
        hold_or_let_go(s);
    free(s);
}

static void test_secondary(void **state)
{
    struct door *d = *state;
    d->most_bytes = 1 << 20;
    secondary(d, 11);
}

/* Checkpoints all the time. */
static void test_secondary_with_a_short_history(void **state)
{
    struct door *d = *state;
    d->most_bytes = 2000;
    secondary(d, 12);
}

/* ---- a zone with a file */

/* The text that lies there: as it was taken, or one that is refused. */
static void new_text(struct story *s, bool may_be_refused, bool in_between)
{
    struct model next = another(s, &s->now);
    bool is_raised = !may_be_refused || random_below(&s->rng, 3) != 0;
    if (!is_raised)
        next.serial = s->now.serial - random_below(&s->rng, 3);
    bool is_refused = !is_raised && memcmp(next.last, s->now.last, sizeof next.last) != 0;
    bool is_other_serial = !is_raised && next.serial != s->now.serial;
    if (in_between)
        door_stop(s->d);
    door_write(s->d, &next, random_below(&s->rng, 2) ? "; text\n" : "");
    if (in_between)
        door_start(s->d);
    door_load(s->d);
    if (is_refused || is_other_serial) {
        assert_int_equal(s->d->failed, 1);
        door_expect(s->d, &s->now);
        door_write(s->d, &s->now, "");
        door_load(s->d);
        assert_int_equal(s->d->failed, 0);
    } else if (is_raised) {
        note(s, &next);
    }
}

static void broken_text(struct story *s)
{
    struct model next = another(s, &s->now);
    door_write(s->d, &next, "broken A\n");
    if (random_below(&s->rng, 2))
        restart(s);
    else
        door_load(s->d);
    assert_int_equal(s->d->failed, 1);
    door_expect(s->d, &s->now);
    door_write(s->d, &s->now, "");
    door_load(s->d);
    assert_int_equal(s->d->failed, 0);
}

static void text_step(struct story *s)
{
    switch (random_below(&s->rng, 10)) {
    case 0: restart(s); break;
    case 1: go_and_come(s); break;
    case 2: hold_or_let_go(s); break;
    case 3:
        if (s->holds)
            hold_or_let_go(s);
        new_text(s, true, true);
        break;
    case 4: broken_text(s); break;
    default: new_text(s, true, false);
    }
    check(s, s->past_cnt > 0);
}

static void test_text(void **state)
{
    struct door *d = *state;
    struct story *s = mem_zalloc(1, sizeof *s);
    s->d = d;
    s->rng = (struct random_state){{21, 22}};
    s->now.serial = UINT32_MAX - 40;
    model_change(&s->now, &s->rng, 30);
    door_write(d, &s->now, "");
    door_load(d);
    new_text(s, false, false); /* a zone without changes has no history that would remember it */
    for (unsigned i = 0; i < STEPS && s->past_cnt < PAST_MAX - 2; i++)
        text_step(s);
    if (s->holds)
        hold_or_let_go(s);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_secondary),
        DOOR_CASE(test_secondary_with_a_short_history),
        DOOR_CASE(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
