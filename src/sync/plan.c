#include "sync/plan.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/store.h"
#include "sync/plan_useless.h"

/* A plan with what it owns. */
struct owned {
    struct sync_plan plan;
    struct arena arena; /* of names and peers */
    struct sync_zone *zones;
    struct acl **acls;
    size_t acl_cnt, acl_cap;
    struct tsig_key *keys; /* those that are used, each once */
    size_t key_cnt;
};

/* A template's two rows, by name. Thousands of zones may have it: what is wrong with it is told once. */
struct template {
    const struct store_zone_options *row;
    const struct sync_zone_options *options;
    unsigned told; /* bits of enum option */
};

/* Keys with lists that something may be wrong with. */
enum option { PRIMARIES, NOTIFY, ALLOW_TRANSFER, ALLOW_NOTIFY, ALLOW_UPDATE };
static const char *const option_names[] = {"primaries", "notify", "allow_transfer", "allow_notify", "allow_update"};

struct planning {
    struct owned *owned;
    const struct tsig_keys *keys; /* NULL: refused */
    struct template *templates;
    size_t template_cnt;
    struct diag *diag;
    bool failed;
};

/* A zone's rows, and what the plan will have of it. */
struct row {
    const struct store_zone_options *zone;
    const struct sync_zone_options *options;
    struct template *template; /* NULL: none */
    uint8_t apex[NAME_MAX_LEN];
};

/* A list that holds for a zone, and where it stands. */
struct source {
    const struct opt_list *list;
    enum option option;
    const char *kind; /* "zone", "template" */
    const struct store_zone_options *row;
    bool is_quiet; /* what is wrong with it has been told */
};

static ATTR_PRINTF(4, 5) void complain(struct planning *p, const char *kind, const struct store_zone_options *row,
                                       const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mem_vprintf(fmt, args);
    va_end(args);
    diag_error(p->diag, row->where.file, row->where.line, "%s \"%s\": %s", kind, row->name, text);
    free(text);
    p->failed = true;
}

static const struct opt_list *list_of(const struct sync_zone_options *options, enum option option)
{
    switch (option) {
    case PRIMARIES:
        return &options->primaries;
    case NOTIFY:
        return &options->notify;
    case ALLOW_TRANSFER:
        return &options->allow_transfer;
    case ALLOW_UPDATE:
        return &options->allow_update;
    case ALLOW_NOTIFY:
        break;
    }
    return &options->allow_notify;
}

static struct source source_of(const struct row *row, const struct sync_zone_options *resolved, enum option option)
{
    struct source source = {list_of(resolved, option), option, "zone", row->zone, false};
    struct template *template = row->template;
    if (template && !list_of(row->options, option)->items && source.list->items) {
        source.kind = "template";
        source.row = template->row;
        source.is_quiet = template->told >> option & 1;
        template->told |= 1u << option;
    }
    return source;
}

/* ---- bounds */

static bool has_bounds(const struct sync_zone_options *o)
{
    return o->refresh_min_ms || o->refresh_max_ms || o->retry_min_ms || o->retry_max_ms;
}

static void check_bounds(struct planning *p, const char *kind, const struct store_zone_options *row,
                         const struct sync_zone_options *o)
{
    static const struct {
        const char *least, *most;
    } names[] = {{"refresh_min", "refresh_max"}, {"retry_min", "retry_max"}};
    uint64_t least[] = {o->refresh_min_ms, o->retry_min_ms}, most[] = {o->refresh_max_ms, o->retry_max_ms};
    for (unsigned i = 0; i < 2; i++) {
        char least_text[OPT_DURATION_TEXT_MAX], most_text[OPT_DURATION_TEXT_MAX];
        if (least[i] > most[i])
            complain(p, kind, row, "\"%s\" is %s, more than \"%s\", which is %s", names[i].least,
                     opt_duration_to_text(least_text, least[i]), names[i].most,
                     opt_duration_to_text(most_text, most[i]));
    }
}

/* ---- templates */

static int cmp_templates(const void *a, const void *b)
{
    return strcmp(((const struct template *)a)->row->name, ((const struct template *)b)->row->name);
}

