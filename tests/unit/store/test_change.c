/* Changes of zones one after the other, loads among them; versions that are held; zones that go and come back. */
#include "door_rig.h"

#include <semaphore.h>

#include "store/load.h"

static const struct model first = {.serial = 5, .last = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}};

static struct model after(struct model model, uint32_t serial, unsigned name, uint8_t last)
{
    model.serial = serial;
    model.last[name] = last;
    return model;
}

static void begin(struct door *d)
{
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(door_whole(d, &first, false), ERR_OK);
}

/* A change that stays in its job until it is told to end, and makes nothing. */
struct blocker {
    struct store_change change;
    sem_t end;
    unsigned *running; /* atomic: such changes that are being made now */
    unsigned most;     /* that ran at a time, this one among them */
    unsigned done_cnt;
    enum err err;
};

static enum err block(struct store_change *change, struct store_making *making)
{
    struct blocker *b = container_of(change, struct blocker, change);
    (void)making;
    b->most = __atomic_add_fetch(b->running, 1, __ATOMIC_RELAXED);
    while (sem_wait(&b->end))
        continue;
    __atomic_sub_fetch(b->running, 1, __ATOMIC_RELAXED);
    return ERR_OK;
}

static void block_done(struct store_change *change, enum err err, const char *why)
{
    struct blocker *b = container_of(change, struct blocker, change);
    assert_int_equal(err == ERR_OK, why == NULL);
    b->done_cnt++;
    b->err = err;
}

static void block_init(struct blocker *b, unsigned *running)
{
    *b = (struct blocker){.change = {.make = block, .done = block_done}, .running = running};
    sem_init(&b->end, 0, 0);
}

/* ---- order */

static void test_changes_wait_for_each_other(void **state)
{
    struct door *d = *state;
    enum { CHANGES = 12 };
    struct wanted wanted[CHANGES];
    struct model models[CHANGES + 1] = {first};
    unsigned order = 0;
    begin(d);
    for (unsigned i = 0; i < CHANGES; i++) {
        models[i + 1] = after(models[i], models[i].serial + 1, i, (uint8_t)(20 + i));
        want_steps(d, &wanted[i], &models[i], 2); /* fits only when the one before it has been made */
        wanted[i].order = &order;
        if (i == CHANGES / 2)
            door_begin_load(d); /* somewhere among them */
    }
    door_wait(d);
    assert_int_equal(d->reports, 2);
    for (unsigned i = 0; i < CHANGES; i++) {
        assert_int_equal(wanted[i].done_cnt, 1);
        assert_int_equal(wanted[i].err, ERR_OK);
        assert_int_equal(wanted[i].place, i + 1);
    }
    door_expect(d, &models[CHANGES]);
    assert_int_equal(door_expect_history(d, &first, &models[CHANGES]), CHANGES);
}

static void test_a_change_behind_a_load(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 7);
    struct wanted wanted;
    door_write(d, &first, "");
    door_load(d);
    door_write(d, &second, "");
    door_begin_load(d);
    while (!load_is_near(d->store, store_find(d->store, test_apex)) && store_loading(d->store) &&
           !store_find(d->store, test_apex)->building)
        uv_run(&d->loop, UV_RUN_ONCE);
    want_steps(d, &wanted, (struct model[]){second, third}, 2);
    door_wait(d);
    assert_int_equal(wanted.err, ERR_OK);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
}

/* A load of one zone that waits keeps no other zone waiting, and forgets nobody who does. */
static void test_a_load_of_one_zone_leaves_others_alone(void **state)
{
    struct door *d = *state;
    struct blocker here, there, behind;
    unsigned running = 0;
    d->other_cnt = 1;
    door_write_other(d);
    door_write(d, &first, "");
    door_load(d);
    block_init(&here, &running);
    block_init(&there, &running);
    block_init(&behind, &running);
    store_change(d->store, test_apex, &here.change);
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_FORCE, door_report, d), ERR_OK);
    store_change(d->store, (const uint8_t *)"\2z1\7example\3net", &there.change);
    store_change(d->store, test_apex, &behind.change);
    sem_post(&there.end);
    while (!there.done_cnt)
        uv_run(&d->loop, UV_RUN_ONCE);
    assert_int_equal(here.done_cnt + behind.done_cnt, 0);
    assert_true(store_loading(d->store));
    sem_post(&here.end);
    sem_post(&behind.end);
    door_wait(d);
    assert_int_equal(here.done_cnt, 1);
    assert_int_equal(behind.done_cnt, 1);
    assert_int_equal(d->reports, 2);
}

static void test_waiting_changes_count_as_busy(void **state)
{
    struct door *d = *state;
    struct blocker one, two;
    unsigned running = 0;
    begin(d);
    block_init(&one, &running);
    block_init(&two, &running);
    store_change(d->store, test_apex, &one.change);
    store_change(d->store, test_apex, &two.change);
    sem_post(&one.end);
    sem_post(&two.end);
    while (store_busy(d->store))
        uv_run(&d->loop, UV_RUN_ONCE);
    assert_int_equal(one.done_cnt + two.done_cnt, 2);
    assert_int_equal(two.most, 1);
}

