/* What the files of a load share. load.c starts it and ends it; load_zones.c makes the set of zones what the plan
 * wants, in two steps, before and after they are read; load_result.c reads them and takes what was read. */
#pragma once

#include "store/private.h"
#include "store/zone_load.h"

struct load_item {
    struct store_zone *zone;
    const char *path; /* in the plan, or the zone's own */
    enum store_load_how how;
};

enum { LOAD_RUNNERS_MOST = 8 };

struct load_runner {
    struct job job;
    struct store_load *load;
};

/* [control], but for what a job fills or claims. */
struct store_load {
    struct store *store;
    struct store_plan *plan; /* NULL: one zone is read again, the others stay as they are */
    const struct balance_plan *annotations; /* NULL: none */
    store_report_fn *fn;
    void *arg;
    struct job prepare;
    struct load_item *items; /* the plan's zones in its order, or one zone */
    size_t item_cnt;
    struct store_zone **all; /* the plan's zones and those that go, until it has ended: canonical order */
    size_t all_cnt;
    struct store_zone **removed;
    size_t removed_cnt;
    struct post_item dropping;
    size_t dropped; /* so many of those removed are gone for others too */
    /* The set of zones from when reading begins, all of them, and from when it has ended; NULL: it stays as it is. */
    struct catalogue *first, *last;
    struct load_runner runners[LOAD_RUNNERS_MOST];
    unsigned running;
    bool prepared, started;
    size_t next;      /* atomic: the first item that no runner has claimed */
    bool cancelled;   /* atomic */
    size_t delivered; /* results that have arrived */
    size_t logged;
    struct store_report report;
    struct diag *diag;
    size_t failed_cap;
    uint64_t start_us;
};

/* load.c */
/* Ends the load with the last of: every runner's end, every claimed zone's result. [control] */
void load_try_finish(struct store_load *load);
/* The set of zones is what the plan wants. [control] */
void load_zones_done(struct store_load *load);

/* load_zones.c */
/* Matches the plan with the zones there are, makes the new ones and the catalogues. The store's array and its zones'
 * names do not change meanwhile. [job] */
void load_match(struct store_load *load);
/* From here on new zones are listed, and answered with SERVFAIL until each has been read, whatever others
 * take. [control] */
void load_add_zones(struct store_load *load);
/* From here on the plan's zones are all; those that go do so in slices, then load_zones_done is called, maybe before
 * this returns. [control] */
void load_drop_zones(struct store_load *load);

/* load_result.c */
/* Reads zones, each that no other runner has claimed, until there is none left or the load was cancelled; each result
 * is posted to the loop and taken there. [job], several at a time */
void load_read(struct store_load *load);