static void sort_templates(struct planning *p, const struct sync_plan_rows *rows)
{
    const struct store_zone_options *names = rows->templates.items;
    const struct sync_zone_options *options = rows->template_options.items;
    assert(rows->templates.cnt == rows->template_options.cnt);
    p->templates = mem_zalloc(rows->templates.cnt, sizeof *p->templates);
    for (size_t i = 0; i < rows->templates.cnt; i++)
        if (names[i].name)
            p->templates[p->template_cnt++] = (struct template){&names[i], &options[i]};
    qsort(p->templates, p->template_cnt, sizeof *p->templates, cmp_templates);
    for (size_t i = 0; i < p->template_cnt; i++) {
        struct sync_zone_options alone;
        sync_options_resolve(&alone, p->templates[i].options, NULL);
        check_bounds(p, "template", p->templates[i].row, &alone);
    }
}

static struct template *find_template(const struct planning *p, char *name)
{
    const struct store_zone_options row = {.name = name};
    const struct template key = {.row = &row};
    return name ? bsearch(&key, p->templates, p->template_cnt, sizeof key, cmp_templates) : NULL;
}

/* ---- keys */

static const uint8_t *key_name(const struct tsig_keys *keys, size_t i)
{
    return tsig_keys_at(keys, i)->name;
}

static void complain_key(struct planning *p, const struct source *source, const uint8_t *name)
{
    char text[NAME_TEXT_MAX], candidate[NAME_TEXT_MAX], nearest[NAME_TEXT_MAX] = "";
    unsigned distance = UINT_MAX;
    name_to_text(text, name);
    for (size_t i = 0; i < tsig_keys_cnt(p->keys); i++)
        if (opt_is_nearer(name_to_text(candidate, key_name(p->keys, i)), text, &distance))
            memcpy(nearest, candidate, sizeof nearest);
    complain(p, source->kind, source->row, "\"%s\": there is no key \"%s\"%s%s%s", option_names[source->option], text,
             *nearest ? "; did you mean \"" : "", nearest, *nearest ? "\"?" : "");
}

/* The plan's copy of the key; NULL: there is none, which has been told. */
static const struct tsig_key *use_key(struct planning *p, const struct source *source, const uint8_t *name)
{
    struct owned *owned = p->owned;
    for (size_t i = 0; i < owned->key_cnt; i++)
        if (name_equal(owned->keys[i].name, name))
            return &owned->keys[i];
    const struct tsig_key *key = tsig_keys_find(p->keys, name);
    if (key) {
        owned->keys[owned->key_cnt] = *key;
        return &owned->keys[owned->key_cnt++];
    }
    if (p->keys && !source->is_quiet)
        complain_key(p, source, name);
    p->failed = true;
    return NULL;
}

/* ---- lists */

static const struct sync_peer *plan_peers(struct planning *p, const struct source *source)
{
    const struct acl_peer *from = source->list->items;
    size_t cnt = source->list->cnt;
    if (cnt > SYNC_PEERS_MOST) {
        p->failed = true;
        if (!source->is_quiet)
            complain(p, source->kind, source->row, "\"%s\": expected at most %d servers, got %zu",
                     option_names[source->option], SYNC_PEERS_MOST, cnt);
        return NULL;
    }
    if (!cnt)
        return NULL;
    struct sync_peer *peers = arena_alloc(&p->owned->arena, cnt * sizeof *peers, _Alignof(struct sync_peer));
    for (size_t i = 0; i < cnt; i++) {
        peers[i] = (struct sync_peer){.addr = from[i].addr, .view = (enum acl_view)from[i].view};
        if (from[i].key_len)
            peers[i].key = use_key(p, source, from[i].key);
    }
    return peers;
}

static const struct acl *own_acl(struct owned *owned, const struct acl_entry *entries, size_t cnt)
{
    if (owned->acl_cnt == owned->acl_cap) {
        owned->acl_cap = owned->acl_cap ? owned->acl_cap * 2 : 16;
        owned->acls = mem_realloc(owned->acls, owned->acl_cap, sizeof *owned->acls);
    }
    return owned->acls[owned->acl_cnt++] = acl_new(entries, cnt);
}

