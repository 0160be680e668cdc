/* The commands of the control socket over a store, pools and workers that the test makes up. */
#include "admin/admin.h"

#include <time.h>

#include "../ctl/talk.h"

#include "balance/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"

/* ==== what stands in for store, balance and io ==== */

struct store {
    struct store_zone_view zones[4];
    size_t cnt;
};

void store_each_zone(const struct store *store, void (*fn)(void *arg, const struct store_zone_view *zone), void *arg)
{
    for (size_t i = 0; i < store->cnt; i++)
        fn(arg, &store->zones[i]);
}

size_t store_zone_cnt(const struct store *store, enum store_zone_state state)
{
    size_t cnt = 0;
    for (size_t i = 0; i < store->cnt; i++)
        cnt += store->zones[i].state == state;
    return cnt;
}

struct balance {
    struct balance_pool_view pools[2];
    size_t cnt;
    bool endless; /* a walk over all pools never ends */
};
static unsigned walk_slices; /* so far */

void balance_each_pool(const struct balance *balance, const uint8_t *owner, void (*fn)(void *arg, const struct balance_pool_view *pool),
                       void *arg)
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
    walk_slices++;
    if (balance->endless || *at == balance->cnt)
        return !balance->endless;
    fn(arg, &balance->pools[balance->cnt - 1 - (*at)++]);
    return *at == balance->cnt;
}

void balance_count(struct balance_counts *counts, const struct balance *balance)
{
    (void)balance;
    *counts = (struct balance_counts){.pools = {[POOL_LIVE] = 1, [POOL_ALL_DOWN] = 1},
                                      .members = {[HEALTH_UP] = 1, [HEALTH_DOWN] = 1}};
}

struct io {
    int none;
};
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
     .share = 1},
    {.address = {.bytes = {192, 0, 2, 2}, .family = ADDR_V4},
     .tier = 2,
     .drained = true,
     .probed = true,
     .unsettled = true,
     .verdict = HEALTH_DOWN,
     .since_wall_ms = 1764504000000ull,
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

struct fixture {
    uv_loop_t loop;
    struct admin *admin;
    struct store store;
    struct balance balance;
    struct io io;
    char path[64];
    enum err reload_err; /* what the hook gives */
    bool ends_at_once;   /* the load ends within the hook */
    unsigned reload_cnt; /* calls of the hook */
    bool loading;        /* a load that the hook started has not ended */
    bool asked, stopped;
};

static void load_ends(struct fixture *f, struct admin_load *load)
{
    f->loading = false;
    admin_load_done(f->admin, load);
}

static void end_load(struct fixture *f)
{
    struct admin_load load = {.err = ERR_OK};
    load_ends(f, &load);
}

static enum err on_reload(void *arg)
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
        end_load(f);
    return ERR_OK;
}

static void on_stop(void *arg)
{
    struct fixture *f = arg;
    f->stopped = true;
}

static int start(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct diag *diag = diag_new(4);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->path, sizeof f->path, "/tmp/rondo-admin-%ld", (long)getpid());
    uv_loop_init(&f->loop);
    f->store = made_up;
    f->balance = made_up_pools;
    struct admin_setup setup = {&f->loop, f->path, "/etc/rondo/rondo.conf", &f->store, &f->balance, &f->io,
                                {f, on_reload, on_stop}};
    assert_int_equal(admin_open(&f->admin, &setup, diag), ERR_OK);
    diag_free(diag);
    *state = f;
    return 0;
}

static int stop(void **state)
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

static void turn(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return value;
}

/* ==== status and zones ==== */

