/* One run of store_load: a plan made true. First a job prepares (matches the plan with the zones there are, makes new
 * zones and the new catalogues). Then new zones enter the catalogue, a few jobs share all zones among them, one after
 * the other, and post each result to the loop, where it is published at once; when the last has come, zones that are no
 * longer wanted leave. So 10,000 zones are a handful of jobs, only as many zone texts are in memory as jobs run, and
 * the control thread publishes in slices (loop/post.h). */
#pragma once

#include "store/private.h"
#include "store/zone_load.h"

/* Takes the plan. [control] */
void load_start(struct store *store, struct store_plan **plan, store_report_fn *fn, void *arg);
/* The same for one zone, which is there: only its text is read again. [control] */
void load_start_zone(struct store *store, struct store_zone *zone, enum store_load_how how, store_report_fn *fn,
                     void *arg);
/* Begins to read, if all that has to end before has ended: the preparation, and the jobs that release versions (they
 * and builds work on the same memory). */
void load_try_runners(struct store_load *load);
/* A load waits for changes to end: none of the zone may begin. */
bool load_is_near(const struct store *store, const struct store_zone *zone);
void load_cancel(struct store_load *load);