/* Better said now than noticed later. */
static void warn_live(struct planning *p, const struct source *source)
{
    bool is_peers = source->option == PRIMARIES || source->option == NOTIFY, any = false;
    for (size_t i = 0; i < source->list->cnt && !source->is_quiet; i++)
        any |= (is_peers ? ((const struct acl_peer *)source->list->items)[i].view
                         : ((const struct acl_entry *)source->list->items)[i].view) == ACL_LIVE;
    if (any)
        diag_warning(p->diag, source->row->where.file, source->row->where.line,
                     "%s \"%s\": \"%s\": the live view is not there yet, who shall have it gets the whole zone",
                     source->kind, source->row->name, option_names[source->option]);
}

static void check_keys(struct planning *p, const struct source *source)
{
    const struct acl_entry *entries = source->list->items;
    for (size_t i = 0; i < source->list->cnt; i++)
        if (entries[i].key_len)
            use_key(p, source, entries[i].key);
}

static struct acl_entry entry_of(const struct acl_peer *peer)
{
    struct acl_entry entry = {.view = peer->view, .key_len = peer->key_len};
    entry.prefix.family = peer->addr.family;
    entry.prefix.len = (uint8_t)(addr_len(&peer->addr) * 8);
    memcpy(entry.prefix.bytes, peer->addr.bytes, sizeof entry.prefix.bytes);
    memcpy(entry.key, peer->key, sizeof entry.key);
    return entry;
}

/* Of peers, then entries; either list may be empty. */
static const struct acl *plan_acl(struct owned *owned, const struct opt_list *peers, const struct opt_list *list)
{
    size_t cnt = peers->cnt + list->cnt;
    if (!cnt)
        return NULL;
    struct acl_entry *entries = mem_zalloc(cnt, sizeof *entries);
    for (size_t i = 0; i < peers->cnt; i++)
        entries[i] = entry_of(&((const struct acl_peer *)peers->items)[i]);
    for (size_t i = 0; i < list->cnt; i++)
        entries[peers->cnt + i] = ((const struct acl_entry *)list->items)[i];
    const struct acl *acl = own_acl(owned, entries, cnt);
    free(entries);
    return acl;
}

static struct sync_sources sources_of(const struct opt_list *list)
{
    struct sync_sources sources = {.v4 = {.family = ADDR_NONE}, .v6 = {.family = ADDR_NONE}};
    const struct addr *addrs = list->items;
    for (size_t i = 0; i < list->cnt; i++)
        *(addrs[i].family == ADDR_V4 ? &sources.v4 : &sources.v6) = addrs[i];
    return sources;
}

/* ---- zones */

static void plan_zone(struct planning *p, struct sync_zone *zone, const struct row *row)
{
    static const struct opt_list none = {0};
    struct sync_zone_options o;
    sync_options_resolve(&o, row->options, row->template ? row->template->options : NULL);
    if (has_bounds(row->options) || !row->template)
        check_bounds(p, "zone", row->zone, &o);
    plan_useless_warn(p->diag, row->zone, row->options, &o);
    struct source primaries = source_of(row, &o, PRIMARIES), notify = source_of(row, &o, NOTIFY);
    struct source transfer = source_of(row, &o, ALLOW_TRANSFER), told_by = source_of(row, &o, ALLOW_NOTIFY);
    struct source changed_by = source_of(row, &o, ALLOW_UPDATE);
    const struct sync_peer *asked = plan_peers(p, &primaries), *told = plan_peers(p, &notify);
    check_keys(p, &transfer);
    warn_live(p, &transfer);
    warn_live(p, &notify);
    check_keys(p, &told_by);
    check_keys(p, &changed_by);
    *zone = (struct sync_zone){
        .apex = arena_dup(&p->owned->arena, row->apex, name_len(row->apex), 1),
        .is_secondary = o.primaries.cnt > 0,
        .has_file = row->zone->file || (row->template && row->template->row->file),
        .notify_ns = o.notify_ns == SYNC_YES,
        .primaries = asked,
        .notify = told,
        .primary_cnt = o.primaries.cnt,
        .notify_cnt = o.notify.cnt,
        .allow_transfer = plan_acl(p->owned, &none, &o.allow_transfer),
        .allow_notify = plan_acl(p->owned, &o.primaries, &o.allow_notify),
        .allow_update = o.primaries.cnt ? NULL : plan_acl(p->owned, &none, &o.allow_update),
        .notify_source = sources_of(&o.notify_source),
        .transfer_source = sources_of(&o.transfer_source),
        .bounds = {o.refresh_min_ms, o.refresh_max_ms, o.retry_min_ms, o.retry_max_ms, o.expire_max_ms},
        .max_zone_bytes = (uint64_t)o.max_zone_bytes,
        .transfer_max_ms = o.transfer_max_ms,
    };
}

