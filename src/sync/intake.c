#include "sync/intake.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/room.h"
#include "zone/sound.h"

enum {
    /* As store/zone_load.c has it of a file: to sort the records and to make a version of them takes up to twice what
     * they take themselves. One message cannot bring as much as is looked ahead for. */
    LOOK_EVERY = 32 << 20,
    BUILD_FACTOR = 2,
    RECORDS_MOST = UINT32_MAX / 2 - 1, /* zone_records counts them */
};

ATTR_PRINTF(2, 3) static void fail(struct intake *intake, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(intake->own_why, sizeof intake->own_why, fmt, args);
    va_end(args);
    intake->why = intake->own_why;
    intake->state = STREAM_IN_FAILED;
}

/* ---- what comes out of the stream */

static struct zone_records *new_records(struct intake *intake)
{
    return zone_records_new(intake->in.asked.name, intake->key);
}

static struct changeset *open_change(struct intake *intake)
{
    assert(intake->is_open);
    return intake->changes[intake->change_cnt - 1];
}

static void begin_change(struct intake *intake, uint32_t serial_from)
{
    if (intake->change_cnt == intake->change_cap) {
        intake->change_cap = intake->change_cap ? intake->change_cap * 2 : 4;
        intake->changes = mem_realloc(intake->changes, intake->change_cap, sizeof(*intake->changes));
    }
    struct changeset *changes = mem_zalloc(1, sizeof(*changes));
    changes->serial_from = serial_from;
    changes->removed = new_records(intake);
    changes->added = new_records(intake);
    intake->changes[intake->change_cnt++] = changes;
    intake->is_open = true;
}

static size_t change_bytes(const struct changeset *changes)
{
    return sizeof(*changes) + 2 * sizeof(*changes->added) + zone_records_bytes(changes->removed) +
           zone_records_bytes(changes->added);
}

static void end_change(struct intake *intake, uint32_t serial_to)
{
    struct changeset *changes = open_change(intake);
    changes->serial_to = serial_to;
    zone_records_sort(changes->removed);
    zone_records_sort(changes->added);
    intake->closed_bytes += change_bytes(changes);
    intake->is_open = false;
}

static void keep(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t serial_from, uint32_t serial_to)
{
    struct intake *intake = arg;
    switch (kind) {
    case STREAM_IN_RECORD:
        if (!intake->records)
            intake->records = new_records(intake);
        zone_records_add(intake->records, rr, NULL, 0);
        break;
    case STREAM_IN_BEGIN: begin_change(intake, serial_from); break;
    case STREAM_IN_REMOVED: zone_records_add(open_change(intake)->removed, rr, NULL, 0); break;
    case STREAM_IN_ADDED: zone_records_add(open_change(intake)->added, rr, NULL, 0); break;
    case STREAM_IN_END: end_change(intake, serial_to); break;
    }
}

/* ---- limits */

static size_t kept_bytes(const struct intake *intake)
{
    size_t bytes = intake->closed_bytes + intake->change_cap * sizeof(*intake->changes);
    if (intake->records)
        bytes += zone_records_bytes(intake->records);
    return intake->is_open ? bytes + change_bytes(intake->changes[intake->change_cnt - 1]) : bytes;
}

static bool has_room(struct intake *intake)
{
    size_t bytes = kept_bytes(intake);
    if (bytes < intake->looked_bytes + LOOK_EVERY)
        return true;
    uint64_t room = room_bytes();
    intake->looked_bytes = bytes;
    if (room / BUILD_FACTOR > bytes + LOOK_EVERY)
        return true;
    fail(intake, "the zone does not fit in memory: the %" PRIu64 " records so far take %zu MiB, and %" PRIu64
                 " are left", intake->in.rr_cnt, bytes >> 20, room >> 20);
    return false;
}

static bool is_within_limits(struct intake *intake)
{
    if (intake->records && intake->max_zone_bytes && intake->in.bytes > intake->max_zone_bytes)
        fail(intake, "more than %" PRIu64 " bytes of records", intake->max_zone_bytes);
    else if (intake->change_cnt > INTAKE_CHANGES_MOST)
        fail(intake, "more than %u changes one after the other", (unsigned)INTAKE_CHANGES_MOST);
    else
        return has_room(intake);
    return false;
}

/* ---- the whole */

void intake_init(struct intake *intake, const struct stream_in_asked *asked, const struct hash_key *key,
                 uint64_t max_zone_bytes)
{
    struct stream_in_asked ours = *asked;
    *intake = (struct intake){.state = STREAM_IN_MORE, .key = key, .max_zone_bytes = max_zone_bytes};
    ours.fn = keep;
    ours.arg = intake;
    /* An answer to an IXFR may be changes, in which all may go and come anew; more than that comes shorter as a whole.
     * No message is without a record, so that these bound the messages too. */
    ours.limits = (struct stream_in_limits){
        .records = RECORDS_MOST, .bytes = asked->type == RR_IXFR ? 2 * max_zone_bytes : max_zone_bytes};
    stream_in_init(&intake->in, &ours);
}

void intake_fini(struct intake *intake)
{
    zone_records_free(intake->records);
    for (size_t i = 0; i < intake->change_cnt; i++)
        changeset_free(intake->changes[i]);
    free(intake->changes);
}

static void finish(struct intake *intake)
{
    const char *why;
    if (intake->in.outcome != STREAM_IN_WHOLE)
        return;
    zone_records_sort(intake->records);
    if (zone_records_sound(intake->records, &why))
        fail(intake, "%s", why);
}

enum stream_in_state intake_feed(struct intake *intake, const uint8_t *msg, size_t len, uint64_t now_sec)
{
    assert(intake->state == STREAM_IN_MORE);
    intake->state = stream_in_feed(&intake->in, msg, len, now_sec);
    if (intake->state == STREAM_IN_FAILED)
        intake->why = intake->in.why;
    else if (is_within_limits(intake) && intake->state == STREAM_IN_DONE)
        finish(intake);
    return intake->state;
}
