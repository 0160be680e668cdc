#include "sync/sync.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "answer/handoff.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "dns/name.h"
#include "loop/job.h"
#include "sync/notify_targets.h"
#include "sync/soa.h"
#include "sync/unit.h"
#include "sync/updating.h"

/* Units that are looked at in one go, which takes some tens of microseconds. */
enum { SLICE = 50 };

/* ==== units ==== */

struct sync_unit *unit_find(const struct sync *sync, const uint8_t *apex)
{
    uint64_t hash = name_hash(apex, &sync->shared->key);
    for (struct map_link *link = map_first(&sync->map, hash); link; link = map_next(link)) {
        struct sync_unit *unit = container_of(link, struct sync_unit, link);
        if (name_equal(unit->apex, apex))
            return unit;
    }
    return NULL;
}

static void run_some(struct post_item *item);

static void send_running(struct sync *sync)
{
    if (sync->is_running || ring_is_empty(&sync->ready))
        return;
    sync->is_running = true;
    post_send(sync->post, &sync->running, run_some);
}

void unit_wake(struct sync_unit *unit)
{
    if (unit->is_closing || !ring_is_empty(&unit->ready))
        return;
    ring_add(&unit->sync->ready, &unit->ready);
    send_running(unit->sync);
}

static void on_timer(uv_timer_t *timer) { unit_wake(container_of(timer, struct sync_unit, timer)); }

static void set_timer(struct sync_unit *unit, uint64_t now_ms)
{
    uint64_t due_ms = unit->sync->has_begun ? notify_due_ms(&unit->notify) : NOTIFY_NEVER;
    if (unit->has_started && refresh_due_ms(&unit->refresh) < due_ms)
        due_ms = refresh_due_ms(&unit->refresh);
    if (due_ms == NOTIFY_NEVER) {
        uv_timer_stop(&unit->timer);
        return;
    }
    uv_update_time(unit->sync->loop);
    uv_timer_start(&unit->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* False: there was no room for all. */
static bool run_unit(struct sync_unit *unit)
{
    uint64_t now_ms = clock_mono_ms();
    bool is_done = !unit->has_started || follow_run(unit, now_ms);
    if (unit->has_addresses)
        announce_targets(unit);
    if (unit->sync->has_begun)
        is_done = announce_run(unit, now_ms) && is_done;
    set_timer(unit, now_ms);
    return is_done;
}

static void run_some(struct post_item *item)
{
    struct sync *sync = container_of(item, struct sync, running);
    sync->is_running = false;
    if (sync->is_ending)
        return;
    for (unsigned n = 0; n < SLICE && !ring_is_empty(&sync->ready) && sync_has_room(sync); n++) {
        struct sync_unit *unit = container_of(sync->ready.after, struct sync_unit, ready);
        ring_remove(&unit->ready);
        if (!run_unit(unit))
            ring_add(&sync->ready, &unit->ready);
    }
    if (sync_has_room(sync)) /* else whoever makes room goes on */
        send_running(sync);
}

static struct sync_unit *unit_new(struct sync *sync, const uint8_t *apex)
{
    struct sync_unit *unit = mem_zalloc(1, sizeof *unit + name_len(apex));
    name_to_lower(unit->apex, apex);
    unit->sync = sync;
    ring_init(&unit->ready);
    ring_init(&unit->unresolved);
    ring_init(&unit->exchanges);
    ring_init(&unit->fetch.at);
    notify_init(&unit->notify, &sync->rng);
    uv_timer_init(sync->loop, &unit->timer);
    map_add(&sync->map, &unit->link, name_hash(unit->apex, &sync->shared->key));
    ring_add(&sync->all, &unit->all);
    return unit;
}

static void on_unit_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct sync_unit, timer));
}

