/* A control socket over a store, pools and workers that are made up: store.h, balance.h and io.h are answered from
 * here. */
#pragma once

#include "../ctl/talk.h"

#include "admin/admin.h"
#include "balance/count.h"
#include "balance/explain.h"
#include "balance/failback.h"
#include "balance/hold.h"
#include "balance/look.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/export.h"
#include "store/write.h"

struct store {
    struct store_zone_view zones[4];
    size_t cnt;
    enum { ASKED_NOTHING, ASKED_WRITE, ASKED_FREEZE, ASKED_THAW } asked; /* the last; of the first zone but the root */
    enum err err; /* what comes of it */
    const char *why;
    int text_fd; /* what is exported; 0: it fails with `why`, at once with `err` */
};
extern unsigned rig_zone_slices; /* of walks over all zones, so far */

struct sync {
    enum err err;
    bool refreshed, retransferred, notified;
    struct sync_view view; /* of all zones */
    bool is_unknown;       /* there is none */
    struct outgoing_counters counters;
};

struct balance {
    struct balance_pool_view pools[2];
    size_t cnt;
    struct {
        struct operate_member member;
        enum operate_kind kind;
        struct operate_order order;
    } orders[2];
    size_t order_cnt;
    bool served;                 /* tables follow at once; else somebody waits: */
    void (*waiting)(void *arg);
    void *waiting_arg;
    enum err look_err;
    struct look look; /* what a check now finds */
    bool endless; /* a walk over all pools never ends */
    struct balance_hold_view hold;
};
extern unsigned rig_walk_slices; /* of walks over all pools, so far */

struct io {
    int none;
};

/* Keeps at once what it is given, or says why not. */
struct state {
    const char *why;
    struct order_given {
        enum operate_kind kind;
        struct addr address;
        bool is_lifted;
        struct operate_order order;
        char reason[300];
    } given[8];
    size_t given_cnt;
};

struct fixture {
    uv_loop_t loop;
    struct admin *admin;
    struct store store;
    struct sync sync;
    struct balance balance;
    struct io io;
    struct state state;
    char path[64];
    enum err reload_err; /* what the hook gives */
    bool ends_at_once;   /* the load ends within the hook */
    unsigned reload_cnt; /* calls of the hook */
    bool loading;        /* a load that the hook started has not ended */
    bool asked, stopped;
    /* a load of one zone that the hook started */
    enum err zone_err;
    unsigned zone_cnt;
    store_report_fn *zone_fn;
    void *zone_arg;
    enum store_load_how zone_how;
};

/* A case's fixture, with its admin open, and its end. */
int rig_start(void **state);
int rig_stop(void **state);
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)

/* What rondod's part is: the hooks, and that a load has ended. */
enum err rig_on_reload(void *arg);
void rig_on_stop(void *arg);
enum err rig_on_load_zone(void *arg, const uint8_t *apex, enum store_load_how how, store_report_fn *fn, void *fn_arg);
void rig_end_zone(struct fixture *f, bool failed);
void rig_load_ends(struct fixture *f, struct admin_load *load);
void rig_end_load(struct fixture *f); /* well */

/* Some turns of the loop: what could happen has happened. */
void rig_turn(struct fixture *f);

/* A member of an answer that has to be there. */
json_int_t number(const json_t *object, const char *key);
const char *text(const json_t *object, const char *key);
