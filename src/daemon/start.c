/* The daemon's life. The order of the phases is not free:
 *
 *   fork the helper       that runs commands (loop/spawn_helper.h): while we are a megabyte, one thread, and have no
 *                         descriptor that it must not have; it waits to be told who to be
 *   read configuration    everything wrong is told at once, and nothing has been touched yet
 *   open sockets          ports below 1024 need privileges; queries from here on wait in the sockets' buffers
 *   open control          its folder may be writable to root alone; it must become the user's
 *   drop privileges       while there is one thread: from here on nothing is done as root, above all no zone file is
 *                         read
 *   begin commands        the helper has become the same user, and takes commands from here on
 *   open state            as the user, who has to write there, and before anything that it says is needed: members
 *                         begin with the verdicts and orders of the last run. While there is one thread, for a file
 *                         that may be damaged is read in another process first
 *   load zones            in jobs; the loop runs, signals and the control socket work
 *   check servers         when the zones are there; first checks begin within half of server.start_wait
 *   start workers         when no pool would be answered with an address that nobody has judged, at the latest after
 *                         server.start_wait: nobody is told REFUSED or SERVFAIL, or sent to a dead server, because of
 *                         a restart
 *   ready                 systemd is told
 *
 * The end goes the other way round. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer/keys.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/daemon.h"
#include "daemon/helper.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/wiring.h"
#include "probe/probe.h"
#include "store/state_dir.h"

/* How long the end may take: a job that reads a very large zone cannot be
 * stopped, and nothing is lost by leaving it. */
enum { STOP_LIMIT_MS = 1500 };

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};
enum { SIGNAL_CNT = sizeof signal_numbers / sizeof *signal_numbers };
_Static_assert(SIGNAL_CNT == sizeof((struct daemon *)0)->signals / sizeof(uv_signal_t), "a handle a signal");

/* ---- phases; each logs its errors and returns false to end the start */

static bool tell(struct diag *diag, enum err err)
{
    diag_log(diag);
    diag_free(diag);
    return !err;
}

static bool read_configuration(struct daemon *d)
{
    log_notice("rondod %s starting, configuration \"%s\"", RONDO_VERSION, d->conf_path);
    d->diag = diag_new(CONFIGURATION_DIAG_MOST);
    enum err err = configuration_load(&d->configuration, d->conf_path, NULL, d->diag);
    diag_log(d->diag);
    return !err;
}

static void log_listen(const struct io_options *options)
{
    const struct addr *addr = options->listen.items;
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < options->listen.cnt; i++)
        log_notice("listening on %s, UDP and TCP", addr_port_to_text(text, &addr[i]));
    if (!options->listen.cnt)
        log_notice("listening on all addresses, port 53, UDP and TCP");
}

static bool open_sockets(struct daemon *d)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    enum err err = io_open(&d->io, d->configuration->io, diag);
    if (!err)
        log_listen(d->configuration->io);
    return tell(diag, err);
}

static bool open_control(struct daemon *d)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    const struct admin_setup setup = {
        .loop = &d->loop,
        .control_path = d->configuration->admin->control,
        .conf_path = d->conf_path,
        .store = d->store,
        .balance = d->balance,
        .shared = &d->shared,
        .io = d->io,
        .hooks = wiring_admin_hooks(d),
        .lag = &d->lag,
    };
    return tell(diag, admin_open(&d->admin, &setup, diag));
}

static enum err become(struct daemon *d, const char *user, struct diag *diag)
{
    struct privileges privileges;
    if (privileges_find(&privileges, user)) {
        diag_error(diag, NULL, 0, "there is no user \"%s\"", user);
        return ERR_NOT_FOUND;
    }
    const struct opt_list probes = conf_list(d->configuration->conf, &probe_opt_table);
    privileges.keeps_raw = probe_pings(&probes);
    enum err err = ERR_OK;
    state_dir_make(d->configuration->daemon->state_dir, privileges.uid, privileges.gid);
    if (geteuid() == 0)
        err = admin_give_to(d->admin, privileges.uid, privileges.gid, diag);
    if (!err)
        err = privileges_drop(&privileges, user, diag);
    if (!err)
        log_info("running as user \"%s\"", user);
    return err;
}

/* The first error there is. */
static void format_error(char *out, size_t cap, const struct diag *diag)
{
    const struct diag_entry *entry;
    out[0] = '\0';
    for (size_t i = 0; (entry = diag_at(diag, i)) != NULL; i++) {
        if (entry->level == DIAG_ERROR) {
            diag_format(out, cap, entry);
            return;
        }
    }
}

/* Not what is in them, which takes long: that they can be read. */
static enum err check_networks(const struct conf *conf, struct diag *diag)
{
    struct opt_list sites = conf_list(conf, &answer_site_opt_table);
    const struct answer_site_options *rows = sites.items;
    enum err err = ERR_OK;
    for (size_t i = 0; i < sites.cnt; i++) {
        if (!rows[i].networks_file || !access(rows[i].networks_file, R_OK))
            continue;
        diag_error(diag, rows[i].networks_file, 0, "cannot be read: %s", strerror(errno));
        err = ERR_IO;
    }
    return err;
}