static void unit_close(struct sync_unit *unit)
{
    unit->is_closing = true;
    exchanges_cancel(unit, true);
    follow_stop(unit);
    notify_fini(&unit->notify);
    map_remove(&unit->sync->map, &unit->link);
    ring_remove(&unit->all);
    ring_remove(&unit->ready);
    ring_remove(&unit->unresolved);
    uv_close((uv_handle_t *)&unit->timer, on_unit_closed);
}

/* ==== exchanges ==== */

void exchange_start(struct sync_unit *unit, const struct ask_question *question, const struct sync_exchange *about,
                    ask_fn *fn)
{
    struct sync *sync = unit->sync;
    if (!silence_may_ask(&sync->silence, &question->peer, &sync->shared->key, clock_mono_ms()))
        return;
    struct sync_exchange *exchange = mem_dup(about, sizeof *about);
    exchange->unit = unit;
    exchange->peer = question->peer;
    ring_add(&unit->exchanges, &exchange->of_unit);
    sync->ask_cnt++;
    exchange->ask = ask_start(sync->loop, question, fn, exchange);
}

void exchange_heard(const struct sync_exchange *exchange, enum ask_outcome outcome)
{
    struct sync *sync = exchange->unit->sync;
    char text[ADDR_TEXT_MAX];
    if (outcome != ASK_SILENT)
        silence_answered(&sync->silence, &exchange->peer, &sync->shared->key);
    else if (silence_unanswered(&sync->silence, &exchange->peer, &sync->shared->key) &&
             log_rate_ok(&sync->silence_rate, 20))
        log_notice("%s has not answered %u times in a row: until it does it is asked seldom, for all zones together",
                   addr_port_to_text(text, &exchange->peer), (unsigned)SILENCE_AFTER);
}

void exchange_end(struct sync_exchange *exchange)
{
    struct sync *sync = exchange->unit->sync;
    sync->ask_cnt--;
    ring_remove(&exchange->of_unit);
    free(exchange);
    if (!sync->is_ending)
        send_running(sync);
}

void exchanges_cancel(struct sync_unit *unit, bool is_notify)
{
    for (struct ring *at = unit->exchanges.after, *after; at != &unit->exchanges; at = after) {
        struct sync_exchange *exchange = container_of(at, struct sync_exchange, of_unit);
        after = at->after;
        if (exchange->is_notify != is_notify)
            continue;
        ask_cancel(exchange->ask);
        exchange_end(exchange);
    }
}

/* ==== the plan ==== */

static struct sync_unit *follow_plan(struct sync *sync, const struct sync_zone *zone)
{
    struct sync_unit *unit = unit_find(sync, zone->apex);
    if (!unit)
        unit = unit_new(sync, zone->apex);
    if (unit->round == sync->round)
        return unit;
    const struct sync_zone *was = unit->zone;
    unit->zone = zone;
    unit->round = sync->round;
    follow_configure(unit, was);
    announce_targets(unit);
    unit_wake(unit);
    return unit;
}

/* Plans that nobody follows any more. */
struct retirement {
    struct job job;
    struct sync_plan **plans;
    size_t cnt;
};

static void retire_work(struct job *job)
{
    struct retirement *retirement = container_of(job, struct retirement, job);
    for (size_t i = 0; i < retirement->cnt; i++)
        sync_plan_free(retirement->plans[i]);
    free(retirement->plans);
}

static void retire_done(struct job *job) { free(container_of(job, struct retirement, job)); }

/* To free the plan of ten thousand zones takes 3 ms. */
static void end_following(struct sync *sync)
{
    sync->is_following = false;
    if (!sync->old_cnt)
        return;
    struct retirement *retirement = mem_zalloc(1, sizeof *retirement);
    retirement->plans = sync->old_plans;
    retirement->cnt = sync->old_cnt;
    sync->old_plans = NULL;
    sync->old_cnt = 0;
    job_run(sync->loop, &retirement->job, retire_work, retire_done);
}

