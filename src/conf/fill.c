#include "conf/fill.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/value.h"

/* A struct with all its defaults, by table: made once a load, copied into every group. */
struct conf_defaults {
    struct conf_defaults *next;
    const struct opt_table *table;
    void *filled;
};

struct opt_where conf_fill_where(struct conf_fill *fill, const config_setting_t *setting)
{
    if (!fill->source)
        return (struct opt_where){NULL, 0};
    struct opt_where where = {fill->source->files[0], 0};
    if (setting)
        where = conf_source_where(fill->source, config_setting_source_line(setting));
    if (where.file && (!fill->last_file || strcmp(fill->last_file, where.file) != 0))
        fill->last_file = arena_strdup(fill->arena, where.file);
    where.file = where.file ? fill->last_file : NULL;
    return where;
}

/* ---- defaults ---- */

static void fill_opt(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                     const struct conf_place *place);

/* A default that isn't right is a mistake in a table, and shown like any other. */
static void fill_default(struct conf_fill *fill, const struct opt *opt, void *field, const struct conf_place *place)
{
    struct diag *diag = diag_new(1);
    struct conf_source *source = conf_source_new(diag);
    struct conf_fill inner = *fill;
    config_t config;
    char *text = mem_printf("value = %s;", opt->text_default), where[CONF_PLACE_MOST];
    inner.diag = diag;
    inner.source = NULL;
    config_init(&config);
    conf_source_add_text(source, opt->name, text, strlen(text));
    if (!source->failed && config_read_string(&config, source->text) == CONFIG_TRUE)
        fill_opt(&inner, config_setting_get_elem(config_root_setting(&config), 0), opt, field, place);
    else if (!diag_cnt(diag, DIAG_ERROR))
        diag_error(diag, NULL, 0, "malformed");
    if (diag_cnt(diag, DIAG_ERROR))
        diag_error(fill->diag, NULL, 0, "the default of \"%s\", \"%s\", is wrong: %s",
                   conf_value_place(where, place, opt->name), opt->text_default, diag_at(diag, 0)->text);
    config_destroy(&config);
    free(text);
    conf_source_free(source);
    diag_free(diag);
}

static const void *defaults_of(struct conf_fill *fill, const struct opt_table *table, const struct conf_place *place)
{
    struct conf_defaults *defaults = fill->defaults;
    while (defaults && defaults->table != table)
        defaults = defaults->next;
    if (defaults)
        return defaults->filled;
    defaults = conf_value_zeroed(fill, 1, sizeof *defaults);
    *defaults = (struct conf_defaults){fill->defaults, table, conf_value_zeroed(fill, 1, table->size)};
    for (size_t i = 0; i < table->cnt; i++) {
        const struct opt *opt = &table->opts[i];
        char *field = (char *)defaults->filled + opt->offset;
        if (opt->type == OPT_GROUP && !(opt->flags & OPT_LIST))
            memcpy(field, defaults_of(fill, opt->sub, &(struct conf_place){place, opt->name}), opt->sub->size);
        else if (opt->text_default && !(opt->flags & OPT_INHERITED))
            fill_default(fill, opt, field, place);
    }
    /* Only now: a table that holds itself as a list needs no defaults of itself. */
    defaults->next = fill->defaults;
    fill->defaults = defaults;
    return defaults->filled;
}

/* ---- groups ---- */

static void fill_opt(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                     const struct conf_place *place)
{
    const struct conf_tables tables = {&opt->sub, 1};
    const struct conf_place inner = {place, opt->name};
    if (opt->type != OPT_GROUP)
        conf_value_fill(fill, setting, opt, field, place);
    else if (opt->flags & OPT_LIST)
        conf_fill_list(fill, setting, &tables, field, &inner);
    else if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
        conf_fill_group(fill, setting, &tables, &field, &inner);
    else
        conf_value_refuse(fill, setting, opt, place);
}

static const struct opt *find_opt(const struct opt_table *table, const char *key)
{
    for (size_t i = 0; i < table->cnt; i++)
        if (!strcmp(table->opts[i].name, key))
            return &table->opts[i];
    return NULL;
}

static bool is_known(const struct conf_tables *tables, const char *key)
{
    bool known = *key == CONF_MARK_TWICE;
    for (size_t t = 0; t < tables->cnt && !known; t++)
        known = find_opt(tables->tables[t], key) != NULL;
    return known;
}

/* The key that a setting of the group stands for: its own, or where that is unknown the nearest, unless that is given
 * too: only the misspelling is told then, not what would follow from it. NULL: none. */
static const char *key_meant(const config_setting_t *group, const config_setting_t *setting,
                             const struct conf_tables *tables)
{
    const char *key = config_setting_name(setting);
    if (is_known(tables, key))
        return key;
    const char *nearest = opt_nearest(tables->tables, tables->cnt, key);
    return nearest && !config_setting_get_member(group, nearest) ? nearest : NULL;
}

static void check_known(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *tables,
                        const struct conf_place *place)
{
    char where[CONF_PLACE_MOST];
    const char *key = config_setting_name(setting);
    if (is_known(tables, key))
        return;
    const char *nearest = opt_nearest(tables->tables, tables->cnt, key);
    conf_value_place(where, place, NULL);
    if (nearest)
        conf_value_tell(fill, setting, "unknown key \"%.*s\" in \"%s\"; did you mean \"%s\"?", CONF_SHOWN_MOST, key,
                        where, nearest);
    else
        conf_value_tell(fill, setting, "unknown key \"%.*s\" in \"%s\"", CONF_SHOWN_MOST, key, where);
}

