#include "rig.h"

/* ==== what stands in for store, balance and io ==== */

void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    for (size_t i = 0; i < store->cnt; i++)
        fn(arg, &store->zones[i]);
}

unsigned rig_zone_slices;

bool store_each_zone_after(const struct store *store, const uint8_t *after, size_t most,
                           void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    size_t i = 0;
    assert_in_range(most, 100, 1000);
    rig_zone_slices++;
    while (after && i < store->cnt && !name_equal(store->zones[i].apex, after))
        i++;
    i += after != NULL;
    if (i < store->cnt)
        fn(arg, &store->zones[i]); /* one a slice */
    return i + 1 < store->cnt;
}

bool store_get_zone(const struct store *store, const uint8_t *apex, struct store_zone_view *view)
{
    for (size_t i = 0; i < store->cnt; i++) {
        *view = store->zones[i];
        if (name_equal(view->apex, apex))
            return true;
    }
    return false;
}

static void note_write(struct store *store, int asked, store_write_fn *fn, void *arg)
{
    const struct store_written written = {7, true, "/z/\xff"};
    store->asked = asked;
    fn(arg, store->err, store->why, &written);
}

void store_write(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    (void)apex;
    note_write(store, ASKED_WRITE, fn, arg);
}

void store_freeze(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    (void)apex;
    note_write(store, ASKED_FREEZE, fn, arg);
}

void store_thaw(struct store *store, const uint8_t *apex, store_write_fn *fn, void *arg)
{
    (void)apex;
    note_write(store, ASKED_THAW, fn, arg);
}

enum err store_export(struct store *store, const uint8_t *apex, store_export_fn *fn, void *arg)
{
    const struct store_exported exported = {.serial = 7, .rr_cnt = 3, .bytes = 5,
                                            .fd = store->text_fd ? store->text_fd : -1};
    (void)apex;
    if (!store->err)
        fn(arg, store->why, &exported);
    return store->err;
}

size_t store_zone_cnt(const struct store *store, enum store_zone_state state)
{
    size_t cnt = 0;
    for (size_t i = 0; i < store->cnt; i++)
        cnt += store->zones[i].state == state;
    return cnt;
}

unsigned rig_walk_slices;