static void follow_some(struct post_item *item)
{
    struct sync *sync = container_of(item, struct sync, following);
    unsigned n = 0;
    if (sync->is_ending)
        return;
    for (; n < SLICE && sync->followed < sync->plan->cnt; n++)
        follow_plan(sync, &sync->plan->zones[sync->followed++]);
    if (sync->followed == sync->plan->cnt && !sync->sweep)
        sync->sweep = sync->all.after;
    for (; n < SLICE && sync->sweep && sync->sweep != &sync->all; n++) {
        struct sync_unit *unit = container_of(sync->sweep, struct sync_unit, all);
        sync->sweep = sync->sweep->after;
        if (unit->round != sync->round)
            unit_close(unit);
    }
    if (sync->sweep == &sync->all)
        end_following(sync);
    else
        post_send(sync->post, item, follow_some);
}

/* ---- ourselves */

static void add_own(struct sync *sync, const struct addr *addr)
{
    sync->own = mem_realloc(sync->own, sync->own_cnt + 1, sizeof *sync->own);
    sync->own[sync->own_cnt++] = *addr;
}

static void add_interfaces(struct sync *sync, int family)
{
    struct ifaddrs *all, *at;
    if (getifaddrs(&all))
        return; /* then we may tell ourselves, which is harmless */
    for (at = all; at; at = at->ifa_next) {
        struct addr addr;
        if (at->ifa_addr && at->ifa_addr->sa_family == family) {
            addr_from_sockaddr(&addr, at->ifa_addr);
            add_own(sync, &addr);
        }
    }
    freeifaddrs(all);
}

static bool is_everywhere(const struct addr *addr)
{
    static const uint8_t zeros[16];
    return !memcmp(addr->bytes, zeros, addr_len(addr));
}

/* NS records mean port 53: who listens elsewhere is another server. */
static void find_own(struct sync *sync, const struct opt_list *listen)
{
    const struct addr *addrs = listen->items;
    free(sync->own);
    sync->own = NULL;
    sync->own_cnt = 0;
    for (size_t i = 0; i < listen->cnt; i++) {
        if (addrs[i].port != NOTIFY_PORT)
            continue;
        if (is_everywhere(&addrs[i]))
            add_interfaces(sync, addrs[i].family == ADDR_V4 ? AF_INET : AF_INET6);
        else
            add_own(sync, &addrs[i]);
    }
    if (!listen->cnt) {
        add_interfaces(sync, AF_INET);
        add_interfaces(sync, AF_INET6);
    }
}

void sync_set_plan(struct sync *sync, struct sync_plan **plan, const struct opt_list *listen,
                   const struct opt_list *resolvers)
{
    if (sync->plan) {
        sync->old_plans = mem_realloc(sync->old_plans, sync->old_cnt + 1, sizeof(struct sync_plan *));
        sync->old_plans[sync->old_cnt++] = sync->plan;
    }
    sync->plan = *plan;
    *plan = NULL;
    find_own(sync, listen);
    servers_use(sync->servers, resolvers->items, resolvers->cnt);
    sync->round++;
    sync->followed = 0;
    sync->sweep = NULL;
    if (!sync->is_following)
        post_send(sync->post, &sync->following, follow_some);
    sync->is_following = true;
}

/* ==== what the store and the workers tell ==== */

static void on_version(void *arg, const uint8_t *apex, const struct zone_version *latest)
{
    struct sync *sync = arg;
    const struct sync_zone *zone = sync->plan ? sync_plan_find(sync->plan, apex) : NULL;
    if (!zone || sync->is_ending)
        return;
    struct sync_unit *unit = follow_plan(sync, zone);
    unit->was_told = true;
    unit->has_version = latest != NULL;
    follow_version(unit);
    if (latest) {
        unit->serial = latest->serial;
        announce_targets(unit);
        notify_serial(&unit->notify, latest->serial, clock_mono_ms());
    }
    unit_wake(unit);
}

