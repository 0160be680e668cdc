#include "sync/updating.h"

#include <stdio.h>
#include <stdlib.h>

#include "answer/handoff.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/change.h"
#include "sync/outgoing_reply.h"
#include "sync/unit.h"
#include "sync/update.h"

/* One that waits, then is judged. */
struct request {
    struct io_handoff *handoff;
    struct update_msg msg;
    enum rcode rcode;
    const char *why; /* a literal; NULL: there is nothing to say */
};

/* A zone's. */
struct zone_updates {
    struct ring all;
    struct updating *updating;
    struct store_change change;
    bool is_running;
    struct request *judged;   /* [job] while it runs */
    struct request *waiting;
    size_t judged_cnt, waiting_cnt;
    uint32_t serial;          /* of the version that was made; with has_version */
    bool has_version;
    uint8_t apex[NAME_MAX_LEN];
};

struct updating {
    struct sync *sync;
    struct ring zones; /* that have some, few at a time */
    struct log_rate rate, done_rate;
};

/* ---- the change [job] */

static bool judge_all(struct zone_updates *zone, struct update *update)
{
    bool any = false;
    for (size_t i = 0; i < zone->judged_cnt; i++) {
        struct request *request = &zone->judged[i];
        const struct answer_hand_off *asked = io_handoff_request(request->handoff);
        request->rcode = update_msg_read(&request->msg, asked->request, asked->request_len);
        if (request->rcode == RCODE_NOERROR)
            request->rcode = update_take(update, &request->msg, &request->why);
        any |= request->rcode == RCODE_NOERROR;
    }
    return any;
}

static enum err make_changes(struct zone_updates *zone, struct store_making *making, struct update *update)
{
    struct changeset *changes = judge_all(zone, update) ? update_changes(update) : NULL;
    if (!changes)
        return ERR_OK;
    enum err err = store_make_changes(making, changes, &changes, 1);
    if (!err)
        keeping_set_flags(&making->keeping, making->zone->name,
                          making->keeping.entry.flags | (uint32_t)HISTORY_HAS_UPDATES);
    zone->has_version = !err;
    zone->serial = changes->serial_to;
    changeset_free(changes);
    return err;
}

static void refuse_all(struct zone_updates *zone, const char *why)
{
    for (size_t i = 0; i < zone->judged_cnt; i++) {
        zone->judged[i].rcode = RCODE_REFUSED;
        zone->judged[i].why = why;
    }
}

/* Nothing is acknowledged that is not kept: without a journal nothing may change. */
static enum err make(struct store_change *change, struct store_making *making)
{
    struct zone_updates *zone = container_of(change, struct zone_updates, change);
    if (!making->base || !keeping_is_possible(&making->keeping)) {
        snprintf(making->why, sizeof making->why, "%s",
                 making->base ? "state_dir cannot be used" : "it has no version");
        return ERR_LIMIT;
    }
    /* Of both the workers may have known nothing yet. */
    const char *why = making->is_secondary ? "the zone has primaries" : making->is_frozen ? "the zone is frozen" : NULL;
    if (why) {
        refuse_all(zone, why);
        return ERR_OK;
    }
    struct update *update = update_new(
        making->base, serial_after(making->serial_mode, making->base->serial, NULL, clock_wall_ms() / 1000));
    enum err err = make_changes(zone, making, update);
    update_free(update);
    return err;
}

/* ---- the answers */

