/* A zone's text as checked records, and the serial among them. Knows no store and no loop: a job calls it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "ldnsx/zonefile.h"
#include "zone/changeset.h"
#include "zone/records.h"
#include "zone/version.h"

/* Reads and checks the file; everything wrong goes to `diag`. *records are sorted and good for `zone`; *sources is what
 * was read. ERR_INVALID: both are NULL. */
enum err zone_text_read(struct zone_records **records, struct zonefile_sources **sources, const struct zone *zone,
                        const char *path, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The SOA of records that have one (sorted, checked or sound). */
struct zone_record *zone_text_soa(const struct zone_records *records) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
uint32_t zone_text_serial(const struct zone_records *records) ATTR_NONNULL_ALL;
/* All that the change does is to give the SOA another serial. */
bool zone_text_changes_serial_alone(const struct changeset *changes) ATTR_NONNULL_ALL;
void zone_text_set_serial(struct zone_records *records, uint32_t serial) ATTR_NONNULL_ALL;
