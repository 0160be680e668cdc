/* The command `explain`: how a question is answered, and what would be if. What the query path, the pool and the
 * checks say now is taken at once; the rest is a job's. */
#include <stdlib.h>
#include <string.h>

#include "admin/explain_json.h"
#include "admin/internal.h"
#include "answer/trace.h"
#include "balance/explain.h"
#include "base/mem.h"
#include "ctl/text.h"
#include "dns/rr.h"

struct verdict_change {
    struct addr address;
    enum health_verdict verdict;
};

struct explain {
    /* the request */
    uint8_t name[NAME_MAX_LEN];
    uint16_t type;
    struct trace_client client;
    struct verdict_change *changes;
    size_t change_cnt;
    char *error; /* that makes it none */
    /* what there is */
    json_t *data;
    struct trace *trace;
    struct balance_explained *pool; /* NULL: the name is none */
    struct view_pools *view;
    char **member_site; /* by index */
    char *site;         /* the client's; NULL: none */
    uint16_t class;
};

static void explain_free(void *arg)
{
    struct explain *x = arg;
    for (size_t i = 0; x->member_site && i < x->pool->source.cnt; i++)
        free(x->member_site[i]);
    free(x->member_site);
    free(x->site);
    free(x->changes);
    free(x->error);
    json_decref(x->data);
    trace_free(x->trace);
    balance_explained_free(x->pool);
    view_pools_free(x->view);
    free(x);
}

/* ==== the request ==== */

static void add_change(struct explain *x, const char *text, size_t len, enum health_verdict verdict)
{
    char *address = mem_strndup(text, len);
    x->changes = mem_realloc(x->changes, x->change_cnt + 1, sizeof *x->changes);
    struct verdict_change *change = &x->changes[x->change_cnt++];
    change->verdict = verdict;
    if (addr_from_text(&change->address, address) && !x->error)
        x->error = mem_printf("\"%s\" is no address of a member", address);
    free(address);
}

/* "192.0.2.1,192.0.2.2" */
static void read_members(struct explain *x, const char *text, enum health_verdict verdict)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        add_change(x, text, len, verdict);
        if (!text[len])
            return;
        text += len + 1;
    }
}

static void read_client(struct explain *x, const char *text)
{
    struct prefix prefix;
    if (prefix_from_text(&prefix, text)) {
        x->error = mem_printf("\"%s\" is no client; expected an address, or a network with no bits set behind the "
                              "prefix", text);
        return;
    }
    x->client.address.family = prefix.family;
    memcpy(x->client.address.bytes, prefix.bytes, sizeof prefix.bytes);
    x->client.known = prefix.len;
}

static void read_option(struct explain *x, const char *option, const char *value)
{
    if (!value)
        x->error = mem_printf("\"%s\" needs a value", option);
    else if (!strcmp(option, "--client"))
        read_client(x, value);
    else if (!strcmp(option, "--if-down"))
        read_members(x, value, HEALTH_DOWN);
    else if (!strcmp(option, "--if-up"))
        read_members(x, value, HEALTH_UP);
    else
        x->error = mem_printf("unknown option \"%s\"; expected --client, --if-down or --if-up", option);
}

static void read_request(struct explain *x, const struct ctl_request *request)
{
    unsigned len;
    const char *name = request->args[0], *type = request->args[1];
    if (name_from_text(x->name, &len, name, strlen(name), NULL))
        x->error = mem_printf("\"%s\" is no domain name", name);
    else if (rr_type_from_text(&x->type, type, strlen(type)))
        x->error = mem_printf("\"%s\" is no type of record", type);
    for (size_t i = 2; i < request->arg_cnt && !x->error; i += 2)
        read_option(x, request->args[i], i + 1 < request->arg_cnt ? request->args[i + 1] : NULL);
}

/* ==== what there is ==== */

static const struct trace_link *last_link(const struct explain *x) { return &x->trace->links[x->trace->link_cnt - 1]; }

static const char *why_no_pool(const struct explain *x)
{
    const struct trace_link *link = last_link(x);
    if (x->pool)
        return NULL;
    if (x->type != RR_A && x->type != RR_AAAA)
        return "only addresses, A and AAAA, are ever chosen from";
    if (!link->node || (link->kind != LOOKUP_EXACT && link->kind != LOOKUP_WILDCARD))
        return "there is no such name with addresses of its own";
    if (!zone_node_rrset(link->node, x->type))
        return "the name has no records of this type";
    if (link->version->is_signed)
        return "the zone is signed: all addresses are answered, in turn";
    if (link->node->pool)
        return "its group does not apply, or not any more: all addresses are answered, in turn";
    return "no group of \"balance\" has it by \"name\", nor by \"below\", which leaves out what NS and MX records "
           "point to: all addresses are answered, in turn";
}

