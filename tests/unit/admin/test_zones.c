/* The commands on zones. */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>

/* ==== zones ==== */

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

static void zones_shows_what_moves(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    const struct sync_peer peers[] = {{.addr = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 53}},
                                      {.addr = {.bytes = {192, 0, 2, 2}, .family = ADDR_V4, .port = 5300}}};
    const struct sync_zone conf = {.primaries = peers, .primary_cnt = 2};
    struct sync_transfer last = {.wall_ms = 1764504000000ull, .primary = peers[1].addr, .kind = "failed",
                                 .why = "bad \xfe"};
    struct sync_fault fault = {.wall_ms = 1764504000000ull, .primary = peers[0].addr, .why = "bad \xfe"};
    const struct notify_target targets[] = {
        {.peer = peers[0], .try = 1, .due_ms = NOTIFY_NEVER, .last_rcode = RCODE_REFUSED},
        {.peer = peers[1], .try = 6, .due_ms = NOTIFY_NEVER, .is_silent = true},
    };
    f->sync.view = (struct sync_view){.zone = &conf, .activity = "waiting", .refresh_wall_ms = UINT64_C(4070908800000),
                                      .last = &last, .fault = &fault, .told_cnt = 1, .refused_cnt = 1, .target_cnt = 2,
                                      .targets = targets};
    f->store.zones[1].is_secondary = true;
    f->store.zones[1].is_frozen = true;
    f->store.zones[1].has_history = true;
    f->store.zones[1].change_cnt = 12;
    f->store.zones[1].checkpoint_serial = 4294967290u;
    assert_int_equal(talk(&f->loop, f->path, "zones", "example.com", &answer), CTL_STATUS_DONE);
    const json_t *zone = json_array_get(json_object_get(answer.data, "zones"), 0);
    assert_string_equal(text(zone, "role"), "secondary");
    assert_true(json_is_true(json_object_get(zone, "frozen")));
    const json_t *notify = json_object_get(zone, "notify"), *journal = json_object_get(zone, "journal");
    assert_int_equal(number(notify, "targets"), 2);
    assert_int_equal(number(notify, "told"), 1);
    assert_int_equal(number(notify, "refused"), 1);
    const json_t *unanswered = json_object_get(notify, "unanswered");
    assert_int_equal(json_array_size(unanswered), 1);
    assert_string_equal(json_string_value(json_array_get(unanswered, 0)), "192.0.2.2@5300");
    assert_int_equal(number(journal, "changesets"), 12);
    assert_true(number(journal, "checkpoint_serial") == 4294967290);
    assert_true(json_is_null(json_object_get(journal, "bytes")));
    assert_true(json_is_null(json_object_get(journal, "oldest_serial")));
    const json_t *secondary = json_object_get(zone, "secondary");
    const json_t *primaries = json_object_get(secondary, "primaries"), *asked = json_object_get(secondary, "fault");
    assert_string_equal(text(asked, "primary"), "192.0.2.1@53");
    assert_string_equal(text(asked, "asked"), "2025-11-30T12:00:00Z");
    assert_string_equal(text(asked, "error"), "bad \\xfe");
    assert_int_equal(json_array_size(primaries), 2);
    assert_string_equal(json_string_value(json_array_get(primaries, 1)), "192.0.2.2@5300");
    assert_string_equal(text(secondary, "activity"), "waiting");
    assert_string_equal(text(secondary, "refresh"), "2099-01-01T00:00:00Z");
    assert_true(number(secondary, "refresh_in_seconds") > 1000000);
    assert_true(json_is_null(json_object_get(secondary, "expire")));
    assert_true(json_is_null(json_object_get(secondary, "expire_in_seconds")));
    const json_t *transfer = json_object_get(secondary, "last_transfer");
    assert_string_equal(text(transfer, "from"), "192.0.2.2@5300");
    assert_string_equal(text(transfer, "kind"), "failed");
    assert_string_equal(text(transfer, "ended"), "2025-11-30T12:00:00Z");
    assert_string_equal(text(transfer, "error"), "bad \\xfe");
    ctl_answer_fini(&answer);
    last.wall_ms = 0;
    f->store.zones[1].is_measured = true;
    f->store.zones[1].change_bytes = 345;
    assert_int_equal(talk(&f->loop, f->path, "zones", "example.com", &answer), CTL_STATUS_DONE);
    zone = json_array_get(json_object_get(answer.data, "zones"), 0);
    assert_true(json_is_null(json_object_get(json_object_get(zone, "secondary"), "last_transfer")));
    assert_int_equal(number(json_object_get(zone, "journal"), "bytes"), 345);
    ctl_answer_fini(&answer);
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

