/* From rows of the configuration to the zones that are to be: names as wire,
 * templates and paths resolved, in canonical order. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "store/store.h"
#include "zone/access.h"

static const char default_file[] = "%s.zone";

/* A row with its wire name, while plans are made. */
struct planned {
    struct store_zone_conf zone;
    const struct store_zone_options *row;
};

struct planning {
    struct store_plan *plan;
    const struct store_options *server;
    int dir_len; /* of zone_dir without a "/" or "/." at its end */
    const struct store_zone_options **templates; /* by name */
    size_t template_cnt;
    bool has_nameless_template; /* whose name was refused: it may be any that is missed */
    struct planned *planned;
    size_t cnt;
    struct diag *diag;
};

static int cmp_rows(const void *a, const void *b)
{
    const struct store_zone_options *x = *(const struct store_zone_options *const *)a;
    const struct store_zone_options *y = *(const struct store_zone_options *const *)b;
    return strcmp(x->name, y->name);
}

static void sort_templates(struct planning *p, const struct opt_list *templates)
{
    const struct store_zone_options *rows = templates->items;
    p->templates = mem_zalloc(templates->cnt, sizeof *p->templates);
    for (size_t i = 0; i < templates->cnt; i++)
        if (rows[i].name)
            p->templates[p->template_cnt++] = &rows[i];
    p->has_nameless_template = p->template_cnt < templates->cnt;
    qsort(p->templates, p->template_cnt, sizeof *p->templates, cmp_rows);
    for (size_t i = 1; i < p->template_cnt; i++) {
        const struct store_zone_options *row = p->templates[i];
        if (!strcmp(p->templates[i - 1]->name, row->name))
            diag_error(p->diag, row->where.file, row->where.line, "template \"%s\" stands twice", row->name);
    }
}

static const struct store_zone_options *find_template(const struct planning *p, const char *name)
{
    const struct store_zone_options key = {.name = (char *)(uintptr_t)name}, *key_at = &key;
    const struct store_zone_options **found =
        bsearch(&key_at, p->templates, p->template_cnt, sizeof *p->templates, cmp_rows);
    return found ? *found : NULL;
}

static void complain_template(const struct planning *p, const struct store_zone_options *row)
{
    const char *nearest = NULL;
    unsigned distance = UINT_MAX;
    for (size_t i = 0; i < p->template_cnt; i++)
        if (opt_is_nearer(p->templates[i]->name, row->template, &distance))
            nearest = p->templates[i]->name;
    char *zone = row->name ? mem_printf("zone \"%s\": ", row->name) : mem_strdup("");
    char *hint = nearest ? mem_printf("; did you mean \"%s\"?", nearest) : mem_strdup("");
    diag_error(p->diag, row->where.file, row->where.line, "%sthere is no template \"%s\"%s", zone, row->template, hint);
    free(zone);
    free(hint);
}

/* The name for a path: no slash of it may choose a folder. "\047" reads back as the slash that it stands for. */
static void put_name(char **at, const char *bare)
{
    for (; *bare; bare++) {
        if (*bare == '/') {
            memcpy(*at, "\\047", 4);
            *at += 4;
        } else {
            *(*at)++ = *bare;
        }
    }
}

/* The file name of a pattern; NULL: it has something else behind a "%". */
static char *expand(const char *pattern, const char *bare)
{
    size_t escapes = 0, name_len = strlen(bare) * 4;
    for (const char *c = pattern; *c; c++)
        escapes += *c == '%';
    char *out = mem_zalloc(strlen(pattern) + escapes * name_len + 1, 1), *at = out;
    for (const char *c = pattern; *c; c++) {
        if (*c != '%') {
            *at++ = *c;
        } else if (c[1] == '%') {
            *at++ = *c++;
        } else if (c[1] == 's') {
            put_name(&at, bare);
            c++;
        } else {
            free(out);
            return NULL;
        }
    }
    return out;
}

/* So that paths in messages look as people write them. */
static int trimmed_len(const char *dir)
{
    size_t len = strlen(dir);
    if (len >= 2 && !strcmp(dir + len - 2, "/."))
        len--;
    while (len && dir[len - 1] == '/')
        len--;
    return (int)len;
}

static const char *plan_path(struct planning *p, const struct store_zone_options *row, const char *pattern,
                             const uint8_t *apex)
{
    char bare[NAME_TEXT_MAX];
    char *file = expand(pattern, name_to_text_bare(bare, apex));
    if (!file) {
        diag_error(p->diag, row->where.file, row->where.line,
                   "file \"%s\" of zone \"%s\": only %%s and %%%% may follow a \"%%\"", pattern, row->name);
        return NULL;
    }
    char *whole = file[0] == '/' ? mem_strdup(file) : mem_printf("%.*s/%s", p->dir_len, p->server->zone_dir, file);
    const char *path = arena_strdup(&p->plan->arena, whole);
    free(whole);
    free(file);
    return path;
}

