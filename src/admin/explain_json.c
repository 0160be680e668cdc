#include "admin/explain_json.h"

#include <stdio.h>
#include <string.h>

#include "admin/view_json.h"
#include "ctl/text.h"
#include "dns/rr.h"

enum { WHY_MAX = 200 };

static json_t *name_json(const uint8_t *name)
{
    char text[NAME_TEXT_MAX];
    return ctl_json_text(name_to_text_bare(text, name));
}

/* ==== names ==== */

static const char *kind_of(const struct trace_link *link, const struct store *store)
{
    static const char *const kinds[] = {[LOOKUP_EXACT] = "name",
                                        [LOOKUP_WILDCARD] = "wildcard",
                                        [LOOKUP_REFERRAL] = "cut",
                                        [LOOKUP_DNAME] = "dname",
                                        [LOOKUP_NONE] = "none"};
    if (!link->zone)
        return "no zone";
    if (link->version)
        return kinds[link->kind];
    struct store_zone_view zone;
    enum store_zone_state state =
        store && store_get_zone(store, link->zone->name, &zone) ? zone.state : STORE_ZONE_FAILED;
    return state == STORE_ZONE_EMPTY ? "zone empty" : state == STORE_ZONE_EXPIRED ? "zone expired" : "zone not loaded";
}

json_t *explain_names_json(const struct trace *trace, const struct store *store)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < trace->link_cnt; i++) {
        const struct trace_link *link = &trace->links[i];
        json_array_append_new(
            names, json_pack("{so so so so ss so}",
                             "name", name_json(link->name),
                             "zone", link->zone ? name_json(link->zone->name) : json_null(),
                             "serial", link->version ? json_integer(link->version->serial) : json_null(),
                             "signed", link->version ? json_boolean(link->version->is_signed) : json_null(),
                             "found", kind_of(link, store),
                             "at", link->node ? name_json(zone_node_name(link->node)) : json_null()));
    }
    return names;
}

/* ==== the reply ==== */

/* Addresses and names; other rdata is told by its type alone. */
static json_t *rdata_json(uint16_t type, struct reader rdata, uint16_t len)
{
    uint8_t name[NAME_MAX_LEN];
    char text[ADDR_TEXT_MAX];
    struct addr addr = {.family = type == RR_A ? ADDR_V4 : ADDR_V6};
    if ((type == RR_A && len == 4) || (type == RR_AAAA && len == 16)) {
        memcpy(addr.bytes, rdata.at, len);
        return json_string(addr_to_text(text, &addr));
    }
    bool is_name = type == RR_CNAME || type == RR_NS || type == RR_PTR || type == RR_DNAME;
    return is_name && msg_read_name(name, &rdata) ? name_json(name) : json_null();
}

static json_t *record_json(struct reader *r)
{
    uint8_t owner[NAME_MAX_LEN];
    char type_text[RR_TYPE_TEXT_MAX];
    if (!msg_read_name(owner, r))
        return NULL;
    uint16_t type = reader_u16(r);
    reader_u16(r);
    uint32_t ttl = reader_u32(r);
    uint16_t len = reader_u16(r);
    struct reader rdata = *r;
    if (!reader_take(r, len))
        return NULL;
    return json_pack("{so sI ss so}", "name", name_json(owner), "ttl", (json_int_t)ttl, "type",
                     rr_type_to_text(type_text, type), "data", rdata_json(type, rdata, len));
}

json_t *explain_reply_json(const struct trace *trace)
{
    enum { TYPE_AND_CLASS_LEN = 4 };
    json_t *records = json_array();
    struct reader r = reader_over(trace->reply, trace->reply_len);
    if (trace->reply_len < MSG_HEADER_LEN) {
        json_decref(records);
        return json_null();
    }
    uint16_t flags = msg_flags(trace->reply);
    reader_take(&r, MSG_HEADER_LEN);
    if (msg_qdcount(trace->reply) && msg_skip_name(&r))
        reader_take(&r, TYPE_AND_CLASS_LEN);
    for (unsigned i = 0; i < msg_ancount(trace->reply) && !r.failed; i++)
        json_array_append_new(records, record_json(&r));
    return json_pack("{ss sb sI so}", "rcode", rcode_text(flags & MSG_RCODE_MASK), "authoritative",
                     (int)(flags & MSG_AA ? 1 : 0), "scope", (json_int_t)trace->scope, "answer", records);
}

/* ==== a pool ==== */

static const struct balance_member_view *view_of(const struct explain_names *names, const struct addr *address)
{
    for (size_t i = 0; i < names->view->cnt; i++)
        for (size_t k = 0; k < names->view->pools[i].member_cnt; k++)
            if (addr_same_host(&names->view->pools[i].members[k].address, address))
                return &names->view->pools[i].members[k];
    return NULL;
}

/* Why a member is not used, in the order of the pipeline. */
static void why_not(char out[WHY_MAX], const struct pool_member *member, bool is_live, const struct pool_choice *choice)
{
    enum health_verdict verdict = pool_member_verdict(member);
    if (!member->weight && !choice->all_drained)
        snprintf(out, WHY_MAX, "drained");
    else if (verdict == HEALTH_DOWN)
        snprintf(out, WHY_MAX, member->forced == HEALTH_DOWN ? "forced down" : "down");
    else if (!is_live)
        snprintf(out, WHY_MAX, "no verdict yet, and others of tier %u are up", member->tier);
    else if (choice->site && member->site != choice->site)
        snprintf(out, WHY_MAX, "the client's site has members of its own that live");
    else if (member->tier != choice->tier)
        snprintf(out, WHY_MAX, "tier %u is used", choice->tier);
    else
        snprintf(out, WHY_MAX, "not chosen");
}

