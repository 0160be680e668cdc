/* What people see of zones on their way, and ask of them. */
#include "base/clock.h"
#include "dns/msg.h"
#include "sync/unit.h"

enum err sync_refresh(struct sync *sync, const uint8_t *apex, bool full)
{
    struct sync_unit *unit = unit_find(sync, apex);
    if (!unit)
        return ERR_NOT_FOUND;
    if (!unit->has_started)
        return ERR_INVALID;
    refresh_now(&unit->refresh, full, clock_mono_ms());
    unit_wake(unit);
    return ERR_OK;
}

enum err sync_notify(struct sync *sync, const uint8_t *apex)
{
    struct sync_unit *unit = unit_find(sync, apex);
    if (!unit)
        return ERR_NOT_FOUND;
    if (!notify_now(&unit->notify, clock_mono_ms()))
        return ERR_CLOSED;
    unit_wake(unit);
    return ERR_OK;
}

static const char *activity_of(const struct sync_unit *unit)
{
    static const char *const names[] = {
        [REFRESH_WAITING] = "waiting", [REFRESH_ASKING] = "asking", [REFRESH_TRANSFERRING] = "transferring"};
    return names[unit->refresh.state];
}

/* By the wall clock as it is now; 0: never, or not known. */
static uint64_t wall_of(uint64_t mono_ms, uint64_t now_ms)
{
    if (mono_ms == REFRESH_NEVER)
        return 0;
    return clock_wall_ms() + mono_ms - now_ms;
}

bool sync_get_view(const struct sync *sync, const uint8_t *apex, struct sync_view *view)
{
    const struct sync_unit *unit = unit_find(sync, apex);
    uint64_t now_ms = clock_mono_ms();
    if (!unit)
        return false;
    *view = (struct sync_view){
        .zone = unit->zone,
        .last = &unit->last,
        .fault = unit->fault,
        .told_cnt = notify_answered_cnt(&unit->notify),
        .target_cnt = unit->notify.target_cnt,
        .targets = unit->notify.targets,
    };
    for (uint32_t i = 0; i < view->target_cnt; i++)
        view->refused_cnt += notify_has_answered(&view->targets[i]) && view->targets[i].last_rcode != RCODE_NOERROR;
    if (!unit->has_started)
        return true;
    view->activity = activity_of(unit);
    view->is_expired = unit->refresh.is_expired;
    view->expire_wall_ms = wall_of(refresh_expiry_ms(&unit->refresh), now_ms);
    if (unit->refresh.state == REFRESH_WAITING)
        view->refresh_wall_ms = wall_of(unit->refresh.next_ms, now_ms);
    return true;
}

const struct outgoing *sync_outgoing(const struct sync *sync) { return sync->outgoing; }