/* They are looked at in slices; whoever else asks is answered in between, and who leaves is forgotten. */
static void zones_hold_nobody_up(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    unsigned before = rig_zone_slices;
    int first = talk_connect(f->path);
    talk_request(&f->loop, first, "zones", NULL);
    while (rig_zone_slices == before)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(rig_zone_slices, before + 1); /* a turn, a slice */
    close(first);
    assert_int_equal(talk(&f->loop, f->path, "zones", NULL, &answer), CTL_STATUS_DONE);
    assert_int_equal(json_array_size(json_object_get(answer.data, "zones")), 4);
    ctl_answer_fini(&answer);
    before = rig_zone_slices;
    rig_turn(f);
    assert_int_equal(rig_zone_slices, before); /* nobody waits */
}

static void who_waits_for_zones_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    unsigned before = rig_zone_slices;
    int fd = talk_connect(f->path);
    talk_request(&f->loop, fd, "zones", NULL);
    while (rig_zone_slices == before)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    admin_close(&f->admin);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_string_equal(answer.error, "rondod is stopping");
    ctl_answer_fini(&answer);
}

/* ==== orders ==== */

static void expect_failed(struct fixture *f, const char *command, const char *zone, const char *error)
{
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, command, zone, &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, error);
    assert_null(answer.data);
    ctl_answer_fini(&answer);
}

static void no_order_is_for_a_zone_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    static const char *const commands[] = {"refresh", "retransfer", "notify", "dump",
                                           "sync",    "freeze",     "thaw",   "reload"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        expect_failed(f, commands[i], "nosuch.test", "no zone \"nosuch.test\" is configured");
        expect_failed(f, commands[i], "a..b", "no zone \"a..b\" is configured");
    }
    assert_int_equal(f->store.asked, ASKED_NOTHING);
    assert_int_equal(f->zone_cnt, 0);
    assert_false(f->sync.refreshed || f->sync.retransferred || f->sync.notified);
}

static void refresh_and_retransfer_ask_primaries(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    const struct sync_zone conf = {.primary_cnt = 2};
    f->sync.view.zone = &conf;
    expect_failed(f, "refresh", "example.com", "zone \"example.com\" is no secondary: it has no primaries");
    f->store.zones[1].is_secondary = true;
    assert_int_equal(talk(&f->loop, f->path, "refresh", "Example.COM.", &answer), CTL_STATUS_DONE);
    assert_true(f->sync.refreshed && !f->sync.retransferred);
    assert_string_equal(text(answer.data, "zone"), "example.com");
    assert_true(number(answer.data, "serial") == 4294967295);
    assert_int_equal(number(answer.data, "primaries"), 2);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "retransfer", "example.com", &answer), CTL_STATUS_DONE);
    assert_true(f->sync.retransferred);
    ctl_answer_fini(&answer);
    f->sync.err = ERR_INVALID;
    expect_failed(f, "refresh", "example.com", "zone \"example.com\" is being loaded");
    admin_set_sync(f->admin, NULL);
    expect_failed(f, "retransfer", "example.com", "zone \"example.com\" is being loaded");
}

static void notify_tells_what_it_begins(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->sync.view.target_cnt = 3;
    assert_int_equal(talk(&f->loop, f->path, "notify", "example.com", &answer), CTL_STATUS_DONE);
    assert_true(f->sync.notified);
    assert_int_equal(number(answer.data, "targets"), 3);
    ctl_answer_fini(&answer);
    f->sync.err = ERR_CLOSED;
    expect_failed(f, "notify", "example.com", "zone \"example.com\" has no version");
    f->sync.err = ERR_NOT_FOUND;
    expect_failed(f, "notify", "example.com", "zone \"example.com\" is being loaded");
}

