#include "balance/alarm.h"

#include <stdlib.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"

struct alarms {
    struct balance *balance;
    struct balance_alarm **heap; /* the earliest first */
    size_t cnt, cap;
    uint64_t armed_ms; /* what the timer runs for; UINT64_MAX: nothing */
    uv_timer_t timer;
};

/* ---- the heap */

static void place(struct alarms *alarms, size_t at, struct balance_alarm *alarm)
{
    alarms->heap[at] = alarm;
    alarm->place = at + 1;
}

static void move_up(struct alarms *alarms, size_t at, struct balance_alarm *alarm)
{
    for (; at && alarms->heap[(at - 1) / 2]->due_ms > alarm->due_ms; at = (at - 1) / 2)
        place(alarms, at, alarms->heap[(at - 1) / 2]);
    place(alarms, at, alarm);
}

static void move_down(struct alarms *alarms, size_t at, struct balance_alarm *alarm)
{
    for (size_t child; (child = 2 * at + 1) < alarms->cnt; at = child) {
        child += child + 1 < alarms->cnt && alarms->heap[child + 1]->due_ms < alarms->heap[child]->due_ms;
        if (alarms->heap[child]->due_ms >= alarm->due_ms)
            break;
        place(alarms, at, alarms->heap[child]);
    }
    place(alarms, at, alarm);
}

void alarm_clear(struct alarms *alarms, struct balance_alarm *alarm)
{
    if (!alarm->place)
        return;
    size_t at = alarm->place - 1;
    struct balance_alarm *last = alarms->heap[--alarms->cnt];
    alarm->place = 0;
    if (last == alarm)
        return;
    if (last->due_ms < alarm->due_ms)
        move_up(alarms, at, last);
    else
        move_down(alarms, at, last);
}

void alarm_set(struct alarms *alarms, struct balance_alarm *alarm, uint64_t due_ms,
               void (*fn)(struct balance *balance, struct balance_alarm *alarm))
{
    if (alarm->place && alarm->due_ms == due_ms)
        return;
    alarm_clear(alarms, alarm);
    if (due_ms == UINT64_MAX)
        return;
    if (alarms->cnt == alarms->cap) {
        alarms->cap = alarms->cap ? alarms->cap * 2 : 64;
        alarms->heap = mem_realloc(alarms->heap, alarms->cap, sizeof *alarms->heap);
    }
    alarm->due_ms = due_ms;
    alarm->fn = fn;
    move_up(alarms, alarms->cnt++, alarm);
}

bool alarm_one(struct alarms *alarms)
{
    if (!alarms->cnt || alarms->heap[0]->due_ms > clock_mono_ms())
        return false;
    struct balance_alarm *alarm = alarms->heap[0];
    alarm_clear(alarms, alarm);
    alarm->fn(alarms->balance, alarm);
    return true;
}

/* ---- the timer */

static void on_timer(uv_timer_t *timer)
{
    struct alarms *alarms = container_of(timer, struct alarms, timer);
    alarms->armed_ms = UINT64_MAX;
    work_post(alarms->balance);
}

void alarms_arm(struct alarms *alarms)
{
    uint64_t due_ms = alarms->cnt ? alarms->heap[0]->due_ms : UINT64_MAX, now_ms = clock_mono_ms();
    if (due_ms == alarms->armed_ms)
        return;
    alarms->armed_ms = due_ms;
    uv_timer_stop(&alarms->timer);
    if (due_ms == UINT64_MAX)
        return;
    uv_update_time(alarms->timer.loop);
    uv_timer_start(&alarms->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

struct alarms *alarms_open(struct balance *balance, uv_loop_t *loop)
{
    struct alarms *alarms = mem_zalloc(1, sizeof *alarms);
    alarms->balance = balance;
    alarms->armed_ms = UINT64_MAX;
    uv_timer_init(loop, &alarms->timer);
    uv_unref((uv_handle_t *)&alarms->timer);
    return alarms;
}

static void on_close(uv_handle_t *handle) { free(container_of(handle, struct alarms, timer)); }

void alarms_close(struct alarms *alarms)
{
    free(alarms->heap);
    uv_close((uv_handle_t *)&alarms->timer, on_close);
}
