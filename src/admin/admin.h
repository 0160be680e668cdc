/* What operators see and do: one view model of the running server, and the commands of the control socket that show it.
 * Reads zones from `store`, pools from `balance` and counters from `io`; what only the daemon can do (reload, stop)
 * comes as hooks. Lives on the control thread.
 *
 * Life: admin_open while privileges are still there (the socket then listens; who connects waits until the loop runs),
 * admin_give_to before they are dropped, admin_load_begins and admin_load_done around every load, admin_close, then the
 * loop runs until nothing is left on it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "answer/answer.h"
#include "balance/balance.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"
#include "io/io.h"
#include "loop/lag.h"
#include "store/state.h"
#include "store/store.h"
#include "sync/sync.h"

struct admin_options {
    char *control; /* path of the control socket */
};
extern const struct opt_table admin_opt_table; /* "server" */

/* How a load (at start, or a reload, whoever asked for it: rondoctl or SIGHUP) ended. */
struct admin_load {
    enum err err; /* ERR_OK: the configuration is in force, whatever single zones did; else it was refused and all stays
                     as it was */
    struct diag *diag; /* of the configuration: its errors and warnings; NULL: none. Valid during the call, unless it
                          was taken, which leaves NULL */
    struct store_report *zones; /* what happened to the zones; NULL when refused. Its parts may be taken likewise */
};

struct admin_hooks {
    void *arg;
    /* Starts to read configuration and zones again. Calls admin_load_begins, as every start of a load does; its end,
     * good or bad, is told by admin_load_done, later or before this returns. ERR_BUSY: a load runs already, nothing was
     * started (the command then waits for the next that begins, and asks for it after that one's admin_load_done). */
    enum err (*start_reload)(void *arg);
    /* Starts to read the file of one zone again; `fn` is called once, later, unless the server stops before. ERR_BUSY
     * likewise: the command asks again after the next admin_load_done or `fn`. Other errors as store_load_zone. */
    enum err (*load_zone)(void *arg, const uint8_t *apex, enum store_load_how how, store_report_fn *fn, void *fn_arg);
    /* Begins the shutdown and returns; admin_close follows later, not from within this call. The client has its answer
     * by then. */
    void (*stop)(void *arg);
};

struct admin_setup {
    uv_loop_t *loop;
    const char *control_path; /* copied */
    const char *conf_path;    /* as status shows it; copied */
    struct store *store;      /* borrowed until admin_close */
    struct balance *balance;  /* borrowed until admin_close; may be NULL: no pools */
    const struct answer_shared *shared; /* what the workers read; likewise; may be NULL: nothing is explained */
    const struct io *io;      /* borrowed until admin_close; may be NULL: no counters, no workers */
    struct admin_hooks hooks;
    struct lag *lag;          /* of the loop; borrowed until admin_close; may be NULL: not measured */
};

struct admin;

/* Opens the control socket (mode 0660): replaces a dead daemon's, refuses to take a live one's (ERR_EXISTS). Errors to
 * `diag`: ERR_IO, ERR_INVALID (path too long, or in use by something that is no socket). *admin is NULL then. "Running
 * since" counts from here. */
enum err admin_open(struct admin **admin, const struct admin_setup *setup, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Who keeps what is ordered; borrowed until after admin_close, and until balance ends. Before this, and with NULL,
 * commands that need it fail. */
void admin_set_state(struct admin *admin, struct state *state) ATTR_NONNULL(1);
/* Where zones come from and go to; borrowed until admin_close. Before this, and with NULL, commands that need it
 * fail. */
void admin_set_sync(struct admin *admin, struct sync *sync) ATTR_NONNULL(1);
/* Gives the socket (and its folder, if admin_open made it) to the user that the daemon is about to become. */
enum err admin_give_to(const struct admin *admin, uid_t uid, gid_t gid, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A load begins, whoever asked for it: nothing has been read yet, so it is what
 * every `reload` asked for up to now waits for. */
void admin_load_begins(struct admin *admin) ATTR_NONNULL_ALL;
/* Once after each load, the one at start too: what `status` shows as the last load, and the answer of those `reload`s
 * that wait for it. Takes messages and names if any do; text is made of them in a job. */
void admin_load_done(struct admin *admin, struct admin_load *load) ATTR_NONNULL_ALL;
/* Removes the socket, tells waiting clients that the server stops, closes all. No hook is called from here on. Memory
 * is freed by the loop's next rounds: run it until uv_run reports nothing left, and uv_loop_close works. *admin (may be
 * NULL) becomes NULL. */
void admin_close(struct admin **admin) ATTR_NONNULL_ALL;
