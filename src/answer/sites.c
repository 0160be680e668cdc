#include "answer/sites.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "answer/networks.h"
#include "base/mem.h"
#include "pool/classes.h"

_Static_assert((int)ANSWER_SITES_MAX < (int)POOL_CLASSES_MAX, "a site's number is a class");

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, answer_site_options, field)

static const struct opt opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = ANSWER_SITE_NAME_MAX, .sample = "\"eu\"",
     .help = "What members call it by (\"site\")."},
    {KEY("networks", OPT_CUSTOM, OPT_LIST, networks), .parse = prefix_opt_parse, .parse_size = sizeof(struct prefix),
     .sample = "[ \"192.0.2.0/24\", \"2001:db8::/32\" ]",
     .help = "The networks that its clients are in. The longest one that an address is in decides, whichever site's it "
             "is; none may be in two sites."},
    {KEY("networks_file", OPT_STRING, OPT_PATH, networks_file), .least = 1, .most = 4095,
     .help = "A file of such networks, one a line, with comments from \"#\" on; a relative path starts at the folder "
             "of the configuration file. It is read at the start and at every reload. With \"networks\" both count."},
};

const struct opt_table answer_site_opt_table = {
    .path = "sites",
    .size = sizeof(struct answer_site_options),
    .list = true,
    .where_offset = offsetof(struct answer_site_options, where),
    .help = "Where clients are. Pools whose members have a \"site\" give clients in its networks the live members of "
            "that site first, and the others when it has none. A client is the resolver that asks, or the network that "
            "it asks for, where \"ecs_trusted\" says that its word is taken (the answer then says for how long a "
            "prefix it is good).",
    OPT_ROWS(opts),
};

/* ---- making */

/* A network, and where it stands. */
struct place {
    struct prefix prefix;
    uint32_t row;
    unsigned line; /* of the row's file; 0: in the configuration itself */
};

struct making {
    struct diag *diag;
    struct answer_sites *sites;
    const struct answer_site_options *rows;
    uint32_t *site_of; /* by row: index of its site */
    uint32_t row;      /* being read */
    struct place *places;
    size_t place_cnt, place_cap;
    size_t errors;
};

static void add_place(void *arg, const struct prefix *prefix, unsigned line)
{
    struct making *m = arg;
    if (m->place_cnt == m->place_cap) {
        m->place_cap = m->place_cap ? m->place_cap * 2 : 256;
        m->places = mem_realloc(m->places, m->place_cap, sizeof *m->places);
    }
    m->places[m->place_cnt++] = (struct place){*prefix, m->row, line};
}

static const char *file_of(const struct making *m, const struct place *place)
{
    const struct answer_site_options *row = &m->rows[place->row];
    const char *file = place->line ? row->networks_file : row->where.file;
    return file ? file : "";
}

static unsigned line_of(const struct making *m, const struct place *place)
{
    return place->line ? place->line : m->rows[place->row].where.line;
}

static void take_networks(struct making *m)
{
    const struct answer_site_options *row = &m->rows[m->row];
    const struct prefix *networks = row->networks.items;
    size_t place_cnt = m->place_cnt, errors = 0;
    for (size_t i = 0; i < row->networks.cnt; i++)
        add_place(m, &networks[i], 0);
    if (row->networks_file)
        errors = networks_read(row->networks_file, add_place, m, m->diag);
    if (m->place_cnt == place_cnt && !errors && !row->where.is_broken)
        diag_warning(m->diag, row->where.file, row->where.line, "site \"%s\" has no networks: no client is in it",
                     row->name);
    m->errors += errors;
}

static const struct answer_site_options *find_first(const struct making *m, const struct answer_site_options *row)
{
    for (const struct answer_site_options *other = m->rows; other < row; other++)
        if (other->name && !strcmp(other->name, row->name))
            return other;
    return NULL;
}

static void take_row(struct making *m)
{
    const struct answer_site_options *row = &m->rows[m->row], *first = row->name ? find_first(m, row) : NULL;
    struct answer_sites *sites = m->sites;
    if (!row->name) {
        sites->has_nameless = true;
        return;
    }
    if (first) {
        diag_error(m->diag, row->where.file, row->where.line, "site \"%s\" stands twice, first at %s:%u", row->name,
                   first->where.file ? first->where.file : "", first->where.line);
        m->errors++;
        return;
    }
    m->site_of[m->row] = (uint32_t)sites->cnt;
    sites->sites[sites->cnt++].name = mem_strdup(row->name);
    take_networks(m);
}

static int cmp_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int cmp = prefix_cmp(&x->prefix, &y->prefix);
    cmp = cmp ? cmp : (x->row > y->row) - (x->row < y->row);
    return cmp ? cmp : (x->line > y->line) - (x->line < y->line);
}

