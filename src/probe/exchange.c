#include "probe/exchange.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/paged.h"

struct entry {
    struct exchange_report report;
    char *text;            /* of a REASON_TEXT, owned; NULL: there never was one */
    struct target *wanted; /* counted while the wish waits; NULL else */
    uint32_t generation;
    uint32_t next_wish, next_event; /* slot + 1 */
    bool wish_waits, event_waits;   /* in the queue */
    bool is_change, check_now;      /* of the wish */
    bool event_counts;              /* false: of a target that is gone; passed over when its turn comes */
};

/* Slots in the order of their first unheard message. */
struct queue {
    uint32_t first, last; /* slot + 1 */
};

/* Few: somebody waits for each. */
struct traced {
    struct traced *next;
    uint32_t slot, generation;
    struct probe_trace trace;
};

struct exchange {
    pthread_mutex_t lock; /* of everything below */
    struct traced *traces, **traces_end;
    struct paged entries;
    struct queue wishes, events;
};

struct exchange *exchange_new(void)
{
    struct exchange *exchange = mem_zalloc(1, sizeof *exchange);
    pthread_mutex_init(&exchange->lock, NULL);
    exchange->traces_end = &exchange->traces;
    exchange->entries.item_len = sizeof(struct entry);
    return exchange;
}

static struct entry *entry_at(const struct exchange *exchange, uint32_t slot)
{
    return paged_at(&exchange->entries, slot);
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    for (uint32_t i = 0; i < paged_cnt(&exchange->entries); i++) {
        target_put(entry_at(exchange, i)->wanted);
        free(entry_at(exchange, i)->text);
    }
    paged_fini(&exchange->entries);
    for (struct traced *traced = exchange->traces, *next; traced; traced = next) {
        next = traced->next;
        free(traced);
    }
    pthread_mutex_destroy(&exchange->lock);
    free(exchange);
}

static bool push_wish(struct exchange *exchange, uint32_t slot)
{
    struct queue *queue = &exchange->wishes;
    struct entry *entry = entry_at(exchange, slot);
    bool was_empty = !queue->first;
    if (entry->wish_waits)
        return false;
    entry->wish_waits = true;
    entry->next_wish = 0;
    *(was_empty ? &queue->first : &entry_at(exchange, queue->last - 1)->next_wish) = slot + 1;
    queue->last = slot + 1;
    return was_empty;
}

static bool push_event(struct exchange *exchange, uint32_t slot)
{
    struct queue *queue = &exchange->events;
    struct entry *entry = entry_at(exchange, slot);
    bool was_empty = !queue->first;
    entry->event_counts = true;
    if (entry->event_waits)
        return false;
    entry->event_waits = true;
    entry->next_event = 0;
    *(was_empty ? &queue->first : &entry_at(exchange, queue->last - 1)->next_event) = slot + 1;
    queue->last = slot + 1;
    return was_empty;
}

static void take_text(struct entry *entry, const char *text)
{
    if (!entry->text)
        entry->text = mem_zalloc(1, PROBE_REASON_MAX);
    snprintf(entry->text, PROBE_REASON_MAX, "%s", text);
}

static bool want(struct exchange *exchange, uint32_t slot, struct target *target, const struct exchange_report *known,
                 const char *text)
{
    if (target)
        target_get(target);
    pthread_mutex_lock(&exchange->lock);
    paged_grow(&exchange->entries, slot + 1);
    struct entry *entry = entry_at(exchange, slot);
    struct target *unheard = entry->wanted;
    entry->wanted = target;
    entry->generation++;
    entry->is_change = true;
    entry->check_now = false;
    if (text)
        take_text(entry, text);
    entry->report = known ? *known : (struct exchange_report){.verdict = HEALTH_UNKNOWN};
    entry->event_counts = false;
    bool was_empty = push_wish(exchange, slot);
    pthread_mutex_unlock(&exchange->lock);
    target_put(unheard);
    return was_empty;
}

bool exchange_want(struct exchange *exchange, uint32_t slot, struct target *target,
                   const struct exchange_report *known)
{
    return want(exchange, slot, target, known, NULL);
}

bool exchange_want_as(struct exchange *exchange, uint32_t slot, struct target *target,
                      const struct exchange_report *known, const char *text)
{
    return want(exchange, slot, target, known, text);
}

bool exchange_ask(struct exchange *exchange, uint32_t slot)
{
    pthread_mutex_lock(&exchange->lock);
    entry_at(exchange, slot)->check_now = true;
    bool was_empty = push_wish(exchange, slot);
    pthread_mutex_unlock(&exchange->lock);
    return was_empty;
}