static json_t *question_json(const struct explain *x)
{
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    return json_pack("{so ss}", "name", ctl_json_text(name_to_text_bare(name, x->name)), "type",
                     rr_type_to_text(type, x->type));
}

static json_t *changes_json(const struct explain *x)
{
    json_t *list = json_array();
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < x->change_cnt; i++)
        json_array_append_new(list, json_pack("{ss ss}", "member", addr_to_text(text, &x->changes[i].address),
                                              "verdict", health_verdict_name(x->changes[i].verdict)));
    return list;
}

/* Which network, and site, the client is in. */
static json_t *client_json(struct explain *x, const struct answer_sites *sites)
{
    struct prefix network, client = {.family = x->client.address.family, .len = (uint8_t)x->client.known};
    char text[PREFIX_TEXT_MAX], in[PREFIX_TEXT_MAX];
    bool is_whole = x->client.known == addr_len(&x->client.address) * 8;
    if (x->client.address.family == ADDR_NONE)
        return json_null();
    struct prefix_match match = sites ? prefix_map_find(sites->map, &x->client.address, x->client.known)
                                      : (struct prefix_match){0, 0};
    bool has_network = match.value && prefix_map_network(sites->map, &x->client.address, x->client.known, &network);
    x->class = match.value;
    x->site = match.value ? mem_strdup(answer_sites_name(sites, match.value)) : NULL;
    memcpy(client.bytes, x->client.address.bytes, sizeof client.bytes);
    return json_pack("{ss so so sI}", "network",
                     is_whole ? addr_to_text(text, &x->client.address) : prefix_to_text(text, &client), "in",
                     has_network ? json_string(prefix_to_text(in, &network)) : json_null(), "site",
                     x->site ? ctl_json_text(x->site) : json_null(), "scope", (json_int_t)match.scope);
}

static void name_sites(struct explain *x, const struct answer_sites *sites)
{
    const struct pool_source *source = &x->pool->source;
    x->member_site = mem_zalloc(source->cnt, sizeof *x->member_site);
    for (size_t i = 0; i < source->cnt && sites; i++) {
        const char *name = source->members[i].site ? answer_sites_name(sites, source->members[i].site) : NULL;
        x->member_site[i] = name ? mem_strdup(name) : NULL;
    }
}

static void take_pool(struct explain *x, const struct admin *admin)
{
    const struct trace_link *link = last_link(x);
    bool is_address = x->type == RR_A || x->type == RR_AAAA;
    x->view = view_pools_new();
    if (!is_address || !link->node || !link->node->pool || !admin->setup.balance ||
        (link->kind != LOOKUP_EXACT && link->kind != LOOKUP_WILDCARD))
        return;
    x->pool = balance_explain(admin->setup.balance, link->node->pool, x->type == RR_A ? ADDR_V4 : ADDR_V6);
    if (!x->pool)
        return;
    name_sites(x, admin->setup.shared->settings->sites);
    view_pools_take(x->view, admin->setup.balance, x->pool->owner);
}

static void take(struct explain *x, const struct admin *admin)
{
    const struct answer_shared *shared = admin->setup.shared;
    x->trace = trace_question(shared, x->name, x->type, &x->client);
    take_pool(x, admin);
    const char *why = why_no_pool(x);
    x->data = json_pack("{so so so so so}", "question", question_json(x), "client",
                        client_json(x, shared->settings->sites), "changes", changes_json(x), "names",
                        explain_names_json(x->trace, admin->setup.store), "why_no_pool",
                        why ? json_string(why) : json_null());
}

/* ==== in a job ==== */

static const char *all_down_name(enum pool_all_down all_down)
{
    static const char *const names[] = {[POOL_SERVE_ALL] = "serve_all",
                                        [POOL_SERVE_NONE] = "serve_none",
                                        [POOL_SERVFAIL] = "servfail",
                                        [POOL_FALLBACK] = "addresses"};
    return names[all_down];
}

