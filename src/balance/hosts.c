#include "balance/hosts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* Our own zones may change a thousand times a second, by updates. To look for all hosts again takes some microseconds
 * each: so far apart that it stays below a tenth of the time. */
enum { LOOKS_APART_MS = 20, LOOKED_HOSTS_A_MS = 50 };

/* ---- life */

static void on_timer(uv_timer_t *timer)
{
    struct balance_hosts *hosts = container_of(timer, struct balance_hosts, timer);
    hosts->timer_ms = RESOLUTION_NEVER;
    work_post(hosts->balance);
}

struct balance_hosts *hosts_new(struct balance *balance)
{
    struct balance_hosts *hosts = mem_zalloc(1, sizeof *hosts);
    hosts->balance = balance;
    hosts->timer_ms = RESOLUTION_NEVER;
    ring_init(&hosts->all);
    ring_init(&hosts->news);
    ring_init(&hosts->parked);
    hosts->look_at = &hosts->all;
    random_seed(&hosts->rng);
    if (balance->probe)
        hosts->resolver = resolver_new(balance->loop);
    uv_timer_init(balance->loop, &hosts->timer);
    uv_unref((uv_handle_t *)&hosts->timer);
    return hosts;
}

static void on_closed(uv_handle_t *handle) { free(container_of(handle, struct balance_hosts, timer)); }

void hosts_free(struct balance_hosts *hosts)
{
    assert(ring_is_empty(&hosts->all));
    resolver_free(hosts->resolver);
    schedule_heap_fini(&hosts->due);
    map_fini(&hosts->map);
    free(hosts->by_number);
    free(hosts->free_numbers);
    uv_close((uv_handle_t *)&hosts->timer, on_closed);
}

/* ---- numbers */

static void take_number(struct balance_hosts *hosts, struct balance_host *host)
{
    if (hosts->free_cnt) {
        host->number = hosts->free_numbers[--hosts->free_cnt];
    } else {
        if (hosts->number_cnt == hosts->number_cap) {
            hosts->number_cap = hosts->number_cap ? hosts->number_cap * 2 : 16;
            hosts->by_number = mem_realloc(hosts->by_number, hosts->number_cap, sizeof(struct balance_host *));
            hosts->free_numbers = mem_realloc(hosts->free_numbers, hosts->number_cap, sizeof *hosts->free_numbers);
        }
        host->number = hosts->number_cnt++;
    }
    hosts->by_number[host->number] = host;
}

static void give_number(struct balance_hosts *hosts, const struct balance_host *host)
{
    hosts->by_number[host->number] = NULL;
    hosts->free_numbers[hosts->free_cnt++] = host->number;
}

/* ---- hosts */

static uint64_t host_hash(const struct balance_hosts *hosts, const uint8_t *name, uint64_t hold_ms)
{
    return name_hash(name, &hosts->balance->key) + hold_ms;
}

static struct balance_host *find_host(const struct balance_hosts *hosts, const uint8_t *name, uint64_t hold_ms)
{
    for (struct map_link *link = map_first(&hosts->map, host_hash(hosts, name, hold_ms)); link; link = map_next(link)) {
        struct balance_host *host = container_of(link, struct balance_host, link);
        if (host->hold_ms == hold_ms && name_equal(host->name, name))
            return host;
    }
    return NULL;
}

static void set_due(struct balance_hosts *hosts, const struct balance_host *host, unsigned family, uint64_t due_ms)
{
    if (!hosts->resolver)
        return;
    if (due_ms == RESOLUTION_NEVER)
        schedule_heap_remove(&hosts->due, host->number * 2 + family);
    else
        schedule_heap_set(&hosts->due, host->number * 2 + family, due_ms * 1000);
}