static void status_shows_the_server(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    assert_string_equal(text(answer.data, "version"), RONDO_VERSION);
    assert_int_equal(number(answer.data, "pid"), getpid());
    assert_string_equal(text(answer.data, "configuration"), "/etc/rondo/rondo.conf");
    assert_string_equal(text(answer.data, "log_level"), "error");
    assert_int_equal(number(answer.data, "workers"), 2);
    assert_int_equal(number(answer.data, "tcp_open"), 4);
    assert_true(number(answer.data, "memory_bytes") > 100000);
    assert_int_equal(strlen(text(answer.data, "started")), 20);
    assert_in_range(number(answer.data, "uptime_seconds"), 0, 60);
    const json_t *zones = json_object_get(answer.data, "zones");
    assert_int_equal(number(zones, "total"), 4);
    assert_int_equal(number(zones, "served"), 1);
    assert_int_equal(number(zones, "stale"), 1);
    assert_int_equal(number(zones, "failed"), 1);
    assert_int_equal(number(zones, "loading"), 1);
    const json_t *pools = json_object_get(answer.data, "pools"), *of_pools = json_object_get(answer.data, "members");
    assert_int_equal(number(pools, "total"), 2);
    assert_int_equal(number(pools, "live"), 1);
    assert_int_equal(number(pools, "all_down"), 1);
    assert_int_equal(number(of_pools, "total"), 2);
    assert_int_equal(number(of_pools, "up"), 1);
    assert_int_equal(number(of_pools, "down"), 1);
    assert_int_equal(number(json_object_get(answer.data, "answers"), "queries_udp"), 11);
    assert_int_equal(number(json_object_get(answer.data, "answers"), "refused"), 2);
    assert_int_equal(number(json_object_get(answer.data, "sockets"), "tcp_accepted"), 3);
    assert_string_equal(text(json_object_get(answer.data, "last_load"), "result"), "none");
    assert_true(json_is_null(json_object_get(json_object_get(answer.data, "last_load"), "ended")));
    ctl_answer_fini(&answer);
}

static void zones_shows_each(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "zones", NULL, &answer), CTL_STATUS_DONE);
    const json_t *zones = json_object_get(answer.data, "zones");
    assert_int_equal(json_array_size(zones), 4);
    const json_t *zone = json_array_get(zones, 0);
    assert_string_equal(text(zone, "name"), "broken1.test");
    assert_string_equal(text(zone, "state"), "failed");
    assert_string_equal(text(zone, "file"), "/z/bro\\xffken");
    assert_string_equal(text(zone, "error"), "line 3: bad \\xfe");
    assert_true(json_is_null(json_object_get(zone, "serial")));
    assert_true(json_is_null(json_object_get(zone, "loaded")));
    assert_true(json_is_null(json_object_get(zone, "loaded_age_seconds")));
    zone = json_array_get(zones, 1);
    assert_true(number(zone, "serial") == 4294967295);
    assert_int_equal(number(zone, "names"), 3);
    assert_int_equal(number(zone, "records"), 7);
    assert_int_equal(number(zone, "memory_bytes"), 5000);
    assert_string_equal(text(zone, "loaded"), "2025-11-30T12:00:00Z");
    assert_true(json_is_null(json_object_get(zone, "error")));
    assert_string_equal(text(json_array_get(zones, 2), "name"), "old\\027x.org");
    assert_string_equal(text(json_array_get(zones, 3), "state"), "loading");
    ctl_answer_fini(&answer);
}

static void zones_takes_names(void **state)
{
    struct fixture *f = *state;
    static const char *const ways[] = {"example.com", "example.com.", "EXAMPLE.com"};
    struct ctl_answer answer;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(talk(&f->loop, f->path, "zones", ways[i], &answer), CTL_STATUS_DONE);
        const json_t *zones = json_object_get(answer.data, "zones");
        assert_int_equal(json_array_size(zones), 1);
        assert_string_equal(text(json_array_get(zones, 0), "name"), "example.com");
        ctl_answer_fini(&answer);
    }
    static const char *const none[] = {"www.example.com", "com", "..", "a\xff", ""};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(talk(&f->loop, f->path, "zones", none[i], &answer), CTL_STATUS_FAILED);
        assert_non_null(strstr(answer.error, "no zone"));
        assert_int_equal(json_array_size(json_object_get(answer.data, "zones")), 0);
        ctl_answer_fini(&answer);
    }
}