void balance_each_pool(const struct balance *balance, const uint8_t *owner,
                       void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
{
    for (size_t i = 0; i < balance->cnt; i++)
        if (!owner || name_equal(owner, balance->pools[i].owner))
            fn(arg, &balance->pools[i]);
}

/* One a slice, the last one first. */
bool balance_walk_pools(const struct balance *balance, uint32_t *at, uint64_t budget_us,
                        void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
{
    assert_in_range(budget_us, 100, 1000);
    rig_walk_slices++;
    if (balance->endless || *at == balance->cnt)
        return !balance->endless;
    fn(arg, &balance->pools[balance->cnt - 1 - (*at)++]);
    return *at == balance->cnt;
}

struct balance_explained *balance_explain(const struct balance *balance, uint32_t handle, enum addr_family family)
{
    (void)balance;
    (void)handle;
    (void)family;
    return NULL;
}

void balance_explained_free(struct balance_explained *explained) { assert_null(explained); }

uint32_t balance_explained_tier(const struct balance_explained *explained, const struct pool_member *members,
                                const struct pool_member *other)
{
    (void)explained;
    (void)members;
    (void)other;
    return 0;
}

void balance_count(struct balance_counts *counts, const struct balance *balance)
{
    (void)balance;
    *counts = (struct balance_counts){.pools = {[POOL_LIVE] = 1, [POOL_ALL_DOWN] = 1},
                                      .members = {[HEALTH_UP] = 1, [HEALTH_DOWN] = 1}};
}

/* ==== what stands in for sync ==== */

enum err sync_refresh(struct sync *sync, const uint8_t *apex, bool full)
{
    (void)apex;
    sync->refreshed |= !full;
    sync->retransferred |= full;
    return sync->err;
}

enum err sync_notify(struct sync *sync, const uint8_t *apex)
{
    (void)apex;
    sync->notified = true;
    return sync->err;
}

bool sync_get_view(const struct sync *sync, const uint8_t *apex, struct sync_view *view)
{
    (void)apex;
    *view = sync->view;
    return !sync->is_unknown;
}

const struct outgoing *sync_outgoing(const struct sync *sync) { return (const struct outgoing *)sync; }

const struct outgoing_counters *outgoing_counters(const struct outgoing *outgoing)
{
    return &((const struct sync *)outgoing)->counters;
}

void outgoing_each(const struct outgoing *outgoing, outgoing_each_fn *fn, void *arg)
{
    const struct outgoing_view view = {.zone = (const uint8_t *)"", .kind = "AXFR"};
    (void)outgoing;
    fn(arg, &view);
    fn(arg, &view);
}

const char *const outgoing_counter_names[OUTGOING_COUNTER_CNT] = {
#define X(name, help) #name,
    OUTGOING_COUNTERS(X)
#undef X
};

/* ==== what stands in for operators' orders ==== */

void state_order(struct state *state, const struct operate_member *members_of, size_t cnt, enum operate_kind kind,
                 const struct operate_order *order, void (*fn)(void *arg, const char *why), void *arg)
{
    struct order_given *given = &state->given[state->given_cnt++];
    assert_true(state->given_cnt <= sizeof state->given / sizeof *state->given);
    assert_int_equal(cnt, 1);
    *given = (struct order_given){.kind = kind, .address = members_of[0].address, .is_lifted = !order};
    if (order) {
        given->order = *order;
        snprintf(given->reason, sizeof given->reason, "%s", order->reason);
    }
    fn(arg, state->why);
}

const struct operate_order *operate_get(const struct balance *balance, const struct operate_member *member,
                                        enum operate_kind kind)
{
    (void)balance;
    (void)member;
    (void)kind;
    return NULL;
}

void operate_each(const struct balance *balance,
                  void (*fn)(void *arg, const struct operate_member *member, enum operate_kind kind,
                             const struct operate_order *order),
                  void *arg)
{
    for (size_t i = 0; i < balance->order_cnt; i++)
        fn(arg, &balance->orders[i].member, balance->orders[i].kind, &balance->orders[i].order);
}

void operate_when_served(struct balance *balance, const struct operate_member *member, void (*fn)(void *arg), void *arg)
{
    (void)member;
    if (balance->served) {
        fn(arg);
        return;
    }
    assert_null(balance->waiting);
    balance->waiting = fn;
    balance->waiting_arg = arg;
}

enum err look_start(struct balance *balance, const struct operate_member *member,
                    void (*fn)(void *arg, const struct look *look), void *arg)
{
    (void)member;
    if (!balance->look_err)
        fn(arg, &balance->look);
    return balance->look_err;
}

void balance_hold_look(struct balance_hold_view *view, const struct balance *balance)
{
    *view = balance->hold;
}

bool balance_release(struct balance *balance)
{
    bool was_on = balance->hold.is_on;
    balance->hold.is_on = false;
    return was_on;
}

enum err balance_failback(struct balance *balance, const uint8_t *owner, size_t *cnt)
{
    bool found = false;
    *cnt = 0;
    for (size_t i = 0; i < balance->cnt; i++) {
        bool fits = name_equal(owner, balance->pools[i].owner);
        found |= fits;
        *cnt += fits && balance->pools[i].better_tier;
    }
    return found ? ERR_OK : ERR_NOT_FOUND;
}

size_t balance_failback_all(struct balance *balance)
{
    size_t cnt = 0;
    for (size_t i = 0; i < balance->cnt; i++)
        cnt += balance->pools[i].better_tier > 0;
    return cnt;
}

const char *const io_counter_names[IO_COUNTER_CNT] = {
#define X(name, help) #name,
    IO_COUNTERS(X)
#undef X
};

void io_sum_counters(const struct io *io, struct answer_counters *answers, struct io_counters *sockets)
{
    (void)io;
    *answers = (struct answer_counters){.queries_udp = 11, .noerror = 9, .refused = 2};
    *sockets = (struct io_counters){.tcp_accepted = 3};
}

size_t io_tcp_open(const struct io *io)
{
    (void)io;
    return 4;
}

size_t io_worker_cnt(const struct io *io)
{
    (void)io;
    return 2;
}

static const struct balance_member_view members[] = {
    {.address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4},
     .weight = 4,
     .tier = 1,
     .probed = true,
     .used = true,
     .verdict = HEALTH_UP,
     .since_wall_ms = 1764504000000ull,
     .reason = "status 200",
     .weight_now = 1.5,
     .measure = {.response_us = 1250, .load_kind = HEALTH_LOAD_UTILIZATION, .load = 32768},
     .share = 1},
    {.address = {.bytes = {192, 0, 2, 2}, .family = ADDR_V4},
     .tier = 2,
     .drained = true,
     .probed = true,
     .unsettled = true,
     .verdict = HEALTH_DOWN,
     .since_wall_ms = 1764504000000ull,
     .measure = {.load_kind = HEALTH_LOAD_CONNECTIONS, .load = 291},
     .reason = "connection \xfe refused"},
    {.address = {.bytes = {192, 0, 2, 3}, .family = ADDR_V4}, .weight = 1, .tier = 1, .sleeping = true, .reason = ""},
};

static const struct balance made_up_pools = {
    .cnt = 2,
    .pools =
        {
            {.owner = (const uint8_t *)"\3www\7example\3com",
             .apex = (const uint8_t *)"\7example\3com",
             .family = ADDR_V4,
             .policy = POOL_WEIGHTED,
             .state = POOL_LIVE,
             .tier = 1,
             .ttl_sec = 5,
             .answers = 1,
             .probed = true,
             .exact = true,
             .detection_ms = 8550,
             .staleness_ms = 26550,
             .members = members,
             .member_cnt = 3},
            {.owner = (const uint8_t *)"\1x\7example\3com",
             .apex = (const uint8_t *)"\7example\3com",
             .family = ADDR_V6,
             .policy = POOL_HASH,
             .state = POOL_ALL_DOWN},
        },
};

static const struct store made_up = {
    .cnt = 4,
    .zones =
        {
            {.apex = (const uint8_t *)"\7broken1\4test",
             .path = "/z/bro\xffken",
             .state = STORE_ZONE_FAILED,
             .last_error = "line 3: bad \xfe"},
            {.apex = (const uint8_t *)"\7example\3com",
             .path = "/z/example.com",
             .state = STORE_ZONE_SERVED,
             .serial = 4294967295u,
             .name_cnt = 3,
             .rr_cnt = 7,
             .memory_bytes = 5000,
             .loaded_wall_ms = 1764504000000ull},
            {.apex = (const uint8_t *)"\5old\033x\3org",
             .path = "/z/old",
             .state = STORE_ZONE_SERVED_STALE,
             .serial = 1,
             .name_cnt = 1,
             .rr_cnt = 2,
             .memory_bytes = 100,
             .loaded_wall_ms = 1764504000000ull,
             .last_error = "gone"},
            {.apex = (const uint8_t *)"", .path = "/z/root", .state = STORE_ZONE_LOADING},
        },
};

/* ==== the fixture ==== */

void rig_load_ends(struct fixture *f, struct admin_load *load)
{
    f->loading = false;
    admin_load_done(f->admin, load);
}

void rig_end_load(struct fixture *f)
{
    struct admin_load load = {.err = ERR_OK};
    rig_load_ends(f, &load);
}

enum err rig_on_reload(void *arg)
{
    struct fixture *f = arg;
    if (f->loading)
        return ERR_BUSY;
    f->reload_cnt++;
    f->asked = true;
    if (f->reload_err)
        return f->reload_err;
    f->loading = true;
    admin_load_begins(f->admin);
    if (f->ends_at_once)
        rig_end_load(f);
    return ERR_OK;
}

enum err rig_on_load_zone(void *arg, const uint8_t *apex, enum store_load_how how, store_report_fn *fn, void *fn_arg)
{
    struct fixture *f = arg;
    (void)apex;
    if (f->loading || f->zone_fn)
        return ERR_BUSY;
    f->zone_cnt++;
    f->zone_how = how;
    if (!f->zone_err) {
        f->zone_fn = fn;
        f->zone_arg = fn_arg;
    }
    return f->zone_err;
}

void rig_end_zone(struct fixture *f, bool failed)
{
    struct store_report report = {.loaded = !failed, .failed = failed};
    store_report_fn *fn = f->zone_fn;
    if (failed) {
        report.failed_names = mem_zalloc(1, sizeof(char *));
        report.failed_names[0] = mem_strdup("example.com");
    }
    f->zone_fn = NULL;
    fn(f->zone_arg, &report);
    assert_null(report.failed_names); /* taken */
}

void rig_on_stop(void *arg)
{
    struct fixture *f = arg;
    f->stopped = true;
}

int rig_start(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct diag *diag = diag_new(4);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->path, sizeof f->path, "/tmp/rondo-admin-%ld", (long)getpid());
    uv_loop_init(&f->loop);
    f->store = made_up;
    f->balance = made_up_pools;
    struct admin_setup setup = {.loop = &f->loop,
                                .control_path = f->path,
                                .conf_path = "/etc/rondo/rondo.conf",
                                .store = &f->store,
                                .balance = &f->balance,
                                .io = &f->io,
                                .hooks = {f, rig_on_reload, rig_on_load_zone, rig_on_stop}};
    assert_int_equal(admin_open(&f->admin, &setup, diag), ERR_OK);
    admin_set_state(f->admin, &f->state);
    admin_set_sync(f->admin, &f->sync);
    diag_free(diag);
    *state = f;
    return 0;
}

int rig_stop(void **state)
{
    struct fixture *f = *state;
    admin_close(&f->admin);
    assert_null(f->admin);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(access(f->path, F_OK), -1);
    free(f);
    return 0;
}

void rig_turn(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return value;
}