static struct balance_host *add_host(struct balance_hosts *hosts, const uint8_t *name, uint64_t hold_ms)
{
    unsigned len = name_len(name);
    struct balance_host *host = mem_zalloc(1, sizeof *host + len);
    memcpy(host->name, name, len);
    memcpy(host->target, name, len);
    host->hold_ms = hold_ms;
    ring_init(&host->news);
    ring_init(&host->users);
    host->told_at = &host->users;
    ring_add(&hosts->all, &host->all);
    ring_add(&hosts->parked, &host->news);
    take_number(hosts, host);
    map_add(&hosts->map, &host->link, host_hash(hosts, name, hold_ms));
    for (unsigned i = 0; i < 2; i++) {
        host->families[i].hosts = hosts;
        host->families[i].host = host;
        set_due(hosts, host, i, 0);
    }
    return host;
}

static size_t pending_of(const struct balance_host *host)
{
    return !host->families[0].resolution.known + (size_t)!host->families[1].resolution.known;
}

static void free_host(struct balance_hosts *hosts, struct balance_host *host)
{
    for (unsigned i = 0; i < 2; i++) {
        set_due(hosts, host, i, RESOLUTION_NEVER);
        if (host->families[i].inquiry)
            resolver_forget(host->families[i].inquiry);
        resolution_fini(&host->families[i].resolution);
    }
    if (hosts->look_at == &host->all)
        hosts->look_at = host->all.after;
    hosts->own_cnt -= host->is_own;
    ring_remove(&host->all);
    ring_remove(&host->news);
    map_remove(&hosts->map, &host->link);
    give_number(hosts, host);
    free(host);
}

bool hosts_release_one(struct balance_hosts *hosts)
{
    if (hosts->balance->loading || ring_is_empty(&hosts->parked))
        return false;
    free_host(hosts, container_of(hosts->parked.after, struct balance_host, news));
    return true;
}

/* ---- uses */

static void begin_use(struct balance_hosts *hosts, struct host_use *use, const uint8_t *name, uint64_t hold_ms)
{
    struct balance_host *host = find_host(hosts, name, hold_ms);
    use->host = host ? host : add_host(hosts, name, hold_ms);
    if (ring_is_empty(&use->host->users)) {
        ring_remove(&use->host->news);
        hosts->pending_cnt += pending_of(use->host);
    }
    ring_add(&use->host->users, &use->of_host);
}

/* Who moves from one pool or zone to another in the same load is not to be asked for anew: without users it is parked.
 */
static void end_use(struct balance_hosts *hosts, struct host_use *use)
{
    struct balance_host *host = use->host;
    if (host->told_at == &use->of_host)
        host->told_at = use->of_host.after;
    ring_remove(&use->of_host);
    if (!ring_is_empty(&host->users))
        return;
    hosts->pending_cnt -= pending_of(host);
    ring_remove(&host->news);
    ring_add(&hosts->parked, &host->news);
}

void hosts_follow(struct balance_pool *pool)
{
    struct balance_hosts *hosts = pool->balance->hosts;
    const struct plan_group *group = pool->group;
    struct host_use *former = pool->hosts;
    uint32_t former_cnt = pool->host_cnt;
    bool is_same = pool->hosts_of == group;
    pool->hosts_of = group; /* always: where it stood there may be another group one day */
    if (is_same || (!former_cnt && (!group || !group->host_cnt)))
        return; /* most pools */
    pool->host_cnt = group ? (uint32_t)group->host_cnt : 0;
    pool->hosts = mem_zalloc(pool->host_cnt, sizeof *pool->hosts);
    for (uint32_t i = 0; i < pool->host_cnt; i++) {
        pool->hosts[i].pool = pool;
        begin_use(hosts, &pool->hosts[i], group->hosts[i].name, group->host_hold_ms);
    }
    for (uint32_t i = 0; i < former_cnt; i++)
        end_use(hosts, &former[i]);
    free(former);
    hosts_stir(hosts);
}

/* ---- answers */

void hosts_queue_news(struct balance_hosts *hosts, struct balance_host *host)
{
    if (ring_is_empty(&host->users))
        return;
    host->told_at = host->users.after; /* once more from the first on, if it was under way */
    if (ring_is_empty(&host->news))
        ring_add(&hosts->news, &host->news);
}