static void why_used(char out[WHY_MAX], const struct pool_member *member, const struct pool_choice *choice)
{
    enum health_verdict verdict = pool_member_verdict(member);
    if (choice->state == POOL_ALL_DOWN)
        snprintf(out, WHY_MAX, "nobody is up, all are served");
    else if (verdict == HEALTH_UNKNOWN)
        snprintf(out, WHY_MAX, "no verdict yet, nor is anybody of tier %u up", member->tier);
    else if (!member->weight)
        snprintf(out, WHY_MAX, "all are drained, so drains are ignored");
    else if (member->tier != choice->tier)
        snprintf(out, WHY_MAX, "up, and tier %u has a trickle of the answers", member->tier);
    else
        snprintf(out, WHY_MAX, "%s", member->forced == HEALTH_UP ? "forced up" : member->probed ? "up" : "not checked");
}

/* What its checks say is not what counts. */
static void add_who_keeps(char why[WHY_MAX], const struct balance_member_view *view)
{
    size_t len = strlen(why);
    if (view->held)
        snprintf(why + len, WHY_MAX - len, ", held as it was before a failure of our own");
    else if (view->waits_until_wall_ms)
        snprintf(why + len, WHY_MAX - len, ": it passes, and flap_hold keeps it out for now");
}

static json_t *member_json(const struct pool_source *source, const struct pool_explained *e, size_t index,
                           const struct explain_names *names)
{
    const struct pool_member *member = &source->members[index];
    const struct pool_explained_member *seen = &e->members[index];
    const struct balance_member_view *view = view_of(names, &member->address);
    char address[ADDR_TEXT_MAX], why[WHY_MAX];
    if (seen->used)
        why_used(why, member, &e->choice);
    else
        why_not(why, member, seen->live, &e->choice);
    if (names->is_now && view)
        add_who_keeps(why, view);
    return json_pack("{ss ss so so sb sb sI sI sf sb sb sb sf sf ss so}",
                     "address", addr_to_text(address, &member->address),
                     "verdict", health_verdict_name(member->probed ? member->verdict : HEALTH_UP),
                     "forced", member->forced == HEALTH_UNKNOWN ? json_null()
                                                               : json_string(health_verdict_name(member->forced)),
                     "site", names->member_site[index] ? ctl_json_text(names->member_site[index]) : json_null(),
                     "probed", (int)member->probed,
                     "unsettled", (int)(member->probed && member->unsettled),
                     "tier", (json_int_t)member->tier,
                     "weight", (json_int_t)member->weight,
                     "weight_in_effect", seen->weight,
                     "live", (int)seen->live,
                     "used", (int)seen->used,
                     "given", (int)seen->given,
                     "share", seen->share,
                     "inclusion", seen->inclusion,
                     "why", why,
                     "reason", view && *view->reason ? ctl_json_text(view->reason) : json_null());
}

static json_t *tier_json(const struct pool_explained_tier *tier)
{
    return json_pack("{sI sI sI sI sI sI sb sb}",
                     "tier", (json_int_t)tier->number,
                     "members", (json_int_t)tier->members,
                     "undrained", (json_int_t)tier->undrained,
                     "up", (json_int_t)tier->up,
                     "unknown", (json_int_t)tier->unknown,
                     "live", (json_int_t)tier->live,
                     "enough", (int)tier->is_enough,
                     "used", (int)tier->used);
}

/* Addresses to give in place of members. */
static json_t *instead_json(const struct pool_source *source, const struct pool_explained *e)
{
    json_t *list = json_array();
    char text[ADDR_TEXT_MAX];
    bool falls_back = !e->choice.cnt && e->choice.state == POOL_ALL_DOWN &&
                      source->settings->all_down == POOL_FALLBACK;
    for (size_t i = 0; falls_back && i < source->fallback_cnt; i++)
        if (source->fallback[i].family == source->family)
            json_array_append_new(list, json_string(addr_to_text(text, &source->fallback[i])));
    return list;
}

json_t *explain_pool_json(const struct pool_source *source, const struct pool_explained *e,
                          const struct explain_names *names)
{
    static const char *const outcomes[] = {
        [POOL_ANSWER] = "answer", [POOL_NODATA] = "nodata", [POOL_FAIL] = "servfail", [POOL_BY_CLASS] = ""};
    json_t *tiers = json_array(), *members = json_array();
    bool by_client = e->table->outcome == POOL_ANSWER && e->table->pick == POOL_PICK_HASH;
    for (unsigned i = 0; i < e->tier_cnt; i++)
        json_array_append_new(tiers, tier_json(&e->tiers[i]));
    for (size_t i = 0; i < source->cnt; i++)
        json_array_append_new(members, member_json(source, e, i, names));
    json_t *json = json_pack("{ss ss sI sI sI so sI sI sI so so so so}",
                     "state", view_pool_state_names[e->choice.state],
                     "outcome", outcomes[e->table->outcome],
                     "ttl", (json_int_t)e->ttl_sec,
                     "near_members", (json_int_t)e->near_cnt,
                     "near_live", (json_int_t)e->near_live_cnt,
                     "chosen_from_site", e->choice.site && names->site ? ctl_json_text(names->site) : json_null(),
                     "tier", (json_int_t)e->choice.tier,
                     "slots", (json_int_t)e->table->slot_cnt,
                     "answers", (json_int_t)(e->table->set_cnt ? e->table->sets[0].rr_cnt : 0),
                     "slot", by_client ? json_integer((json_int_t)e->slot) : json_null(),
                     "tiers", tiers,
                     "members", members,
                     "instead", instead_json(source, e));
    view_failover_add_explained(json, source->settings, &e->choice);
    return json;
}
