/* The running daemon: what its files share. [control] */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "admin/admin.h"
#include "answer/answer.h"
#include "balance/balance.h"
#include "daemon/configuration.h"
#include "daemon/limit_log.h"
#include "daemon/on_change.h"
#include "io/io.h"
#include "loop/job.h"
#include "loop/lag.h"
#include "loop/spawn_helper.h"
#include "pool/directory.h"
#include "store/state.h"
#include "store/store.h"
#include "sync/sync.h"

struct daemon {
    const char *conf_path;
    struct configuration *configuration; /* the one in force */
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t stop_limit;
    struct lag lag;
    struct limit_log limit_log;
    uv_timer_t start_wait; /* ends the wait for first checks */
    struct io *io;
    struct admin *admin;
    struct balance *balance;
    struct store *store;
    struct state *state;
    struct sync *sync;
    struct pool_directory pools;
    struct answer_shared shared;
    struct reload *reload;
    struct spawn_helper helper;
    struct on_change *on_change;
    struct diag *diag; /* of the configuration being loaded, until its zones are */
    bool probing;      /* zones are there, servers are checked */
    bool working;      /* workers run */
    bool stopping;
    bool failed;       /* stopping because of an error */
};

/* daemon/start.c: the whole life; returns the exit status. */
int daemon_run(const char *conf_path);
/* Begins the end. */
void daemon_stop(struct daemon *daemon);
/* Zones of a configuration (the first or another) have been loaded: a store_report_fn. */
void daemon_zones_loaded(void *daemon, struct store_report *report);