void hosts_take(struct balance_hosts *hosts, struct balance_host *host, unsigned family,
                const struct resolution_answer *answer)
{
    struct host_family *f = &host->families[family];
    struct resolution before = f->resolution;
    bool changed = resolution_take(&f->resolution, answer, f->hold_ms, clock_mono_ms(),
                                   (uint32_t)(random_u64(&hosts->rng) >> 32));
    if (!before.known && !ring_is_empty(&host->users))
        hosts->pending_cnt--;
    set_due(hosts, host, family, f->resolution.due_ms);
    hosts_tell(hosts, host, family, &before, changed ? answer : NULL);
    if (!changed)
        return;
    hosts_queue_news(hosts, host);
    if (hosts->own_cnt)
        hosts_stir(hosts); /* others may lead to a pool that has this one */
}

/* Tells some users; the last of them ends it. */
static void tell_some(struct balance_host *host)
{
    enum { PIECE_MOST = 64 };
    for (unsigned n = 0; n < PIECE_MOST && host->told_at != &host->users; n++) {
        struct host_use *use = container_of(host->told_at, struct host_use, of_host);
        host->told_at = host->told_at->after;
        work_queue(use->pool, TODO_REBUILD, false);
    }
    if (host->told_at == &host->users)
        ring_remove(&host->news);
}

/* ---- time */

void hosts_stir(struct balance_hosts *hosts) { hosts->stirred = !ring_is_empty(&hosts->all); }

void hosts_again(struct balance_hosts *hosts)
{
    hosts_stir(hosts);
    hosts->again = hosts->stirred;
}

static uint64_t look_ms(const struct balance_hosts *hosts)
{
    if (!hosts->stirred || hosts->look_at != &hosts->all)
        return RESOLUTION_NEVER;
    if (!hosts->looked_ms || hosts->again)
        return 0;
    return hosts->looked_ms + LOOKS_APART_MS + hosts->map.cnt / LOOKED_HOSTS_A_MS;
}

static bool look_one(struct balance_hosts *hosts, uint64_t now_ms)
{
    if (look_ms(hosts) <= now_ms) {
        hosts->is_asking = hosts->again;
        hosts->stirred = hosts->again = false;
        hosts->looked_ms = now_ms;
        hosts->look_at = hosts->all.after;
    }
    if (hosts->look_at == &hosts->all)
        return false;
    struct balance_host *host = container_of(hosts->look_at, struct balance_host, all);
    hosts->look_at = hosts->look_at->after;
    hosts_look(hosts, host);
    return true;
}

static bool ask_one(struct balance_hosts *hosts, uint64_t now_ms)
{
    uint32_t number;
    uint64_t due_us;
    if (!schedule_heap_first(&hosts->due, &number, &due_us) || due_us > now_ms * 1000)
        return false;
    schedule_heap_remove(&hosts->due, number);
    hosts_ask(hosts, hosts->by_number[number / 2], number % 2);
    return true;
}

bool hosts_one(struct balance_hosts *hosts)
{
    if (ring_is_empty(&hosts->all))
        return false;
    if (!ring_is_empty(&hosts->news)) {
        tell_some(container_of(hosts->news.after, struct balance_host, news));
        return true;
    }
    uint64_t now_ms = clock_mono_ms();
    return hosts->resolver && (look_one(hosts, now_ms) || ask_one(hosts, now_ms));
}

void hosts_arm(struct balance_hosts *hosts)
{
    uint32_t number;
    uint64_t due_us, next_ms;
    if (ring_is_empty(&hosts->all) || !hosts->resolver)
        return;
    next_ms = schedule_heap_first(&hosts->due, &number, &due_us) ? due_us / 1000 : RESOLUTION_NEVER;
    uint64_t at_ms = look_ms(hosts);
    next_ms = at_ms < next_ms ? at_ms : next_ms;
    if (next_ms >= hosts->timer_ms) /* one that comes too early sets it anew */
        return;
    uint64_t now_ms = clock_mono_ms();
    hosts->timer_ms = next_ms;
    uv_update_time(hosts->balance->loop);
    uv_timer_start(&hosts->timer, on_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

bool hosts_have_news(const struct balance_hosts *hosts) { return !ring_is_empty(&hosts->news); }

bool hosts_are_pending(const struct balance_hosts *hosts) { return hosts->resolver && hosts->pending_cnt; }