static void answer_notify(struct sync *sync, struct io_handoff **handoff)
{
    struct answer_hand_off *request = io_handoff_request(*handoff);
    struct sync_unit *unit = unit_find(sync, request->zone);
    uint8_t message[NOTIFY_MSG_MAX];
    if (unit)
        follow_notified(unit, &request->client, request->has_serial ? &request->serial : NULL);
    size_t len = answer_hand_off_reply(request, message, sizeof message, RCODE_NOERROR, -1, clock_wall_ms() / 1000);
    io_answer(sync->io, handoff, message, len);
}

static void on_handed_off(void *arg, struct io_handoff *handoff)
{
    enum { TRANSFER_MAX_MS = 2 * 3600 * 1000 };
    struct sync *sync = arg;
    const struct answer_hand_off *request = io_handoff_request(handoff);
    const struct sync_unit *unit = unit_find(sync, request->zone);
    if (request->kind == ANSWER_NOTIFY)
        answer_notify(sync, &handoff);
    else if (request->kind == ANSWER_UPDATE)
        updating_take(sync->updating, &handoff);
    else
        outgoing_take(sync->outgoing, &handoff, unit ? unit->zone->transfer_max_ms : TRANSFER_MAX_MS);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    io_run_handoffs(container_of(poll, struct sync, handed_off)->io);
}

/* Addresses of servers are known: whoever waited for some looks again, in its turn, for all zones may have waited. */
static void on_servers(void *arg)
{
    struct sync *sync = arg;
    while (!ring_is_empty(&sync->unresolved)) {
        struct sync_unit *unit = container_of(sync->unresolved.after, struct sync_unit, unresolved);
        ring_remove(&unit->unresolved);
        unit->has_addresses = true;
        unit_wake(unit);
    }
}

/* ==== life ==== */

struct sync *sync_new(uv_loop_t *loop, struct store *store, struct io *io, const struct answer_shared *shared)
{
    struct post *post = post_open(loop);
    if (!post)
        return NULL;
    struct sync *sync = mem_zalloc(1, sizeof *sync);
    sync->loop = loop;
    sync->store = store;
    sync->io = io;
    sync->shared = shared;
    sync->post = post;
    ring_init(&sync->all);
    ring_init(&sync->ready);
    ring_init(&sync->unresolved);
    ring_init(&sync->fetches_waiting);
    ring_init(&sync->fetching);
    random_seed(&sync->rng);
    sync->outgoing = outgoing_new(loop, store, io);
    sync->updating = updating_new(sync);
    sync->servers = servers_new(loop, shared, on_servers, sync);
    uv_poll_init(loop, &sync->handed_off, io_handoff_fd(io));
    uv_poll_start(&sync->handed_off, UV_READABLE, on_readable);
    refusals_watch(sync);
    io_on_handed_off(io, on_handed_off, sync);
    store_watch(store, on_version, sync);
    return sync;
}

void sync_begin(struct sync *sync)
{
    sync->has_begun = true;
    for (struct ring *at = sync->all.after; at != &sync->all; at = at->after)
        unit_wake(container_of(at, struct sync_unit, all));
}

static void on_closed(uv_handle_t *handle) { free(container_of((uv_poll_t *)handle, struct sync, handed_off)); }

/* The first of the two. */
static void on_timer_closed(uv_handle_t *handle)
{
    uv_close((uv_handle_t *)&container_of((uv_timer_t *)handle, struct sync, refusals)->handed_off, on_closed);
}

void sync_free(struct sync *sync)
{
    if (!sync)
        return;
    sync->is_ending = true;
    store_watch(sync->store, NULL, NULL);
    outgoing_free(sync->outgoing);
    updating_free(sync->updating);
    while (!ring_is_empty(&sync->all))
        unit_close(container_of(sync->all.after, struct sync_unit, all));
    post_run_all(sync->post);
    post_close(sync->post);
    servers_free(sync->servers);
    end_following(sync);
    sync_plan_free(sync->plan);
    free(sync->own);
    map_fini(&sync->map);
    uv_poll_stop(&sync->handed_off);
    uv_close((uv_handle_t *)&sync->refusals, on_timer_closed);
}