static void pools_shows_each(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "pools", NULL, &answer), CTL_STATUS_DONE);
    const json_t *pools = json_object_get(answer.data, "pools");
    assert_int_equal(json_array_size(pools), 2);
    const json_t *pool = json_array_get(pools, 0);
    assert_string_equal(text(pool, "name"), "www.example.com");
    assert_string_equal(text(pool, "zone"), "example.com");
    assert_string_equal(text(pool, "type"), "A");
    assert_string_equal(text(pool, "policy"), "weighted");
    assert_string_equal(text(pool, "state"), "live");
    assert_int_equal(number(pool, "ttl"), 5);
    assert_int_equal(number(pool, "detection_ms"), 8550);
    assert_int_equal(number(pool, "staleness_ms"), 26550);
    const json_t *all = json_object_get(pool, "members"), *member = json_array_get(all, 0);
    assert_int_equal(json_array_size(all), 3);
    assert_string_equal(text(member, "address"), "192.0.2.1");
    assert_string_equal(text(member, "verdict"), "up");
    assert_string_equal(text(member, "reason"), "status 200");
    assert_string_equal(text(member, "since"), "2025-11-30T12:00:00Z");
    assert_int_equal(number(member, "weight"), 4);
    assert_true(json_real_value(json_object_get(member, "share")) == 1);
    assert_true(json_is_true(json_object_get(member, "used")));
    member = json_array_get(all, 1);
    assert_string_equal(text(member, "reason"), "connection \\xfe refused");
    assert_true(json_is_true(json_object_get(member, "drained")));
    assert_true(json_is_true(json_object_get(member, "unsettled")));
    member = json_array_get(all, 2);
    assert_true(json_is_true(json_object_get(member, "sleeping")));
    assert_true(json_is_null(json_object_get(member, "since")));
    assert_true(json_is_null(json_object_get(member, "reason")));
    pool = json_array_get(pools, 1);
    assert_string_equal(text(pool, "type"), "AAAA");
    assert_string_equal(text(pool, "state"), "all_down");
    assert_true(json_is_null(json_object_get(pool, "detection_ms")));
    ctl_answer_fini(&answer);
}

static int ask_pools(struct fixture *f)
{
    int fd = talk_connect(f->path);
    unsigned before = walk_slices;
    talk_request(&f->loop, fd, "pools", NULL);
    for (uint64_t end_ms = talk_now_ms() + TALK_PATIENCE_MS; walk_slices == before;) {
        assert_true(talk_now_ms() < end_ms);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return fd;
}

/* All pools are looked at in slices; whoever else asks is answered in between, and who leaves is forgotten. */
static void pools_hold_nobody_up(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.endless = true;
    int first = ask_pools(f);
    unsigned before = walk_slices;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(walk_slices, before + 1); /* a turn, a slice */
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "pools", "x.example.com", &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    int second = talk_connect(f->path);
    talk_request(&f->loop, second, "pools", NULL);
    close(first);
    f->balance.endless = false;
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    assert_int_equal(json_array_size(json_object_get(answer.data, "pools")), 2);
    ctl_answer_fini(&answer);
    before = walk_slices;
    turn(f);
    assert_int_equal(walk_slices, before); /* nobody waits */
}

static void who_waits_for_pools_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.endless = true;
    int fds[2] = {ask_pools(f), ask_pools(f)};
    turn(f);
    unsigned before = walk_slices;
    admin_close(&f->admin);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_FAILED);
        assert_string_equal(answer.error, "rondod is stopping");
        ctl_answer_fini(&answer);
    }
    assert_int_equal(walk_slices, before);
}

static void pools_takes_a_name(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "pools", "X.Example.com", &answer), CTL_STATUS_DONE);
    const json_t *pools = json_object_get(answer.data, "pools");
    assert_int_equal(json_array_size(pools), 1);
    assert_string_equal(text(json_array_get(pools, 0), "name"), "x.example.com");
    ctl_answer_fini(&answer);
    static const char *const none[] = {"example.com", "..", "a\xff", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(talk(&f->loop, f->path, "pools", none[i], &answer), CTL_STATUS_FAILED);
        assert_non_null(strstr(answer.error, "is no pool"));
        ctl_answer_fini(&answer);
    }
}

static void no_zones_and_no_workers_is_an_answer_too(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->store.cnt = 0;
    assert_int_equal(talk(&f->loop, f->path, "zones", NULL, &answer), CTL_STATUS_DONE);
    assert_int_equal(json_array_size(json_object_get(answer.data, "zones")), 0);
    ctl_answer_fini(&answer);
}

/* ==== log and stop ==== */

static void log_sets_the_level(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "log", "warning", &answer), CTL_STATUS_DONE);
    assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
    assert_string_equal(text(answer.data, "was"), "error");
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "log", "loud", &answer), CTL_STATUS_USAGE);
    assert_non_null(strstr(answer.error, "expected error, warning"));
    assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
    ctl_answer_fini(&answer);
}

static void stop_answers_first(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "stop", NULL, &answer), CTL_STATUS_DONE);
    assert_true(f->stopped);
    assert_int_equal(number(answer.data, "pid"), getpid());
    ctl_answer_fini(&answer);
}

/* ==== reload ==== */

static int ask_reload(struct fixture *f)
{
    int fd = talk_connect(f->path);
    f->asked = false;
    talk_request(&f->loop, fd, "reload", NULL);
    return fd;
}