/* This start has read the configuration and the keys' files as root, reloads read them as the user: that they cannot is
 * to be known before the first is needed. Only files that are meant to be read by few are tried: to read all again
 * would take as long as it took. */
static void check_reloads(const struct daemon *d, const char *user)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    struct opt_list rows = conf_list(d->configuration->conf, &answer_key_opt_table);
    struct tsig_keys *again = NULL;
    enum err err = answer_keys_make(&again, &rows, diag);
    if (check_networks(d->configuration->conf, diag))
        err = ERR_IO;
    if (access(d->conf_path, R_OK)) {
        diag_error(diag, d->conf_path, 0, "cannot be read: %s", strerror(errno));
        err = ERR_IO;
    }
    if (err) {
        char text[1024];
        format_error(text, sizeof text, diag);
        log_warning("reloads will be refused, for user \"%s\" cannot read the configuration as root has: %s", user,
                    text);
    }
    tsig_keys_free(again);
    diag_free(diag);
}

static bool drop_privileges(struct daemon *d)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    const char *user = d->configuration->daemon->user;
    bool was_root = geteuid() == 0;
    enum err err = *user ? become(d, user, diag) : ERR_OK;
    privileges_no_new();
    if (!err && was_root && geteuid() != 0)
        check_reloads(d, user);
    return tell(diag, err);
}

static bool begin_commands(struct daemon *d)
{
    if (spawn_helper_begin(&d->helper, d->configuration->daemon->user)) {
        log_error("the process that runs commands is gone");
        return false;
    }
    probe_use_spawn(d->helper.fds[HELPER_CHECKS]);
    d->on_change = on_change_open(&d->loop, d->helper.fds[HELPER_CHANGES]);
    if (!d->on_change)
        return false;
    on_change_use(d->on_change, &d->configuration->health->on_change);
    balance_on_change(d->balance, on_change_tell, d->on_change);
    return true;
}

static bool open_state(struct daemon *d)
{
    struct diag *diag = diag_new(CONFIGURATION_DIAG_MOST);
    const char *dir = d->configuration->daemon->state_dir;
    enum err err = state_open(&d->state, &d->loop, dir, d->balance, diag);
    admin_set_state(d->admin, d->state);
    if (!err && state_journal(d->state))
        (void)!store_keep(d->store, state_journal(d->state), dir, diag); /* it has said so */
    return tell(diag, err);
}