static void log_answer(struct updating *updating, const struct zone_updates *zone, const struct request *request,
                       const char *why)
{
    char name[NAME_TEXT_MAX], client[ADDR_TEXT_MAX], key[NAME_TEXT_MAX + 16] = "";
    const struct answer_hand_off *asked = io_handoff_request(request->handoff);
    bool is_good = request->rcode == RCODE_NOERROR;
    if (!log_rate_ok(is_good ? &updating->done_rate : &updating->rate, 20))
        return;
    name_to_text_bare(name, zone->apex);
    addr_to_text(client, &asked->client);
    if (asked->is_signed) {
        char text[NAME_TEXT_MAX];
        snprintf(key, sizeof key, ", key \"%s\"", name_to_text(text, asked->key.name));
    }
    if (is_good && zone->has_version)
        log_info("zone \"%s\": updated by %s%s, serial %u", name, client, key, zone->serial);
    else if (is_good)
        log_info("zone \"%s\": update by %s%s changes nothing", name, client, key);
    else
        log_notice("zone \"%s\": update by %s%s not made, %s%s%s", name, client, key, rcode_text(request->rcode),
                   why ? ": " : "", why ? why : "");
}

static void answer(struct updating *updating, struct request *request)
{
    struct io *io = updating->sync->io;
    struct answer_hand_off *asked = io_handoff_request(request->handoff);
    uint8_t message[OUTGOING_REPLY_MAX];
    size_t len = answer_hand_off_reply(asked, message, sizeof message, request->rcode, -1, clock_wall_ms() / 1000);
    io_answer(io, &request->handoff, message, len);
    update_msg_fini(&request->msg);
}

static void answer_all(struct zone_updates *zone, enum err err, const char *why)
{
    for (size_t i = 0; i < zone->judged_cnt; i++) {
        struct request *request = &zone->judged[i];
        if (err && request->rcode == RCODE_NOERROR)
            request->rcode = err == ERR_NOT_FOUND ? RCODE_NOTAUTH : RCODE_SERVFAIL;
        log_answer(zone->updating, zone, request, err ? why : request->why);
        answer(zone->updating, request);
    }
    free(zone->judged);
    zone->judged = NULL;
    zone->judged_cnt = 0;
}

/* ---- the queue */

static void start(struct zone_updates *zone);

static void done(struct store_change *change, enum err err, const char *why)
{
    struct zone_updates *zone = container_of(change, struct zone_updates, change);
    zone->is_running = false;
    answer_all(zone, err, why);
    if (zone->waiting_cnt) {
        start(zone);
        return;
    }
    ring_remove(&zone->all);
    free(zone);
}

static void start(struct zone_updates *zone)
{
    zone->judged = zone->waiting;
    zone->judged_cnt = zone->waiting_cnt;
    zone->waiting = NULL;
    zone->waiting_cnt = 0;
    zone->is_running = true;
    zone->has_version = false;
    zone->change = (struct store_change){.make = make, .done = done};
    store_change(zone->updating->sync->store, zone->apex, &zone->change);
}

static struct zone_updates *find_or_add(struct updating *updating, const uint8_t *apex)
{
    for (struct ring *at = updating->zones.after; at != &updating->zones; at = at->after) {
        struct zone_updates *zone = container_of(at, struct zone_updates, all);
        if (name_equal(zone->apex, apex))
            return zone;
    }
    struct zone_updates *zone = mem_zalloc(1, sizeof *zone);
    zone->updating = updating;
    name_to_lower(zone->apex, apex);
    ring_add(&updating->zones, &zone->all);
    return zone;
}

void updating_take(struct updating *updating, struct io_handoff **handoff)
{
    struct zone_updates *zone = find_or_add(updating, io_handoff_request(*handoff)->zone);
    zone->waiting = mem_realloc(zone->waiting, zone->waiting_cnt + 1, sizeof *zone->waiting);
    zone->waiting[zone->waiting_cnt++] = (struct request){.handoff = *handoff};
    *handoff = NULL;
    if (!zone->is_running)
        start(zone);
}

struct updating *updating_new(struct sync *sync)
{
    struct updating *updating = mem_zalloc(1, sizeof *updating);
    updating->sync = sync;
    ring_init(&updating->zones);
    return updating;
}

void updating_free(struct updating *updating)
{
    if (!updating)
        return;
    while (!ring_is_empty(&updating->zones))
        uv_run(updating->sync->loop, UV_RUN_ONCE);
    free(updating);
}
