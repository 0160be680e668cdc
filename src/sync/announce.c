/* Zones' changes told to others (RFC 1996). */
#include "base/clock.h"
#include "base/container.h"
#include "dns/name.h"
#include "sync/notify_targets.h"
#include "sync/soa.h"
#include "sync/unit.h"

/* For an answer, which mostly takes milliseconds; the machine tells again who is silent. */
enum { ANSWER_MS = 3000 };

/* ---- whom */

struct finding {
    struct sync *sync;
    struct notify_list list;
    bool is_whole; /* no address is being asked for */
};

static void add_address(void *arg, const struct addr *addr)
{
    struct finding *finding = arg;
    notify_list_add_address(&finding->list, addr, finding->sync->own, finding->sync->own_cnt);
}

static void add_name(void *arg, const uint8_t *name)
{
    struct finding *finding = arg;
    if (!servers_each(finding->sync->servers, name, add_address, finding))
        finding->is_whole = false;
}

void announce_targets(struct sync_unit *unit)
{
    struct sync *sync = unit->sync;
    struct finding finding = {.sync = sync, .list.cnt = 0, .is_whole = true};
    const struct notify_names names = {.address = add_address, .name = add_name, .arg = &finding};
    const struct zone_version *version = store_version(sync->store, unit->apex);
    notify_list_add_peers(&finding.list, unit->zone->notify, unit->zone->notify_cnt);
    if (version && unit->zone->notify_ns)
        notify_names_of(version, &names);
    notify_set_targets(&unit->notify, finding.list.peers, finding.list.cnt);
    unit->has_addresses = false;
    ring_remove(&unit->unresolved);
    if (!finding.is_whole)
        ring_add(&sync->unresolved, &unit->unresolved);
}

/* ---- when, and what they say */

static void log_refused(const struct sync_unit *unit, const struct addr *peer, unsigned rcode)
{
    char name[NAME_TEXT_MAX], text[ADDR_TEXT_MAX], fault[FAULT_MAX];
    if (log_rate_ok(&unit->sync->notify_rate, 20))
        log_notice("zone \"%s\": %s does not take NOTIFY: its answer is %s", name_to_text_bare(name, unit->apex),
                   addr_port_to_text(text, peer), fault_of_rcode(fault, rcode));
}

/* Why there is no good answer, once an announcement: it is told again. */
static void log_no_answer(const struct sync_unit *unit, uint32_t target, uint32_t round,
                          const struct ask_result *result)
{
    const struct notify *notify = &unit->notify;
    char name[NAME_TEXT_MAX], text[ADDR_TEXT_MAX];
    if (result->outcome == ASK_SILENT && !result->was_passed_over)
        return;
    if (round != notify->round || target >= notify->target_cnt || notify->targets[target].try != 1)
        return;
    if (log_rate_ok(&unit->sync->notify_rate, 20))
        log_notice("zone \"%s\": NOTIFY to %s: %s", name_to_text_bare(name, unit->apex),
                   addr_port_to_text(text, &notify->targets[target].peer.addr), result->why);
}

static void on_answer(void *arg, const struct ask_result *result)
{
    struct sync_exchange *exchange = arg;
    struct sync_unit *unit = exchange->unit;
    uint32_t target = exchange->index, round = exchange->round;
    exchange_heard(exchange, result->outcome);
    exchange_end(exchange);
    if (result->outcome != ASK_ANSWERED)
        log_no_answer(unit, target, round, result);
    else if (notify_answered(&unit->notify, target, round, result->answer.rcode) == NOTIFY_REFUSED)
        log_refused(unit, &unit->notify.targets[target].peer.addr, result->answer.rcode);
}

static void give_up(const struct sync_unit *unit, const struct notify_step *step)
{
    char name[NAME_TEXT_MAX], text[ADDR_TEXT_MAX];
    if (log_rate_ok(&unit->sync->notify_rate, 20))
        log_notice("zone \"%s\": %s does not answer NOTIFY, serial %u", name_to_text_bare(name, unit->apex),
                   addr_port_to_text(text, &step->peer->addr), step->serial);
}

static void tell(struct sync_unit *unit, const struct notify_step *step, const struct zone_version *version)
{
    struct soa_record soa;
    soa_of_version(&soa, version);
    const struct ask_question question = {
        .kind = NOTIFY_MSG_NOTIFY,
        .apex = unit->apex,
        .soa = &soa.rr,
        .key = step->peer->key,
        .peer = step->peer->addr,
        .sources = unit->zone->notify_source,
        .timeout_ms = ANSWER_MS,
    };
    const struct sync_exchange about = {.is_notify = true, .index = step->target, .round = step->round};
    exchange_start(unit, &question, &about, on_answer);
}

bool announce_run(struct sync_unit *unit, uint64_t now_ms)
{
    const struct zone_version *version = store_version(unit->sync->store, unit->apex);
    struct notify_step step;
    while (version && sync_has_room(unit->sync)) {
        if (!notify_next(&unit->notify, &step, now_ms))
            return true;
        if (step.kind == NOTIFY_SEND)
            tell(unit, &step, version);
        else
            give_up(unit, &step);
    }
    return !version || notify_due_ms(&unit->notify) > now_ms;
}