static int cmp_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int cmp = name_cmp(x->apex, y->apex);
    return cmp ? cmp : (x->zone > y->zone) - (x->zone < y->zone);
}

/* The rows of zones that have a name, in canonical order. */
static struct row *sorted_rows(const struct planning *p, const struct sync_plan_rows *rows, size_t *cnt)
{
    const struct store_zone_options *zones = rows->zones.items;
    const struct sync_zone_options *options = rows->zone_options.items;
    struct row *sorted = mem_zalloc(rows->zones.cnt, sizeof *sorted);
    assert(rows->zones.cnt == rows->zone_options.cnt);
    *cnt = 0;
    for (size_t i = 0; i < rows->zones.cnt; i++) {
        struct row *row = &sorted[*cnt];
        if (store_zone_apex(row->apex, &zones[i]))
            continue;
        row->zone = &zones[i];
        row->options = &options[i];
        row->template = find_template(p, zones[i].template);
        (*cnt)++;
    }
    qsort(sorted, *cnt, sizeof *sorted, cmp_rows);
    return sorted;
}

static void plan_zones(struct planning *p, const struct sync_plan_rows *rows)
{
    size_t cnt, planned = 0;
    struct row *sorted = sorted_rows(p, rows, &cnt);
    p->owned->zones = mem_zalloc(cnt, sizeof *p->owned->zones);
    for (size_t i = 0; i < cnt; i++)
        if (!i || !name_equal(sorted[i - 1].apex, sorted[i].apex))
            plan_zone(p, &p->owned->zones[planned++], &sorted[i]);
    p->owned->plan = (struct sync_plan){p->owned->zones, planned};
    free(sorted);
}

enum err sync_plan_make(struct sync_plan **plan, const struct sync_plan_rows *rows, const struct tsig_keys *keys,
                        struct diag *diag)
{
    struct owned *owned = mem_zalloc(1, sizeof *owned);
    struct planning p = {.owned = owned, .keys = keys, .diag = diag};
    arena_init(&owned->arena);
    owned->keys = mem_zalloc(keys ? tsig_keys_cnt(keys) : 0, sizeof *owned->keys);
    sort_templates(&p, rows);
    plan_zones(&p, rows);
    free(p.templates);
    *plan = &owned->plan;
    if (!p.failed)
        return ERR_OK;
    sync_plan_free(&owned->plan);
    *plan = NULL;
    return ERR_INVALID;
}

void sync_plan_free(struct sync_plan *plan)
{
    struct owned *owned = (struct owned *)(void *)plan; /* its first member */
    if (!plan)
        return;
    for (size_t i = 0; i < owned->acl_cnt; i++)
        acl_free(owned->acls[i]);
    free(owned->acls);
    free(owned->zones);
    hmac_wipe(owned->keys, owned->key_cnt * sizeof *owned->keys);
    free(owned->keys);
    arena_fini(&owned->arena);
    free(owned);
}

static int cmp_apex(const void *apex, const void *zone)
{
    return name_cmp(apex, ((const struct sync_zone *)zone)->apex);
}

const struct sync_zone *sync_plan_find(const struct sync_plan *plan, const uint8_t *apex)
{
    return bsearch(apex, plan->zones, plan->cnt, sizeof *plan->zones, cmp_apex);
}

size_t sync_zone_primary(const struct sync_zone *zone, const struct addr *addr)
{
    size_t i = 0;
    while (i < zone->primary_cnt && !addr_same_host(&zone->primaries[i].addr, addr))
        i++;
    return i;
}