static void sync_and_freeze_tell_what_was_done(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    const struct sync_zone conf = {.has_file = true}, without = {.has_file = false};
    assert_int_equal(talk(&f->loop, f->path, "sync", "example.com", &answer), CTL_STATUS_DONE);
    assert_int_equal(f->store.asked, ASKED_WRITE);
    assert_int_equal(number(answer.data, "serial"), 7);
    assert_string_equal(text(answer.data, "file"), "/z/\\xff");
    assert_true(json_is_true(json_object_get(answer.data, "written")));
    assert_null(json_object_get(answer.data, "frozen"));
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "freeze", "example.com", &answer), CTL_STATUS_DONE);
    assert_int_equal(f->store.asked, ASKED_FREEZE);
    assert_true(json_is_true(json_object_get(answer.data, "frozen")));
    ctl_answer_fini(&answer);
    f->store.err = ERR_IO;
    f->store.why = "it burns";
    expect_failed(f, "sync", "EXAMPLE.com", "zone \"example.com\": it burns");
    f->store.err = ERR_OK;
    f->store.asked = ASKED_NOTHING;
    f->store.zones[1].is_secondary = true;
    f->sync.view.zone = &without;
    expect_failed(f, "sync", "example.com",
                  "zone \"example.com\" is a secondary without \"file\" in its configuration");
    expect_failed(f, "freeze", "example.com", "zone \"example.com\" is a secondary: it takes no updates");
    assert_int_equal(f->store.asked, ASKED_NOTHING);
    f->sync.view.zone = &conf;
    assert_int_equal(talk(&f->loop, f->path, "sync", "example.com", &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
}

/* A request, and the descriptor that comes with its answer; -1: none. */
static int ask_dump(struct fixture *f)
{
    char first;
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {&first, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    int fd = talk_connect(f->path), attached = -1;
    talk_request(&f->loop, fd, "dump", "example.com");
    while (recvmsg(fd, &message, MSG_DONTWAIT) < 0) {
        assert_int_equal(errno, EAGAIN);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    if (message.msg_controllen)
        memcpy(&attached, CMSG_DATA(&control.head), sizeof attached);
    close(fd);
    return attached;
}

static void dump_brings_a_file(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    char got[10];
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    f->store.text_fd = ends[0];
    int fd = ask_dump(f);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    assert_int_equal(read(fd, got, sizeof got), 5);
    close(fd);
    rig_turn(f);
    assert_int_equal(write(ends[1], "x", 1), -1); /* nobody has it any more */
    close(ends[1]);
    f->store.text_fd = 0;
    f->store.why = "no space";
    expect_failed(f, "dump", "example.com", "zone \"example.com\": no space");
    static const struct {
        enum err err;
        const char *why;
    } ends_at_once[] = {{ERR_LIMIT, "zone \"example.com\": too many zones are being dumped"},
                        {ERR_TIMEOUT, "zone \"example.com\": it has expired"},
                        {ERR_CLOSED, "zone \"example.com\": it has no version"}};
    for (size_t i = 0; i < 3; i++) {
        f->store.err = ends_at_once[i].err;
        expect_failed(f, "dump", "example.com", ends_at_once[i].why);
    }
    f->store.err = ERR_OK;
    f->store.why = NULL;
    f->store.text_fd = open("/dev/null", O_RDONLY);
    assert_int_equal(talk(&f->loop, f->path, "dump", "example.com", &answer), CTL_STATUS_DONE);
    assert_int_equal(number(answer.data, "records"), 3);
    assert_int_equal(number(answer.data, "bytes"), 5);
    ctl_answer_fini(&answer);
}

/* ==== reload of one zone, thaw ==== */

static int ask(struct fixture *f, const char *command, const char *zone, const char *option)
{
    const char *args[] = {zone, option};
    size_t len;
    char *bytes = ctl_request_format(&len, command, args, option ? 2 : 1);
    int fd = talk_connect(f->path);
    assert_true(talk_send(&f->loop, fd, bytes, len));
    free(bytes);
    rig_turn(f);
    return fd;
}

static void one_zone_is_reloaded(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fd = ask(f, "reload", "EXAMPLE.com", NULL);
    assert_int_equal(f->zone_cnt, 1);
    assert_int_equal(f->zone_how, STORE_LOAD_CAREFULLY);
    assert_false(f->asked);
    rig_end_zone(f, false);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    assert_string_equal(text(answer.data, "zone"), "example.com");
    assert_int_equal(number(answer.data, "loaded"), 1);
    assert_null(json_object_get(answer.data, "frozen"));
    ctl_answer_fini(&answer);
    fd = ask(f, "reload", "example.com", "--force");
    assert_int_equal(f->zone_how, STORE_LOAD_FORCE);
    rig_end_zone(f, true);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "1 zone failed: example.com");
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    assert_string_equal(text(json_object_get(answer.data, "last_load"), "result"), "none"); /* that is of all zones */
    ctl_answer_fini(&answer);
    static const char *const wrong[][2] = {{"--force", NULL}, {"example.com", "--marge"}, {"--force", "example.com"}};
    for (size_t i = 0; i < 3; i++) {
        fd = ask(f, "reload", wrong[i][0], wrong[i][1]);
        assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_USAGE);
        ctl_answer_fini(&answer);
    }
    f->store.zones[1].is_secondary = true;
    expect_failed(f, "reload", "example.com",
                  "zone \"example.com\" is a secondary: its file is not read; \"rondoctl retransfer\" fetches it");
    f->store.zones[1].is_secondary = false;
    f->zone_err = ERR_NOT_FOUND;
    expect_failed(f, "reload", "example.com", "the zone is gone");
}

/* One after the other, whatever loads; whoever leaves before has asked for nothing. */
static void loads_of_zones_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int all = talk_connect(f->path);
    talk_request(&f->loop, all, "reload", NULL);
    rig_turn(f);
    assert_true(f->loading);
    int first = ask(f, "reload", "example.com", NULL), left = ask(f, "reload", "example.com", NULL);
    close(left);
    int second = ask(f, "reload", "example.com", "--merge");
    assert_int_equal(f->zone_cnt, 0);
    rig_end_load(f);
    rig_turn(f);
    assert_int_equal(f->zone_cnt, 1);
    int again = talk_connect(f->path);
    talk_request(&f->loop, again, "reload", NULL);
    rig_turn(f);
    rig_end_zone(f, false);
    rig_turn(f);
    assert_true(f->loading);
    assert_int_equal(f->zone_cnt, 1);
    rig_end_load(f);
    rig_turn(f);
    assert_int_equal(f->zone_cnt, 2);
    assert_int_equal(f->zone_how, STORE_LOAD_MERGE);
    rig_end_zone(f, false);
    const int fds[] = {all, first, second, again};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_DONE);
        ctl_answer_fini(&answer);
    }
}