/* The load ends without having read all zones, while one that it has read is being changed already. */
static void test_a_cancelled_load_leaves_changes_alone(void **state)
{
    struct door *d = *state;
    struct blocker one, two;
    unsigned running = 0;
    d->other_cnt = 3000;
    door_write_other(d);
    door_write(d, &first, "");
    door_begin_load(d);
    while (!store_find(d->store, test_apex))
        uv_run(&d->loop, UV_RUN_ONCE);
    block_init(&one, &running);
    block_init(&two, &running);
    store_change(d->store, test_apex, &one.change);
    store_change(d->store, test_apex, &two.change);
    while (!__atomic_load_n(&running, __ATOMIC_RELAXED))
        uv_run(&d->loop, UV_RUN_NOWAIT);
    store_cancel(d->store);
    while (store_loading(d->store))
        uv_run(&d->loop, UV_RUN_ONCE);
    assert_true(store_find(d->store, test_apex)->building);
    sem_post(&one.end);
    sem_post(&two.end);
    door_wait(d);
    assert_int_equal(one.done_cnt + two.done_cnt, 2);
    assert_int_equal(one.most, 1);
    assert_int_equal(two.most, 1);
}

/* ---- zones that go */

static void test_no_such_zone(void **state)
{
    struct door *d = *state;
    assert_int_equal(door_whole(d, &first, false), ERR_NOT_FOUND);
    begin(d);
    d->is_wanted = false;
    door_load(d);
    assert_int_equal(door_whole(d, &first, true), ERR_NOT_FOUND);
}

static void test_changes_of_a_zone_that_goes(void **state)
{
    struct door *d = *state;
    struct blocker one, two, three;
    unsigned running = 0;
    begin(d);
    block_init(&one, &running);
    block_init(&two, &running);
    block_init(&three, &running);
    store_change(d->store, test_apex, &one.change);
    store_change(d->store, test_apex, &two.change);
    d->is_wanted = false;
    door_begin_load(d);
    while (!load_is_near(d->store, store_find(d->store, test_apex)))
        uv_run(&d->loop, UV_RUN_ONCE);
    store_change(d->store, test_apex, &three.change);
    sem_post(&one.end);
    door_wait(d);
    assert_int_equal(one.err, ERR_OK);
    assert_int_equal(two.err, ERR_NOT_FOUND);
    assert_int_equal(three.err, ERR_NOT_FOUND);
    assert_int_equal(one.done_cnt + two.done_cnt + three.done_cnt, 3);
    assert_null(door_zone(d));
}

static void test_a_zone_comes_back_with_its_history(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 7);
    begin(d);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    for (unsigned i = 0; i < 2; i++) {
        d->is_wanted = false;
        door_load(d);
        if (i)
            door_restart(d);
        assert_null(door_zone(d));
        d->is_wanted = true;
        door_load(d);
        door_expect(d, &second);
        assert_int_equal(door_expect_history(d, &first, &second), 1);
    }
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_OK);
    door_restart(d);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
}

/* ---- versions that are held */

static void test_held_versions_stay(void **state)
{
    struct door *d = *state;
    enum { CHANGES = 40 };
    struct model models[CHANGES + 1] = {first};
    struct store_held held[CHANGES + 1];
    begin(d);
    for (unsigned i = 0; i <= CHANGES; i++) {
        assert_int_equal(store_hold(d->store, &held[i], test_apex), ERR_OK);
        assert_int_equal(held[i].seq, i + 1);
        if (i == CHANGES)
            break;
        models[i + 1] = after(models[i], models[i].serial + 1, i % MODEL_NAMES, (uint8_t)(30 + i));
        assert_int_equal(door_steps(d, (struct model[]){models[i], models[i + 1]}, 2), ERR_OK);
    }
    for (unsigned i = 0; i < CHANGES; i += 3)
        store_unhold(&held[i]);
    d->is_wanted = false;
    door_load(d);
    for (unsigned i = 0; i < 5; i++)
        uv_run(&d->loop, UV_RUN_NOWAIT);
    for (unsigned i = CHANGES + 1; i-- > 0;) {
        if (i % 3 == 0 && i < CHANGES)
            continue;
        expect_model(held[i].version, &models[i]);
        store_unhold(&held[i]);
    }
}

/* Large ones are let go in jobs; whoever holds the same version meanwhile keeps it. */
static void test_large_versions_held_by_many(void **state)
{
    struct door *d = *state;
    struct model large = first, next;
    struct store_held one, two, old;
    d->is_secondary = true;
    door_load(d);
    large.filler_cnt = 6000;
    assert_int_equal(door_whole(d, &large, false), ERR_OK);
    assert_int_equal(store_hold(d->store, &old, test_apex), ERR_OK);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(store_hold(d->store, &one, test_apex), ERR_OK);
        store_unhold(&one);
        assert_int_equal(store_hold(d->store, &two, test_apex), ERR_OK);
        store_unhold(&two);
        uv_run(&d->loop, UV_RUN_NOWAIT);
    }
    next = large;
    next.serial++;
    next.last[0] = 99;
    assert_int_equal(door_whole(d, &next, true), ERR_OK);
    next.serial++;
    next.filler_cnt = 0;
    assert_int_equal(door_whole(d, &next, false), ERR_OK);
    expect_model(old.version, &large);
    store_unhold(&old);
    door_expect(d, &next);
    while (store_find(d->store, test_apex)->release_cnt)
        uv_run(&d->loop, UV_RUN_ONCE);
    door_expect(d, &next);
}

static void test_nothing_to_hold(void **state)
{
    struct door *d = *state;
    struct store_held held;
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_NOT_FOUND);
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_changes_wait_for_each_other),
        DOOR_CASE(test_a_change_behind_a_load),
        DOOR_CASE(test_a_load_of_one_zone_leaves_others_alone),
        DOOR_CASE(test_waiting_changes_count_as_busy),
        DOOR_CASE(test_a_cancelled_load_leaves_changes_alone),
        DOOR_CASE(test_no_such_zone),
        DOOR_CASE(test_changes_of_a_zone_that_goes),
        DOOR_CASE(test_a_zone_comes_back_with_its_history),
        DOOR_CASE(test_held_versions_stay),
        DOOR_CASE(test_large_versions_held_by_many),
        DOOR_CASE(test_nothing_to_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
