/* A zone's next version out of its file, or the version that it had when the last process ended: read, checked, built
 * or compared and applied, and what of it is to be kept. Knows no store and no loop: a job calls it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "ldnsx/zonefile.h"
#include "store/keeping.h"
#include "store/load_how.h"
#include "store/serial_mode.h"
#include "zone/version.h"

enum zone_load_outcome {
    ZONE_LOAD_BUILT,     /* `version` is to be published */
    ZONE_LOAD_SAME,      /* other bytes, the same records: the version stays, the sources are new */
    ZONE_LOAD_UNCHANGED, /* not a byte differs */
    ZONE_LOAD_FAILED,    /* the text is refused */
    ZONE_LOAD_EMPTY,     /* a secondary of which nothing is known so far */
};

struct zone_load {
    /* in; all borrowed */
    struct zone *zone;
    const char *path;
    const struct zonefile_sources *sources; /* of what is served; NULL: read in any case */
    bool has_source;                        /* what is served came from a text, with this serial: */
    uint32_t source_serial;
    const struct zone_marks *marks;         /* whose diag is set here; NULL: no name is annotated */
    bool remark;                            /* what is served is to be marked again, be it unchanged */
    bool is_secondary;                      /* the file is of no account */
    bool keeps;                             /* changes are kept, though the zone may have no history so far */
    enum store_serial serial_mode;
    enum store_load_how how;
    /* in and out */
    struct keeping keeping;
    /* out; all the caller's */
    enum zone_load_outcome outcome;
    bool is_restored;             /* BUILT of what was kept, no change of it */
    struct zone_version *version; /* BUILT; else NULL, or what is to be served all the same: with other marks, or as it
                                     was kept */
    struct zonefile_sources *sources_new; /* BUILT, SAME; NULL: there is no text of it */
    struct diag *diag;                    /* NULL: nothing to say */
    uint32_t serial;                      /* BUILT, SAME: of the file */
    uint64_t took_us;
    /* private */
    bool is_unread;  /* what was kept of the zone could not be read just now; is_damaged, too */
    bool is_damaged; /* it could not be used; it had this serial: */
    uint32_t lost_serial;
};

/* The most messages of one zone that are kept. */
enum { ZONE_LOAD_DIAG_MOST = 100 };

/* [job] One at a time a zone. */
void zone_load_run(struct zone_load *load) ATTR_NONNULL_ALL;

/* `marks` with `diag`; NULL: no name is annotated. `room` is filled, and stays where it is. */
const struct zone_marks *zone_load_marks(struct zone_marks *room, const struct zone_marks *marks, struct diag *diag)
    ATTR_NONNULL(1);