static void a_thaw_takes_the_file_first(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    expect_failed(f, "thaw", "example.com", "zone \"example.com\" is not frozen");
    f->store.zones[1].is_frozen = true;
    int fd = ask(f, "thaw", "example.com", NULL);
    assert_int_equal(f->store.asked, ASKED_NOTHING);
    rig_end_zone(f, true);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "it stays frozen: 1 zone failed: example.com");
    assert_true(json_is_true(json_object_get(answer.data, "frozen")));
    assert_int_equal(f->store.asked, ASKED_NOTHING);
    ctl_answer_fini(&answer);
    fd = ask(f, "thaw", "example.com", NULL);
    rig_end_zone(f, false);
    assert_int_equal(f->store.asked, ASKED_THAW);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    assert_true(json_is_false(json_object_get(answer.data, "frozen")));
    ctl_answer_fini(&answer);
    f->store.err = ERR_LIMIT;
    f->store.why = "full";
    fd = ask(f, "thaw", "example.com", NULL);
    rig_end_zone(f, false);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_string_equal(answer.error, "its file was read, but it stays frozen: full");
    ctl_answer_fini(&answer);
}

static void who_waits_for_a_zone_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fds[] = {ask(f, "reload", "example.com", NULL), ask(f, "reload", "example.com", NULL)};
    admin_close(&f->admin);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_string_equal(answer.error, "rondod is stopping");
        ctl_answer_fini(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(zones_shows_each),
        CASE(zones_takes_names),
        CASE(zones_shows_what_moves),
        CASE(no_zones_and_no_workers_is_an_answer_too),
        CASE(zones_hold_nobody_up),
        CASE(who_waits_for_zones_at_the_end_is_told),
        CASE(no_order_is_for_a_zone_that_is_not_there),
        CASE(refresh_and_retransfer_ask_primaries),
        CASE(notify_tells_what_it_begins),
        CASE(sync_and_freeze_tell_what_was_done),
        CASE(dump_brings_a_file),
        CASE(one_zone_is_reloaded),
        CASE(loads_of_zones_wait_for_each_other),
        CASE(a_thaw_takes_the_file_first),
        CASE(who_waits_for_a_zone_at_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
