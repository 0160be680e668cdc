#include "probe/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/ending.h"
#include "probe/watched.h"

enum {
    /* Of the descriptors that the process may have, checks use a quarter at most: the rest are the clients' and our
       own. */
    RUNNING_SHARE = WATCH_RUNNING_SHARE,
    RUNNING_LEAST = 16,
    RUNNING_MOST = WATCH_RUNNING_MOST,
    WARN_AGAIN_SEC = 60,
};

static uint64_t worked_us(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) ? 0
                                                        : (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void watch_tick(struct watch *watch, uint64_t away_us)
{
    uint64_t worked = worked_us();
    away_us += worked - watch->worked_us;
    watch->worked_us = worked;
    watch->now_us = schedule_clock_us(&watch->clock, clock_mono_us(), away_us);
}

/* Between ticks, a call or two for each check: the processor time, which takes a
 * system call, is asked for only where it decides. */
static void glance(struct watch *watch)
{
    uint64_t mono_us = clock_mono_us();
    if (mono_us - watch->clock.last_us > SCHEDULE_LATE_US)
        watch_tick(watch, 0);
    else
        watch->now_us = schedule_clock_us(&watch->clock, mono_us, 0);
}

/* ---- whose turn it is ---- */

static void join_turn(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    struct watch_turns *turns = &watch->turns[w->hangs];
    w->state = WATCHED_TURN;
    w->turn_after = 0;
    w->turn_before = turns->last;
    *(turns->last ? &watched_at(watch, turns->last - 1)->turn_after : &turns->first) = slot + 1;
    turns->last = slot + 1;
    watch->waiting_cnt++;
    tally_set(&watch->tally, waiting, watch->waiting_cnt);
}

static void leave_turn(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    struct watch_turns *turns = &watch->turns[w->hangs];
    *(w->turn_before ? &watched_at(watch, w->turn_before - 1)->turn_after : &turns->first) = w->turn_after;
    *(w->turn_after ? &watched_at(watch, w->turn_after - 1)->turn_before : &turns->last) = w->turn_before;
    watch->waiting_cnt--;
    tally_set(&watch->tally, waiting, watch->waiting_cnt);
}

void watched_wait_until(struct watch *watch, uint32_t slot, uint64_t due_us)
{
    struct watched *w = watched_at(watch, slot);
    uint64_t least_us = w->start_us ? w->start_us + w->target->timing.start_gap_ms * UINT64_C(1000) : 0;
    w->state = WATCHED_WAITING;
    w->due_us = due_us > least_us ? due_us : least_us;
    schedule_heap_set(&watch->heap, slot, w->due_us);
}

/* ---- checks ---- */

static struct check *take_check(struct watch *watch)
{
    struct check *check = watch->free_checks;
    if (check)
        watch->free_checks = check->next_free;
    else
        check = mem_zalloc(1, sizeof *check);
    return check;
}

static void end_check(struct watch *watch, struct watched *w)
{
    check_close(w->check);
    places_leave(&watch->places, w->check->hung_before);
    w->check->next_free = watch->free_checks;
    watch->free_checks = w->check;
    w->check = NULL;
    watch->running_cnt--;
    tally_set(&watch->tally, running, watch->running_cnt);
}

/* ---- steps ---- */

/* With the time at which we see it. */
static void note_steps(struct watch *watch, struct check *check)
{
    if (!check->is_traced)
        return;
    glance(watch);
    check_note_steps(check, check_age_us(check, watch->now_us));
}

/* Due now, or when starts are far enough apart; one that is under way is followed by another. */
static void hurry(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    w->asked = true;
    if (w->state == WATCHED_WAITING)
        watched_wait_until(watch, slot, watch->now_us);
}

/* ---- endings ---- */

static void finish(struct watch *watch, uint32_t slot, bool is_late)
{
    struct watched *w = watched_at(watch, slot);
    struct ending ending;
    note_steps(watch, w->check);
    glance(watch);
    bool is_traced = w->check->is_traced;
    ending_take(&ending, w->check, watch->now_us);
    ending.is_late = is_late;
    ending.stalled = w->check->stall_cnt != watch->clock.stall_cnt;
    end_check(watch, w);
    ending_conclude(watch, slot, &ending);
    if (is_traced)
        ending_trace(watch, slot, &ending);
    if (w->asked)
        hurry(watch, slot);
}

static void on_driven(void *arg, struct check *check)
{
    finish(arg, check->slot, check->is_late);
}

/* ---- beginning ---- */

static void draw(struct check *check, const struct target *target)
{
    enum kind_transport transport = kinds[target->type]->transport;
    if (transport == KIND_DATAGRAM || transport == KIND_ECHO)
        random_bytes(&check->run.random, sizeof check->run.random);
}

static void begin(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    glance(watch);
    struct check *check = w->check = take_check(watch);
    check->slot = slot;
    check->hung_before = w->hangs;
    check->stall_cnt = watch->clock.stall_cnt;
    check->run.measure = w->measure;
    draw(check, w->target);
    check->is_traced = w->asked;
    w->asked = false;
    w->state = WATCHED_RUNNING;
    w->start_us = watch->now_us;
    watch->running_cnt++;
    places_take(&watch->places, w->hangs, watch->turns[true].first);
    tally_set(&watch->tally, running, watch->running_cnt);
    tally_count(&watch->tally, begun);
    tally_lag(&watch->tally, watch->now_us, watch->now_us - w->due_us);
    check_open(check, w->target, watch->now_us, watch->epoll_fd, slot);
    if (check_awaits_driver(check))
        drivers_start(&watch->drivers, check);
    note_steps(watch, check);
    if (check_runs(check))
        schedule_heap_set(&watch->heap, slot, kind_due_us(&check->run));
    else
        finish(watch, slot, false);
}

void watch_event(struct watch *watch, uint64_t tag, uint32_t events, uint8_t *buffer, size_t buffer_len)
{
    uint32_t slot = (uint32_t)tag;
    if (tag >> 32) {
        drivers_event(&watch->drivers, tag, events);
        return;
    }
    struct watched *w = watched_at(watch, slot);
    if (w->state != WATCHED_RUNNING)
        return;
    w->check->run.now_us = watch->now_us;
    check_event(w->check, events, buffer, buffer_len);
    note_steps(watch, w->check);
    if (check_awaits_driver(w->check))
        drivers_start(&watch->drivers, w->check);
    if (!check_runs(w->check))
        finish(watch, slot, false);
}

/* ---- time ---- */

static void end_late(struct check *check)
{
    const struct driver_type *type = check->run.kind->driver;
    if (check->driver && type->late)
        type->late(check->driver, check);
    else
        kind_late(&check->run);
}

static void wake_check(struct watch *watch, uint32_t slot)
{
    struct check *check = watched_at(watch, slot)->check;
    check->run.now_us = watch->now_us;
    check_wake(check);
    if (check_runs(check))
        schedule_heap_set(&watch->heap, slot, kind_due_us(&check->run));
    else
        finish(watch, slot, false);
}

/* Something that a check waits for, its deadline, or the time to begin one. */
static void come_due(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    if (w->state == WATCHED_RUNNING && w->check->run.wake_us && w->check->run.deadline_us > watch->now_us) {
        wake_check(watch, slot);
    } else if (w->state == WATCHED_RUNNING && w->check->run.deadline_us > watch->now_us) {
        schedule_heap_set(&watch->heap, slot, w->check->run.deadline_us); /* its driver has put it off */
    } else if (w->state == WATCHED_RUNNING) {
        end_late(w->check);
        finish(watch, slot, true);
    } else {
        schedule_heap_remove(&watch->heap, slot);
        join_turn(watch, slot);
    }
}

static bool is_due(const struct watch *watch, uint32_t *slot)
{
    uint64_t due_us;
    return schedule_heap_first(&watch->heap, slot, &due_us) && due_us <= watch->now_us;
}

static uint32_t places(const struct watch *watch)
{
    uint32_t most = __atomic_load_n(&watch->checks_max, __ATOMIC_RELAXED);
    return most && most < watch->running_max ? most : watch->running_max;
}

/* Slot + 1 of whom to begin with; 0: none, or none may. */
static uint32_t may_begin(const struct watch *watch)
{
    const struct watch_turns *turns = watch->turns;
    enum places_turn turn =
        places_next(&watch->places, watch->running_cnt, places(watch), turns[false].first, turns[true].first);
    return turn == PLACES_NOBODY ? 0 : turns[turn].first;
}

static void warn_waiting(struct watch *watch)
{
    if (watch->now_us < watch->may_warn_us)
        return;
    watch->may_warn_us = watch->now_us + (uint64_t)WARN_AGAIN_SEC * 1000000;
    log_warning("%u checks wait: %u are under way, and at most %u may be %s", watch->waiting_cnt, watch->running_cnt,
                places(watch), places(watch) < watch->running_max ? "by checks_max" : "with this limit of open files");
}

/* Deadlines are judged by the time of the last look at the sockets: `now` does not move while they are gone through. */
bool watch_turn(struct watch *watch, unsigned most)
{
    uint64_t seen_us = watch->now_us;
    uint32_t slot;
    unsigned done = 0;
    drivers_tick(&watch->drivers, watch->now_us);
    for (; done < most && is_due(watch, &slot); done++) {
        come_due(watch, slot);
        watch->now_us = seen_us;
    }
    for (uint32_t next; done < most && (next = may_begin(watch)) != 0; done++) {
        leave_turn(watch, next - 1);
        begin(watch, next - 1);
    }
    bool more = may_begin(watch) != 0;
    if (watch->waiting_cnt && !more)
        warn_waiting(watch);
    return is_due(watch, &slot) || more;
}

uint64_t watch_wait_us(const struct watch *watch)
{
    uint32_t slot;
    uint64_t due_us;
    if (!schedule_heap_first(&watch->heap, &slot, &due_us))
        due_us = UINT64_MAX;
    uint64_t driver_us = drivers_due_us(&watch->drivers);
    due_us = driver_us < due_us ? driver_us : due_us;
    if (due_us == UINT64_MAX)
        return UINT64_MAX;
    return due_us > watch->now_us ? due_us - watch->now_us : 0;
}

/* ---- coming and going ---- */

static void drop(struct watch *watch, uint32_t slot)
{
    struct watched *w = watched_at(watch, slot);
    if (w->state == WATCHED_TURN)
        leave_turn(watch, slot);
    if (w->state == WATCHED_RUNNING)
        end_check(watch, w);
    schedule_heap_remove(&watch->heap, slot);
    target_put(w->target);
    *w = (struct watched){.target = NULL};
}

/* No result is its own yet, so its checks are spread like those of any new target. */
static struct health_target health_of(const struct exchange_report *known)
{
    return (struct health_target){
        .verdict = (enum health_verdict)known->verdict,
        .unsettled = known->unsettled,
        .contrary_cnt = known->contrary_cnt,
        .since_ms = known->since_wall_ms,
    };
}

static void change(struct watch *watch, struct exchange_wish *wish)
{
    drop(watch, wish->slot);
    if (!wish->target)
        return;
    struct watched *w = watched_at(watch, wish->slot);
    w->target = wish->target;
    w->generation = wish->generation;
    w->health = health_of(&wish->known);
    w->duration_us = wish->known.duration_us;
    w->measure = wish->known.measure;
    wish->target = NULL;
    watched_wait_until(
        watch, wish->slot,
        schedule_first_us(&w->target->timing, watch->now_us, watch->first_within_us, schedule_spread(&watch->spread)));
}

void watch_wish(struct watch *watch, struct exchange_wish *wish)
{
    paged_grow(&watch->targets, 1 + wish->slot);
    if (wish->is_change)
        change(watch, wish);
    if (wish->check_now && watched_at(watch, wish->slot)->target)
        hurry(watch, wish->slot);
}

static uint32_t running_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur / RUNNING_SHARE < RUNNING_LEAST)
        return RUNNING_LEAST;
    return limit.rlim_cur / RUNNING_SHARE > RUNNING_MOST ? RUNNING_MOST : (uint32_t)(limit.rlim_cur / RUNNING_SHARE);
}

void watch_open(struct watch *watch, int epoll_fd)
{
    watch->epoll_fd = epoll_fd;
    watch->targets.item_len = sizeof(struct watched);
    watch->drivers = (struct drivers){.epoll_fd = epoll_fd, .ended = on_driven, .arg = watch};
    watch->worked_us = worked_us();
    watch->running_max = running_max();
    random_seed(&watch->rng);
    watch->spread = (uint32_t)random_u64(&watch->rng);
    schedule_clock_init(&watch->clock, clock_mono_us());
    watch->now_us = watch->clock.last_us;
}

void watch_close(struct watch *watch)
{
    for (uint32_t slot = 0; slot < paged_cnt(&watch->targets); slot++)
        drop(watch, slot);
    drivers_close(&watch->drivers);
    while (watch->free_checks) {
        struct check *check = watch->free_checks;
        watch->free_checks = check->next_free;
        free(check);
    }
    schedule_heap_fini(&watch->heap);
    paged_fini(&watch->targets);
}
