/* One zone file → the zone's next version: read, checked, built or compared and applied.
 * Knows no store and no loop: a job calls it. */
#pragma once

#include "base/diag.h"
#include "ldnsx/zonefile.h"
#include "zone/version.h"

enum zone_load_outcome {
    ZONE_LOAD_BUILT,     /* `version` is to be published */
    ZONE_LOAD_SAME,      /* other bytes, the same records: the version stays, the sources are new */
    ZONE_LOAD_UNCHANGED, /* not a byte differs */
    ZONE_LOAD_FAILED,    /* the text is refused */
};

struct zone_load {
    /* in; all borrowed */
    struct zone *zone;
    const char *path;
    const struct zonefile_sources *sources; /* of what is served; NULL: read in any case */
    uint32_t source_serial;                 /* of what is served */
    const struct zone_marks *marks;         /* whose diag is set here; NULL: no name is annotated */
    bool remark;                            /* what is served is to be marked again, be it unchanged */
    /* out; all the caller's */
    enum zone_load_outcome outcome;
    struct zone_version *version; /* BUILT; else NULL, or what is served with other marks */
    struct zonefile_sources *sources_new; /* BUILT, SAME */
    struct diag *diag;                    /* NULL: nothing to say */
    uint32_t serial;                      /* BUILT, SAME: of the file */
    uint64_t took_us;
};

/* The most messages of one zone that are kept. */
enum { ZONE_LOAD_DIAG_MOST = 100 };

/* [job] One at a time a zone. */
void zone_load_run(struct zone_load *load) ATTR_NONNULL_ALL;