/* Twice in one site is no harm. */
static void check_places(struct making *m)
{
    const struct place *first = m->places;
    if (!m->place_cnt)
        return;
    qsort(m->places, m->place_cnt, sizeof *m->places, cmp_places);
    for (const struct place *place = m->places; place < m->places + m->place_cnt; place++) {
        char text[PREFIX_TEXT_MAX];
        if (prefix_cmp(&first->prefix, &place->prefix))
            first = place;
        if (first->row == place->row)
            continue;
        diag_error(m->diag, file_of(m, place), line_of(m, place),
                   "site \"%s\": network %s is in site \"%s\" too, at %s:%u", m->rows[place->row].name,
                   prefix_to_text(text, &place->prefix), m->rows[first->row].name, file_of(m, first),
                   line_of(m, first));
        m->errors++;
    }
}

/* ---- numbers */

/* Names of before keep theirs; others get what none of before has, while there is such a number. */
static void give_numbers(struct answer_sites *sites, const struct answer_sites *before)
{
    bool is_kept[ANSWER_SITES_MAX + 1] = {false}, is_old[ANSWER_SITES_MAX + 1] = {false};
    for (size_t i = 0; before && i < before->cnt; i++)
        is_old[before->sites[i].number] = true;
    for (size_t i = 0; i < sites->cnt; i++) {
        sites->sites[i].number = before ? answer_sites_number(before, sites->sites[i].name) : 0;
        is_kept[sites->sites[i].number] = true;
    }
    for (size_t i = 0; i < sites->cnt; i++) {
        struct answer_site *site = &sites->sites[i];
        for (unsigned pass = 0; pass < 2 && !site->number; pass++)
            for (unsigned n = 1; n <= ANSWER_SITES_MAX && !site->number; n++)
                if (!is_kept[n] && (pass || !is_old[n]))
                    site->number = (uint16_t)n;
        is_kept[site->number] = true;
    }
}

static void make_map(struct making *m)
{
    struct prefix_map_entry *entries = mem_zalloc(m->place_cnt, sizeof *entries);
    for (size_t i = 0; i < m->place_cnt; i++)
        entries[i] = (struct prefix_map_entry){m->places[i].prefix,
                                               m->sites->sites[m->site_of[m->places[i].row]].number};
    m->sites->map = prefix_map_new(entries, m->place_cnt);
    free(entries);
}

enum err answer_sites_make(struct answer_sites **sites, const struct opt_list *rows, const struct answer_sites *before,
                           struct diag *diag)
{
    struct making m = {.diag = diag, .rows = rows->items};
    size_t cnt = rows->cnt < ANSWER_SITES_MAX ? rows->cnt : ANSWER_SITES_MAX;
    m.sites = mem_zalloc(1, sizeof *m.sites);
    m.sites->sites = mem_zalloc(cnt, sizeof *m.sites->sites);
    m.site_of = mem_zalloc(cnt, sizeof *m.site_of);
    for (; m.row < cnt; m.row++)
        take_row(&m);
    if (cnt < rows->cnt) {
        diag_error(diag, m.rows[cnt].where.file, m.rows[cnt].where.line, "more than %d sites", ANSWER_SITES_MAX);
        m.sites->has_nameless = true;
        m.errors++;
    }
    check_places(&m);
    give_numbers(m.sites, before);
    make_map(&m);
    free(m.places);
    free(m.site_of);
    *sites = m.sites;
    return m.errors ? ERR_INVALID : ERR_OK;
}

void answer_sites_free(struct answer_sites *sites)
{
    if (!sites)
        return;
    for (size_t i = 0; i < sites->cnt; i++)
        free(sites->sites[i].name);
    prefix_map_free(sites->map);
    free(sites->sites);
    free(sites);
}

/* ---- asking */

uint16_t answer_sites_number(const struct answer_sites *sites, const char *name)
{
    for (size_t i = 0; i < sites->cnt; i++)
        if (!strcmp(sites->sites[i].name, name))
            return sites->sites[i].number;
    return 0;
}

const char *answer_sites_name(const struct answer_sites *sites, uint16_t number)
{
    for (size_t i = 0; i < sites->cnt; i++)
        if (sites->sites[i].number == number)
            return sites->sites[i].name;
    return NULL;
}

const char *answer_sites_nearest(const struct answer_sites *sites, const char *word)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    for (size_t i = 0; i < sites->cnt; i++)
        if (opt_is_nearer(sites->sites[i].name, word, &distance))
            best = sites->sites[i].name;
    return best;
}
