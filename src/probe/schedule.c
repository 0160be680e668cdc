#include "probe/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- rules ---- */

static uint64_t part_of(uint64_t whole, uint32_t fraction)
{
    return (uint64_t)((__uint128_t)whole * fraction >> 32);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t schedule_first_us(const struct health_timing *timing, uint64_t now_us, uint64_t within_us, uint32_t fraction)
{
    uint64_t interval_us = timing->interval_ms * 1000;
    return now_us + part_of(interval_us < within_us ? interval_us : within_us, fraction);
}

uint64_t schedule_next_us(const struct health_timing *timing, uint64_t start_us, uint64_t end_us,
                          enum schedule_state state, uint32_t fraction)
{
    uint64_t interval_us = timing->interval_ms * 1000, fast_us = timing->fast_interval_ms * 1000;
    uint64_t least_us = fast_us < interval_us ? fast_us : interval_us;
    switch (state) {
    case SCHEDULE_FIRST:
        return later(start_us + least_us + part_of(interval_us - least_us, fraction), end_us);
    case SCHEDULE_STEADY:
        return later(start_us + interval_us + part_of(interval_us * HEALTH_JITTER_PERCENT / 100, fraction), end_us);
    case SCHEDULE_UNSETTLED:
        break;
    }
    return later(start_us + fast_us, end_us);
}

uint64_t schedule_retry_us(const struct health_timing *timing, uint64_t now_us, uint32_t fraction)
{
    /* Half to the whole of fast_interval: soon, but not all at once when thousands were hit together. */
    uint64_t half_us = timing->fast_interval_ms * 500;
    return now_us + half_us + part_of(half_us, fraction);
}

/* ---- the clock ---- */

void schedule_clock_init(struct schedule_clock *clock, uint64_t mono_us)
{
    *clock = (struct schedule_clock){.last_us = mono_us};
}

static bool is_longer_by(uint64_t gone_us, uint64_t away_us, uint64_t more_us)
{
    return gone_us > more_us && gone_us - more_us > away_us;
}

/* Nobody knows when in the gap the process was stopped, so all of it is lost: a deadline may come late by what the
 * thread wanted to wait, never early. A clock that runs backwards is no such thing as CLOCK_MONOTONIC, but costs no
 * more than a subtraction here. */
uint64_t schedule_clock_us(struct schedule_clock *clock, uint64_t mono_us, uint64_t away_us)
{
    uint64_t gone_us = mono_us - clock->last_us;
    if (mono_us < clock->last_us) {
        clock->lost_us += gone_us; /* wraps, as the difference did */
    } else if (is_longer_by(gone_us, away_us, SCHEDULE_LATE_US)) {
        clock->stall_cnt++;
        if (is_longer_by(gone_us, away_us, SCHEDULE_STILL_US))
            clock->lost_us += gone_us;
    }
    clock->last_us = mono_us;
    return mono_us - clock->lost_us;
}

/* ---- the heap ---- */

struct schedule_item {
    uint64_t due_us;
    uint32_t number;
};

static void put_at(struct schedule_heap *heap, size_t index, struct schedule_item item)
{
    heap->items[index] = item;
    heap->places[item.number] = (uint32_t)index + 1;
}

static void sift_up(struct schedule_heap *heap, size_t index, struct schedule_item item)
{
    while (index && heap->items[(index - 1) / 2].due_us > item.due_us) {
        put_at(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put_at(heap, index, item);
}

static void sift_down(struct schedule_heap *heap, size_t index, struct schedule_item item)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap->cnt && heap->items[child + 1].due_us < heap->items[child].due_us)
            child++;
        if (child >= heap->cnt || heap->items[child].due_us >= item.due_us)
            break;
        put_at(heap, index, heap->items[child]);
        index = child;
    }
    put_at(heap, index, item);
}

/* `item` goes where a hole at `index` is. */
static void settle(struct schedule_heap *heap, size_t index, struct schedule_item item)
{
    if (index && heap->items[(index - 1) / 2].due_us > item.due_us)
        sift_up(heap, index, item);
    else
        sift_down(heap, index, item);
}

static void grow(struct schedule_heap *heap, uint32_t number)
{
    if (number >= heap->place_cnt) {
        size_t cnt = heap->place_cnt ? heap->place_cnt * 2 : 64;
        while (cnt <= number)
            cnt *= 2;
        heap->places = mem_realloc(heap->places, cnt, sizeof *heap->places);
        memset(heap->places + heap->place_cnt, 0, (cnt - heap->place_cnt) * sizeof *heap->places);
        heap->place_cnt = cnt;
    }
    if (heap->cnt == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 64;
        heap->items = mem_realloc(heap->items, heap->cap, sizeof *heap->items);
    }
}

void schedule_heap_set(struct schedule_heap *heap, uint32_t number, uint64_t due_us)
{
    struct schedule_item item = {due_us, number};
    grow(heap, number);
    if (heap->places[number])
        settle(heap, heap->places[number] - 1, item);
    else
        sift_up(heap, heap->cnt++, item);
}

void schedule_heap_remove(struct schedule_heap *heap, uint32_t number)
{
    if (number >= heap->place_cnt || !heap->places[number])
        return;
    size_t hole = heap->places[number] - 1;
    struct schedule_item last = heap->items[--heap->cnt];
    heap->places[number] = 0;
    if (last.number != number)
        settle(heap, hole, last);
}

bool schedule_heap_first(const struct schedule_heap *heap, uint32_t *number, uint64_t *due_us)
{
    if (!heap->cnt)
        return false;
    *number = heap->items[0].number;
    *due_us = heap->items[0].due_us;
    return true;
}

void schedule_heap_fini(struct schedule_heap *heap)
{
    free(heap->items);
    free(heap->places);
    *heap = (struct schedule_heap){0};
}