static void reload_waits_and_tells_what_happened(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    struct diag *conf = diag_new(10), *zones = diag_new(10);
    char **names = mem_zalloc(2, sizeof *names);
    names[0] = mem_strdup("broken1.test");
    names[1] = mem_strdup("worse.test");
    diag_warning(conf, "/etc/rondo.conf", 4, "odd");
    diag_error(zones, "/z/bro\xffken", 3, "bad \xfe");
    diag_error(zones, NULL, 0, "no file");
    struct store_report report = {
        .loaded = 1, .unchanged = 2, .failed = 2, .added = 3, .removed = 4, .diag = zones, .failed_names = names};
    struct admin_load load = {ERR_OK, conf, &report};
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    turn(f);
    load_ends(f, &load);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "2 zones failed: broken1.test, worse.test");
    assert_string_equal(text(answer.data, "result"), "zones failed");
    assert_int_equal(number(answer.data, "loaded"), 1);
    assert_int_equal(number(answer.data, "unchanged"), 2);
    assert_int_equal(number(answer.data, "failed"), 2);
    assert_int_equal(number(answer.data, "added"), 3);
    assert_int_equal(number(answer.data, "removed"), 4);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer.data, "failed_zones"), 1)),
                        "worse.test");
    const json_t *messages = json_object_get(answer.data, "messages");
    assert_int_equal(json_array_size(messages), 3);
    assert_string_equal(text(json_array_get(messages, 0), "level"), "warning");
    assert_int_equal(number(json_array_get(messages, 0), "line"), 4);
    assert_string_equal(text(json_array_get(messages, 1), "file"), "/z/bro\\xffken");
    assert_true(json_is_null(json_object_get(json_array_get(messages, 2), "file")));
    assert_int_equal(number(answer.data, "messages_omitted"), 0);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    const json_t *last = json_object_get(answer.data, "last_load");
    assert_string_equal(text(last, "result"), "zones failed");
    assert_int_equal(number(last, "errors"), 2);
    assert_int_equal(number(last, "warnings"), 1);
    assert_in_range(number(last, "age_seconds"), 0, 60);
    ctl_answer_fini(&answer);
    assert_null(load.diag); /* taken */
    assert_null(report.diag);
    assert_null(report.failed_names);
}

/* The end of a load with very many failed zones, told to several at once: text is made of it in a job. */
static void a_load_that_went_very_wrong_holds_nothing_up(void **state)
{
    enum { FAILED_CNT = 50000, ASKED_CNT = 8, MOST_MS = 5 };
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fds[ASKED_CNT];
    struct store_report report = {.failed = FAILED_CNT, .diag = diag_new(STORE_REPORT_MOST)};
    report.failed_names = mem_zalloc(FAILED_CNT, sizeof *report.failed_names);
    for (unsigned i = 0; i < FAILED_CNT; i++) {
        report.failed_names[i] = mem_printf("zone%u.example", i);
        diag_error(report.diag, "/etc/rondo/zones/all", i, "expected an address, not \"nonsense\"");
    }
    struct admin_load load = {.zones = &report};
    f->reload_err = ERR_BUSY;
    for (int i = 0; i < ASKED_CNT; i++)
        fds[i] = ask_reload(f);
    while (f->reload_cnt < ASKED_CNT)
        turn(f);
    admin_load_begins(f->admin);
    clock_t before = clock();
    admin_load_done(f->admin, &load);
    assert_true(clock() - before < MOST_MS * CLOCKS_PER_SEC / 1000);
    for (int i = 0; i < ASKED_CNT; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_FAILED);
        assert_int_equal(json_array_size(json_object_get(answer.data, "failed_zones")), FAILED_CNT);
        assert_int_equal(number(answer.data, "messages_omitted"), FAILED_CNT - 1000);
        ctl_answer_fini(&answer);
    }
}

static void a_refused_configuration_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    struct diag *conf = diag_new(1200);
    for (unsigned i = 0; i < 1500; i++)
        diag_error(conf, "/etc/rondo.conf", i + 1, "unknown key");
    struct admin_load load = {ERR_INVALID, conf, NULL};
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    load_ends(f, &load);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "configuration refused: 1500 errors; nothing was changed");
    assert_string_equal(text(answer.data, "result"), "refused");
    assert_int_equal(json_array_size(json_object_get(answer.data, "messages")), 1000);
    assert_int_equal(number(answer.data, "messages_omitted"), 500);
    ctl_answer_fini(&answer);
}

