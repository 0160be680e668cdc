/* Dynamic updates (RFC 2136 3) judged against a version: what each one is answered, and the changeset that all of them
 * come to. They are judged in the order in which they come, each by what those before it have made of the zone, as if
 * they had been committed one by one; one that fails changes nothing. So any number of them is one commit.
 *
 * Whoever asked for an update and may change what is none of this module's business, nor is its answer
 * (answer_hand_off_reply writes it). A signed zone is refused as long as nothing here signs.
 *
 * Where RFC 2136 leaves room, or others have filled it since:
 *   - a record that is there already, with another TTL or other case in its rdata, replaces the old one; its rrset has
 *     one TTL, that of the record added last (RFC 2181 5.2);
 *   - DNAME is replaced, as CNAME and SOA are (RFC 6672 5.2); a CNAME may come to a name that has nothing but KEY and
 *     what a signer makes, and KEY to a CNAME (RFC 4034 2.5);
 *   - records that the load of the zone's text would refuse are REFUSED with their whole update (sync/update_sound.h).
 *
 * The updates share one version and one serial. It is the caller's next one, from the first update on that changes
 * something, unless an update sets a later one by a SOA record. Changes that undo each other are none: no version then,
 * and the serial stays.
 *
 * Takes memory for the names that updates touch. One thread at a time (a job); nothing is read but the version. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "dns/rr.h"
#include "sync/update_msg.h"
#include "zone/changeset.h"
#include "zone/version.h"

struct update;

void update_free(struct update *update);
/* `base` stays until update_free. `next_serial` is later than its serial (store/serial_mode.h). */
struct update *update_new(const struct zone_version *base, uint32_t next_serial)
    ATTR_FREED_BY(update_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The RCODE that answers `msg`, which update_msg_read has read and which stays until update_free. *why is a static
 * sentence for the log with REFUSED and NOTAUTH, else NULL. */
enum rcode update_take(struct update *update, const struct update_msg *msg, const char **why)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What all that were taken come to, for zone_apply on `base`; the caller's. NULL: nothing changes. */
struct changeset *update_changes(const struct update *update) ATTR_MUST_USE ATTR_NONNULL_ALL;