static bool load_zones(struct daemon *d)
{
    sigset_t ours, before;
    sigemptyset(&ours);
    for (size_t i = 0; i < SIGNAL_CNT; i++)
        sigaddset(&ours, signal_numbers[i]);
    d->shared.limit = limit_new((size_t)d->configuration->answer->limit.table_mib << 20);
    wiring_publish_settings(&d->shared, d->configuration);
    wiring_set_resolvers(d->balance, d->configuration);
    balance_set_plan(d->balance, &d->configuration->annotations);
    d->sync = sync_new(&d->loop, d->store, d->io, &d->shared);
    if (!d->sync)
        return false;
    admin_set_sync(d->admin, d->sync);
    wiring_set_sync(d);
    /* The pool's threads are made now: our signals are not theirs, or a read of a zone file would end for nothing. */
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    enum err err = store_load(d->store, &d->configuration->plan, daemon_zones_loaded, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !err;
}

static bool (*const phases[])(struct daemon *) = {
    read_configuration, open_sockets, open_control, drop_privileges, begin_commands, open_state, load_zones,
};

/* ---- running */

static void fail(struct daemon *d)
{
    d->failed = true;
    daemon_stop(d);
}

static void start_workers(struct daemon *d)
{
    if (d->working || d->stopping)
        return;
    uv_timer_stop(&d->start_wait);
    enum err err = io_start(d->io, &d->shared);
    if (err) {
        log_error("cannot start the workers: %s", err_text(err));
        fail(d);
        return;
    }
    d->working = true;
    sync_begin(d->sync);
    limit_log_start(&d->limit_log, &d->loop, d->io, &d->shared);
    log_notice("ready, workers: %zu", io_worker_cnt(d->io));
    notify_send("READY=1");
}

static void on_settled(void *arg) { start_workers(arg); }

static void on_start_wait(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    log_notice("not every pool has had its first checks after start_wait; those count as up until they have");
    start_workers(d);
}

static void start_probing(struct daemon *d)
{
    uint64_t wait_ms = d->configuration->daemon->start_wait_ms;
    d->probing = true;
    if (balance_start(d->balance, wait_ms)) {
        fail(d);
        return;
    }
    if (!balance_settled(d->balance)) {
        uv_update_time(&d->loop);
        uv_timer_start(&d->start_wait, on_start_wait, wait_ms, 0);
    }
    balance_when_settled(d->balance, on_settled, d);
}

void daemon_zones_loaded(void *daemon, struct store_report *report)
{
    struct daemon *d = daemon;
    if (d->stopping)
        return;
    bool first = !d->probing;
    if (!first)
        log_notice("reload done%s", report->failed ? ", zones failed" : "");
    struct admin_load load = {.err = ERR_OK, .diag = d->diag, .zones = report};
    d->diag = NULL;
    admin_load_done(d->admin, &load);
    diag_free(load.diag);
    if (first) {
        state_follow(d->state);
        start_probing(d);
    } else if (d->working) {
        notify_send("READY=1");
    }
    reload_next(d->reload);
}

void daemon_stop(struct daemon *d)
{
    d->stopping = true;
    uv_stop(&d->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (number == SIGHUP) {
        reload_want(d->reload);
        return;
    }
    log_notice("%s received", number == SIGTERM ? "SIGTERM" : "SIGINT");
    daemon_stop(d);
}

/* ---- beginning and end */

static void open_loop(struct daemon *d)
{
    int err = uv_loop_init(&d->loop);
    for (size_t i = 0; !err && i < SIGNAL_CNT; i++) {
        d->signals[i].data = d;
        err = uv_signal_init(&d->loop, &d->signals[i]);
        if (!err)
            err = uv_signal_start(&d->signals[i], on_signal, signal_numbers[i]);
    }
    if (!err)
        err = uv_timer_init(&d->loop, &d->stop_limit);
    d->start_wait.data = d;
    if (!err)
        err = uv_timer_init(&d->loop, &d->start_wait);
    if (err) {
        log_error("cannot make the event loop: %s", uv_strerror(err));
        exit(1);
    }
}

/* They say what is wrong. */
static void open_modules(struct daemon *d)
{
    d->balance = balance_new(&d->loop, &d->pools, true);
    d->store = d->balance ? store_new(&d->loop, &d->shared, d->balance) : NULL;
    if (!d->store)
        exit(1);
    wiring_own_zones(d);
    d->reload = reload_new(d);
}

static void on_stop_limit(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (d->state)
        log_warning("stopped, with the disk still writing what is to be kept");
    else
        log_notice("stopped, with zones still being read");
    _exit(d->failed);
}

static void limit_stop(struct daemon *d)
{
    d->stop_limit.data = d;
    uv_update_time(&d->loop); /* io_stop may have taken a while */
    uv_timer_start(&d->stop_limit, on_stop_limit, STOP_LIMIT_MS, 0);
}

/* Until every job of zones has ended, and what these keep is durable with all else that is to be. */
static void end_state(struct daemon *d)
{
    sync_free(d->sync);
    store_cancel(d->store);
    while (store_busy(d->store))
        uv_run(&d->loop, UV_RUN_ONCE);
    store_stop_keeping(d->store);
    if (!d->state)
        return;
    state_end(d->state);
    while (!state_ended(d->state))
        uv_run(&d->loop, UV_RUN_ONCE);
    state_close(d->state);
    d->state = NULL;
}

/* Until every job has ended. */
static void end_jobs(struct daemon *d)
{
    while (reload_running(d->reload))
        uv_run(&d->loop, UV_RUN_ONCE);
    store_free(d->store);
    balance_free(d->balance);
}

static void close_loop(struct daemon *d)
{
    for (size_t i = 0; i < SIGNAL_CNT; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    uv_close((uv_handle_t *)&d->stop_limit, NULL);
    uv_close((uv_handle_t *)&d->start_wait, NULL);
    lag_stop(&d->lag);
    limit_log_stop(&d->limit_log);
    while (uv_run(&d->loop, UV_RUN_DEFAULT))
        continue;
    uv_loop_close(&d->loop);
}

static void stop(struct daemon *d)
{
    notify_send("STOPPING=1");
    d->stopping = true;
    if (d->working)
        io_stop(d->io);
    admin_close(&d->admin);
    limit_stop(d);
    end_state(d);
    end_jobs(d);
    on_change_close(d->on_change);
    close_loop(d);
    spawn_helper_end(&d->helper);
    if (d->io)
        io_close(d->io);
    pool_directory_fini(&d->pools);
    wiring_free_settings(&d->shared);
    limit_free(d->shared.limit);
    reload_free(d->reload);
    configuration_free(d->configuration);
    diag_free(d->diag);
    log_notice("stopped");
}

int daemon_run(const char *conf_path)
{
    struct daemon d = {.conf_path = conf_path};
    if (helper_fork(&d.helper))
        return 1;
    job_pool_size();
    open_loop(&d);
    hash_key_random(&d.shared.key);
    pool_directory_init(&d.pools);
    d.shared.pools = &d.pools;
    open_modules(&d);
    size_t cnt = sizeof phases / sizeof *phases;
    for (size_t i = 0; i < cnt && !d.failed && !d.stopping; i++) {
        d.failed = !phases[i](&d);
        uv_run(&d.loop, UV_RUN_NOWAIT); /* a signal may have come */
    }
    lag_start(&d.lag, &d.loop); /* phases may take their time: nobody is served yet */
    while (!d.failed && !d.stopping)
        uv_run(&d.loop, UV_RUN_DEFAULT);
    stop(&d);
    return d.failed ? 1 : 0;
}
