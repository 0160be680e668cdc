/* A reload: read and validate the whole configuration in a job, refuse it or put it in force, then let the store read
 * the zones. One at a time; another that is asked for by signal meanwhile follows when it has ended. */
#pragma once

#include "daemon/daemon.h"

struct reload;

/* No reload may be running. */
void reload_free(struct reload *reload);
struct reload *reload_new(struct daemon *daemon) ATTR_MUST_USE;
/* ERR_BUSY: zones are being loaded or are about to be, nothing was started. ERR_CLOSED: the daemon is stopping. */
enum err reload_start(struct reload *reload) ATTR_MUST_USE;
/* The same, or as soon as that is possible. */
void reload_want(struct reload *reload);
/* Reads the file of one zone again (store_load_zone), by the configuration in force. Errors as reload_start, and
 * ERR_NOT_FOUND. `fn` is not called when the daemon is stopping by then. */
enum err reload_zone(struct reload *reload, const uint8_t *apex, enum store_load_how how, store_report_fn *fn,
                     void *arg) ATTR_MUST_USE;
/* The zones have been loaded: what was wanted meanwhile begins. */
void reload_next(struct reload *reload);
/* A job of it is in the pool. */
bool reload_running(const struct reload *reload);