static json_t *settings_json(const struct balance_explained *pool)
{
    const struct pool_settings *s = pool->source.settings;
    char name[NAME_TEXT_MAX], group[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];
    return json_pack("{so so ss so so so ss sI sI sI sf ss sb sI sI}",
                     "name", ctl_json_text(name_to_text_bare(name, pool->owner)),
                     "zone", ctl_json_text(name_to_text_bare(zone, pool->apex)),
                     "group_by", pool->is_below ? "below" : "name",
                     "group", ctl_json_text(name_to_text_bare(group, pool->group_name)),
                     "file", ctl_json_text(pool->file),
                     "line", pool->line ? json_integer(pool->line) : json_null(),
                     "policy", view_pool_policy_names[s->policy],
                     "ttl", (json_int_t)s->ttl_sec,
                     "ttl_min", (json_int_t)s->ttl_min_sec,
                     "answers", (json_int_t)s->answers,
                     "min_up", (double)s->min_up / (double)POOL_MIN_UP_ONE,
                     "all_down", all_down_name(s->all_down),
                     "has_sites", (int)(pool->source.class_cnt > 0),
                     "hash_prefix4", (json_int_t)s->hash_prefix4,
                     "hash_prefix6", (json_int_t)s->hash_prefix6);
}

static struct pool_member *find_member(struct pool_member *members, size_t cnt, const struct addr *address)
{
    for (size_t i = 0; i < cnt; i++)
        if (addr_same_host(&members[i].address, address))
            return &members[i];
    return NULL;
}

/* What checks would say; what operators force goes on. False: somebody is no member. */
static bool change(const struct explain *x, struct pool_member *members, struct pool_member *other,
                   struct ctl_result *result)
{
    const struct pool_source *source = &x->pool->source;
    for (size_t i = 0; i < x->change_cnt; i++) {
        struct pool_member *member = find_member(members, source->cnt, &x->changes[i].address);
        char address[ADDR_TEXT_MAX], name[NAME_TEXT_MAX];
        member = member ? member : find_member(other, x->pool->other_cnt, &x->changes[i].address);
        if (!member) {
            result->status = CTL_STATUS_FAILED;
            result->error =
                mem_printf("%s is no member of \"%s\" %s", addr_to_text(address, &x->changes[i].address),
                           name_to_text_bare(name, x->pool->owner), view_pool_type(source->family));
            return false;
        }
        member->verdict = x->changes[i].verdict;
        member->probed = true;
        member->unsettled = false;
    }
    return true;
}

static json_t *outcome(const struct explain *x, const struct pool_source *source, bool is_now)
{
    const struct explain_names names = {x->view, (const char *const *)x->member_site, x->site, is_now};
    struct pool_explained *explained =
        pool_explain(source, x->client.address.family == ADDR_NONE ? NULL : &x->client.address);
    json_t *json = explain_pool_json(source, explained, &names);
    pool_explained_free(explained);
    return json;
}

static void render_pool(const struct explain *x, struct ctl_result *result)
{
    struct pool_source source = x->pool->source;
    struct pool_settings settings = *source.settings;
    json_t *pool = settings_json(x->pool);
    settings.site = x->class;
    source.settings = &settings;
    json_object_set_new(pool, "now", outcome(x, &source, true));
    struct pool_member *members = mem_dup(source.members, source.cnt * sizeof *members);
    struct pool_member *other = mem_dup(x->pool->other, x->pool->other_cnt * sizeof *other);
    if (change(x, members, other, result) && x->change_cnt) {
        source.members = members;
        settings.tier = balance_explained_tier(x->pool, members, other);
        json_object_set_new(pool, "then", outcome(x, &source, false));
    } else {
        json_object_set_new(pool, "then", json_null());
    }
    free(members);
    free(other);
    json_object_set_new(x->data, "pool", pool);
}

static void render(void *arg, struct ctl_result *result)
{
    struct explain *x = arg;
    char name[NAME_TEXT_MAX];
    json_object_set_new(x->data, "reply", explain_reply_json(x->trace));
    if (x->pool)
        render_pool(x, result);
    else
        json_object_set_new(x->data, "pool", json_null());
    if (!x->pool && x->change_cnt) {
        result->status = CTL_STATUS_FAILED;
        result->error = mem_printf("\"%s\" is no pool: %s", name_to_text_bare(name, x->name),
                                   json_string_value(json_object_get(x->data, "why_no_pool")));
    }
    if (!result->error)
        result->data = json_incref(x->data);
}

void admin_explain_ask(struct admin *admin, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct explain *x = mem_zalloc(1, sizeof *x);
    const struct answer_shared *shared = admin->setup.shared;
    read_request(x, request);
    if (x->error) {
        ctl_reply_send(&reply, CTL_STATUS_USAGE, x->error, NULL);
        explain_free(x);
    } else if (!shared || !shared->settings || !shared->catalogue) {
        ctl_reply_send(&reply, CTL_STATUS_FAILED, "nothing has been loaded yet", NULL);
        explain_free(x);
    } else {
        take(x, admin);
        ctl_reply_render(&reply, render, explain_free, x);
    }
}