bool exchange_take(struct exchange *exchange, struct exchange_wish *wish)
{
    struct queue *queue = &exchange->wishes;
    pthread_mutex_lock(&exchange->lock);
    bool waits = queue->first != 0;
    if (waits) {
        struct entry *entry = entry_at(exchange, queue->first - 1);
        *wish = (struct exchange_wish){.slot = queue->first - 1,
                                       .generation = entry->generation,
                                       .is_change = entry->is_change,
                                       .target = entry->wanted,
                                       .known = entry->report,
                                       .check_now = entry->check_now};
        entry->wanted = NULL;
        entry->is_change = entry->check_now = false;
        entry->wish_waits = false;
        queue->first = entry->next_wish;
    }
    pthread_mutex_unlock(&exchange->lock);
    return waits;
}

bool exchange_has_wish(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->lock);
    bool waits = exchange->wishes.first != 0;
    pthread_mutex_unlock(&exchange->lock);
    return waits;
}

static void reason_of(char out[PROBE_REASON_MAX], const struct entry *entry)
{
    if (entry->report.reason.code == REASON_TEXT && entry->text)
        memcpy(out, entry->text, PROBE_REASON_MAX);
    else
        reason_to_text(out, entry->report.reason);
}

bool exchange_tell(struct exchange *exchange, uint32_t slot, uint32_t generation, const struct exchange_report *report,
                   const char *text, bool is_event)
{
    bool was_empty = false;
    pthread_mutex_lock(&exchange->lock);
    struct entry *entry = entry_at(exchange, slot);
    if (entry->generation == generation) {
        entry->report = *report;
        if (report->reason.code == REASON_TEXT)
            take_text(entry, text);
        if (is_event)
            was_empty = push_event(exchange, slot);
    }
    pthread_mutex_unlock(&exchange->lock);
    return was_empty;
}

bool exchange_next(struct exchange *exchange, uint32_t *slot, struct exchange_report *report,
                   char reason[PROBE_REASON_MAX])
{
    struct queue *queue = &exchange->events;
    bool found = false;
    pthread_mutex_lock(&exchange->lock);
    while (queue->first && !found) {
        struct entry *entry = entry_at(exchange, queue->first - 1);
        *slot = queue->first - 1;
        found = entry->event_counts;
        if (found) {
            *report = entry->report;
            reason_of(reason, entry);
        }
        entry->event_waits = entry->event_counts = false;
        queue->first = entry->next_event;
    }
    pthread_mutex_unlock(&exchange->lock);
    return found;
}

void exchange_look(struct exchange *exchange, uint32_t slot, struct exchange_report *report,
                   char reason[PROBE_REASON_MAX])
{
    static const struct entry none = {.report = {.verdict = HEALTH_UNKNOWN}};
    pthread_mutex_lock(&exchange->lock);
    const struct entry *entry = slot < paged_cnt(&exchange->entries) ? entry_at(exchange, slot) : &none;
    *report = entry->report;
    reason_of(reason, entry);
    pthread_mutex_unlock(&exchange->lock);
}

bool exchange_trace(struct exchange *exchange, uint32_t slot, uint32_t generation, const struct probe_trace *trace)
{
    struct traced *traced = mem_zalloc(1, sizeof *traced);
    *traced = (struct traced){.slot = slot, .generation = generation, .trace = *trace};
    pthread_mutex_lock(&exchange->lock);
    bool was_empty = !exchange->traces;
    *exchange->traces_end = traced;
    exchange->traces_end = &traced->next;
    pthread_mutex_unlock(&exchange->lock);
    return was_empty;
}

static struct traced *take_traced(struct exchange *exchange, bool *is_wanted)
{
    pthread_mutex_lock(&exchange->lock);
    struct traced *traced = exchange->traces;
    if (traced) {
        exchange->traces = traced->next;
        *is_wanted = entry_at(exchange, traced->slot)->generation == traced->generation;
    }
    if (!exchange->traces)
        exchange->traces_end = &exchange->traces;
    pthread_mutex_unlock(&exchange->lock);
    return traced;
}

bool exchange_next_trace(struct exchange *exchange, struct probe_trace *trace)
{
    bool is_wanted = false;
    for (struct traced *traced; !is_wanted && (traced = take_traced(exchange, &is_wanted)); free(traced))
        *trace = traced->trace;
    return is_wanted;
}