enum err store_zone_apex(uint8_t *apex, const struct store_zone_options *row)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    static const uint8_t root[] = {0};
    if (!row->name)
        return ERR_SYNTAX;
    enum err e = name_from_text(wire, &len, row->name, strlen(row->name), root);
    if (!e)
        name_to_lower(apex, wire);
    return strcmp(row->name, "@") ? e : ERR_SYNTAX;
}

static const uint8_t *plan_apex(struct planning *p, const struct store_zone_options *row)
{
    uint8_t apex[NAME_MAX_LEN];
    enum err e = store_zone_apex(apex, row);
    if (e) {
        diag_error(p->diag, row->where.file, row->where.line, "\"%s\" is no zone name: %s", row->name,
                   e == ERR_RANGE ? "a label may have 63 octets, a name 255"
                                  : "expected labels with dots between them");
        return NULL;
    }
    return arena_dup(&p->plan->arena, apex, name_len(apex), 1);
}

static void plan_history(struct store_zone_conf *zone, const struct store_zone_options *row,
                         const struct store_zone_options *template)
{
    static const struct store_zone_options defaults = {
        .serial = STORE_SERIAL_FILE, /* the defaults of store/options.c */
        .journal_most_bytes = 16 << 20,
        .journal_most_ms = UINT64_C(14) * 24 * 3600 * 1000,
    };
    const struct store_zone_options *rows[] = {&defaults, template, row};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i])
            continue;
        if (rows[i]->serial)
            zone->serial = (enum store_serial)rows[i]->serial;
        if (rows[i]->journal_most_bytes)
            zone->journal_most_bytes = (uint64_t)rows[i]->journal_most_bytes;
        if (rows[i]->journal_most_ms)
            zone->journal_most_ms = rows[i]->journal_most_ms;
    }
}

static void plan_row(struct planning *p, const struct store_zone_options *row)
{
    const struct store_zone_options *template = row->template ? find_template(p, row->template) : NULL;
    if (row->template && !template && !p->has_nameless_template)
        complain_template(p, row);
    const uint8_t *apex = row->name ? plan_apex(p, row) : NULL;
    if (!apex)
        return;
    const char *pattern = row->file ? row->file : template && template->file ? template->file : default_file;
    /* Also without a path: the zone may stand twice besides. */
    struct planned *planned = &p->planned[p->cnt++];
    *planned = (struct planned){{.apex = apex, .path = plan_path(p, row, pattern, apex)}, row};
    plan_history(&planned->zone, row, template);
}

static int cmp_planned(const void *a, const void *b)
{
    const struct planned *x = a, *y = b;
    int cmp = name_cmp(x->zone.apex, y->zone.apex);
    /* Rows are one array: the order of addresses is that of the file. */
    return cmp ? cmp : (x->row > y->row) - (x->row < y->row);
}

static void sort_zones(struct planning *p)
{
    qsort(p->planned, p->cnt, sizeof *p->planned, cmp_planned);
    p->plan->zones = mem_zalloc(p->cnt, sizeof *p->plan->zones);
    for (size_t i = 0; i < p->cnt; i++) {
        const struct planned *zone = &p->planned[i];
        if (i && name_equal(zone[-1].zone.apex, zone->zone.apex))
            diag_error(p->diag, zone->row->where.file, zone->row->where.line,
                       "zone \"%s\" stands twice, first at %s:%u", zone->row->name,
                       zone[-1].row->where.file ? zone[-1].row->where.file : "", zone[-1].row->where.line);
        p->plan->zones[p->plan->cnt++] = zone->zone;
    }
}

enum err store_plan_make(struct store_plan **plan, const struct store_options *server, const struct opt_list *zones,
                         const struct opt_list *templates, struct diag *diag)
{
    size_t errors_before = diag_cnt(diag, DIAG_ERROR);
    struct planning p = {.server = server, .dir_len = trimmed_len(server->zone_dir), .diag = diag};
    p.plan = mem_zalloc(1, sizeof *p.plan);
    arena_init(&p.plan->arena);
    p.planned = mem_zalloc(zones->cnt, sizeof *p.planned);
    sort_templates(&p, templates);
    const struct store_zone_options *rows = zones->items;
    for (size_t i = 0; i < zones->cnt; i++)
        plan_row(&p, &rows[i]);
    sort_zones(&p);
    free(p.planned);
    free(p.templates);
    bool good = diag_cnt(diag, DIAG_ERROR) == errors_before;
    if (!good) {
        store_plan_free(p.plan);
        p.plan = NULL;
    }
    *plan = p.plan;
    return good ? ERR_OK : ERR_INVALID;
}

void store_plan_free(struct store_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->cnt; i++)
        zone_access_free(plan->zones[i].access);
    arena_fini(&plan->arena);
    free(plan->zones);
    free(plan);
}