static bool is_meant(const config_setting_t *group, const struct conf_tables *tables, const char *key)
{
    for (unsigned i = 0; group && i < (unsigned)config_setting_length(group); i++) {
        const char *meant = key_meant(group, config_setting_get_elem(group, i), tables);
        if (meant && !strcmp(meant, key))
            return true;
    }
    return false;
}

static void check_required(struct conf_fill *fill, const config_setting_t *group, const struct conf_tables *tables,
                           const struct opt_table *table, const struct conf_place *place)
{
    char where[CONF_PLACE_MOST], expected[OPT_EXPECTED_MAX];
    for (size_t i = 0; i < table->cnt; i++) {
        const struct opt *opt = &table->opts[i];
        if (!(opt->flags & OPT_REQUIRED) || is_meant(group, tables, opt->name))
            continue;
        opt_expected(expected, sizeof expected, opt);
        conf_value_tell(fill, group, "\"%s\" is missing: %s", conf_value_place(where, place, opt->name), expected);
    }
}

struct saying {
    struct conf_fill *fill;
    const config_setting_t *group;
    const struct conf_place *place;
};

static void say(void *arg, const char *key, const char *text)
{
    const struct saying *saying = arg;
    char where[CONF_PLACE_MOST];
    const config_setting_t *setting = key && saying->group ? config_setting_get_member(saying->group, key) : NULL;
    conf_value_tell(saying->fill, setting ? setting : saying->group, "\"%s\": %s",
                    conf_value_place(where, saying->place, key), text);
}

static void set_where(struct conf_fill *fill, const config_setting_t *setting, const struct opt_table *table,
                      void *filled, bool is_broken)
{
    if (table->where_offset == SIZE_MAX)
        return;
    struct opt_where *where = (void *)((char *)filled + table->where_offset);
    *where = conf_fill_where(fill, setting);
    where->is_broken = is_broken;
}

/* The keys of `group` that are those of the `t`th of its tables. */
static void fill_struct(struct conf_fill *fill, const config_setting_t *group, const struct conf_tables *tables,
                        size_t t, void *filled, const struct conf_place *place)
{
    const struct opt_table *table = tables->tables[t];
    size_t errors_before = diag_cnt(fill->diag, DIAG_ERROR);
    fill->is_broken = false;
    memcpy(filled, defaults_of(fill, table, place), table->size);
    for (unsigned i = 0; group && i < (unsigned)config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, i);
        const char *key = key_meant(group, setting, tables);
        const struct opt *opt = key ? find_opt(table, key) : NULL;
        bool is_misspelt = opt && strcmp(key, config_setting_name(setting)) != 0;
        if (is_misspelt && !conf_value_fits(opt, setting))
            fill->is_broken = true;
        else if (opt)
            fill_opt(fill, setting, opt, (char *)filled + opt->offset, place);
    }
    check_required(fill, group, tables, table, place);
    /* A struct that could not be filled would only give errors that follow from the first. */
    if (table->check && !fill->is_broken && diag_cnt(fill->diag, DIAG_ERROR) == errors_before)
        table->check(filled, say, &(struct saying){fill, group, place});
    set_where(fill, group, table, filled, fill->is_broken);
}

void conf_fill_group(struct conf_fill *fill, const config_setting_t *group, const struct conf_tables *tables,
                     void *const *structs, const struct conf_place *place)
{
    bool outer_is_broken = fill->is_broken;
    for (unsigned i = 0; group && i < (unsigned)config_setting_length(group); i++)
        check_known(fill, config_setting_get_elem(group, i), tables, place);
    for (size_t t = 0; t < tables->cnt; t++)
        fill_struct(fill, group, tables, t, structs[t], place);
    fill->is_broken = outer_is_broken;
}

void conf_fill_broken(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *tables,
                      void *const *structs, const struct conf_place *place)
{
    for (size_t t = 0; t < tables->cnt; t++) {
        memcpy(structs[t], defaults_of(fill, tables->tables[t], place), tables->tables[t]->size);
        set_where(fill, setting, tables->tables[t], structs[t], true);
    }
}

void conf_fill_list(struct conf_fill *fill, const config_setting_t *list, const struct conf_tables *tables,
                    struct opt_list *lists, const struct conf_place *place)
{
    bool is_list = config_setting_type(list) == CONFIG_TYPE_LIST;
    size_t cnt = is_list ? (size_t)config_setting_length(list) : 1;
    void **structs = mem_zalloc(tables->cnt, sizeof *structs);
    for (size_t t = 0; t < tables->cnt; t++)
        lists[t] = (struct opt_list){conf_value_zeroed(fill, cnt, tables->tables[t]->size), cnt};
    for (size_t i = 0; i < cnt; i++) {
        const config_setting_t *group = is_list ? config_setting_get_elem(list, (unsigned)i) : list;
        char got[2 * CONF_SHOWN_MOST], where[CONF_PLACE_MOST];
        for (size_t t = 0; t < tables->cnt; t++)
            structs[t] = (char *)lists[t].items + i * tables->tables[t]->size;
        if (config_setting_type(group) == CONFIG_TYPE_GROUP) {
            conf_fill_group(fill, group, tables, structs, place);
        } else {
            conf_value_show(got, sizeof got, group);
            conf_value_tell(fill, group, "\"%s\": expected groups, ( { ... }, { ... } ), got %s",
                            conf_value_place(where, place, NULL), got);
            conf_fill_broken(fill, group, tables, structs, place);
        }
    }
    free(structs);
}