static void a_load_may_end_within_the_hook(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->ends_at_once = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(talk(&f->loop, f->path, "reload", NULL, &answer), CTL_STATUS_DONE);
        assert_null(answer.error);
        assert_string_equal(text(answer.data, "result"), "done");
        ctl_answer_fini(&answer);
    }
    assert_int_equal(f->reload_cnt, 3);
}

static void a_hook_that_fails_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->reload_err = ERR_CLOSED;
    assert_int_equal(talk(&f->loop, f->path, "reload", NULL, &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, err_text(ERR_CLOSED));
    ctl_answer_fini(&answer);
}

/* Files may have changed after the load that runs had read them: who asks then is told of the next one. */
static void who_asks_during_a_load_waits_for_the_next(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int first = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    int second = ask_reload(f), third = ask_reload(f);
    turn(f);
    assert_int_equal(f->reload_cnt, 1);
    end_load(f);
    assert_int_equal(talk_answer(&f->loop, first, &answer), ERR_OK);
    ctl_answer_fini(&answer);
    talk_until(&f->loop, &f->asked);
    turn(f);
    assert_int_equal(f->reload_cnt, 2); /* one load for both */
    end_load(f);
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(talk_answer(&f->loop, third, &answer), ERR_OK);
    ctl_answer_fini(&answer);
    turn(f);
    assert_int_equal(f->reload_cnt, 2);
}

/* A load that SIGHUP started runs: the command's own follows it. */
static void who_asks_during_another_load_waits_for_an_own(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->reload_err = ERR_BUSY;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    f->reload_err = ERR_OK;
    f->asked = false;
    turn(f);
    assert_false(f->asked);
    struct admin_load other = {.err = ERR_INVALID};
    admin_load_done(f->admin, &other);
    talk_until(&f->loop, &f->asked);
    end_load(f);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(f->reload_cnt, 2);
}

/* Signals never cease: each load's end begins the next at once. The one that began after the command is as good as its own. */
static void any_load_that_begins_later_will_do(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    admin_load_begins(f->admin);
    f->reload_err = ERR_BUSY;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    end_load(f);
    admin_load_begins(f->admin);
    turn(f);
    int late = ask_reload(f);
    turn(f);
    end_load(f);
    admin_load_begins(f->admin);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(f->reload_cnt, 2); /* each asked once, in vain */
    end_load(f);
    assert_int_equal(talk_answer(&f->loop, late, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

static void clients_that_leave_harm_no_reload(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    close(fd);
    for (int i = 0; i < 100; i++) {
        fd = ask_reload(f);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        close(fd);
    }
    turn(f);
    int last = ask_reload(f);
    turn(f);
    end_load(f);
    talk_until(&f->loop, &f->asked);
    end_load(f);
    assert_int_equal(talk_answer(&f->loop, last, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

static void who_waits_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int first = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    int second = ask_reload(f);
    turn(f);
    admin_close(&f->admin);
    assert_int_equal(talk_answer(&f->loop, first, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "rondod is stopping");
    ctl_answer_fini(&answer);
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

/* ==== the socket ==== */

static void a_second_server_is_refused(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_new(4);
    struct admin *second;
    struct admin_setup setup = {&f->loop, f->path, "c", &f->store, NULL, NULL, {f, on_reload, on_stop}};
    assert_int_equal(admin_open(&second, &setup, diag), ERR_EXISTS);
    assert_null(second);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    diag_free(diag);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(status_shows_the_server),
        CASE(zones_shows_each),
        CASE(zones_takes_names),
        CASE(pools_shows_each),
        CASE(pools_hold_nobody_up),
        CASE(who_waits_for_pools_at_the_end_is_told),
        CASE(pools_takes_a_name),
        CASE(no_zones_and_no_workers_is_an_answer_too),
        CASE(log_sets_the_level),
        CASE(stop_answers_first),
        CASE(reload_waits_and_tells_what_happened),
        CASE(a_load_that_went_very_wrong_holds_nothing_up),
        CASE(a_refused_configuration_is_told),
        CASE(a_load_may_end_within_the_hook),
        CASE(a_hook_that_fails_is_told),
        CASE(who_asks_during_a_load_waits_for_the_next),
        CASE(who_asks_during_another_load_waits_for_an_own),
        CASE(any_load_that_begins_later_will_do),
        CASE(clients_that_leave_harm_no_reload),
        CASE(who_waits_at_the_end_is_told),
        CASE(a_second_server_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
