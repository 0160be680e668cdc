#include "conf/conf.h"

#include <libconfig.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/fill.h"
#include "conf/source.h"

/* What one table filled. */
struct conf_entry {
    const struct opt_table *table;
    struct opt_list filled;       /* one struct, unless the table is a list */
    struct opt_where *row_wheres; /* of each row's value, in a table that is no list: a change may need a restart */
};

struct conf {
    struct arena arena; /* of all structs and what they point to */
    struct conf_entry *entries;
    size_t cnt;
};

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    arena_fini(&conf->arena);
    free(conf->entries);
    free(conf);
}

static struct conf *conf_new(const struct opt_table *const *tables, size_t cnt)
{
    struct conf *conf = mem_zalloc(1, sizeof *conf);
    arena_init(&conf->arena);
    conf->entries = mem_zalloc(cnt, sizeof *conf->entries);
    conf->cnt = cnt;
    for (size_t i = 0; i < cnt; i++)
        conf->entries[i].table = tables[i];
    return conf;
}

static bool is_path(const struct conf *conf, const char *name)
{
    bool found = *name == CONF_MARK_TWICE;
    for (size_t i = 0; i < conf->cnt && !found; i++)
        found = !strcmp(conf->entries[i].table->path, name);
    return found;
}

static const char *nearest_path(const struct conf *conf, const char *name)
{
    const char *nearest = NULL;
    unsigned distance = UINT_MAX;
    for (size_t i = 0; i < conf->cnt; i++)
        if (opt_is_nearer(conf->entries[i].table->path, name, &distance))
            nearest = conf->entries[i].table->path;
    return nearest;
}

/* Where the path is not given, the group or list whose name is a misspelling of it (which check_groups_known tells):
 * pools need not complain of every probe in "prboes". */
static const config_setting_t *find_group(const struct conf *conf, const config_setting_t *root, const char *path)
{
    const config_setting_t *found = config_setting_get_member(root, path);
    for (unsigned i = 0; !found && i < (unsigned)config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, i);
        const char *name = config_setting_name(setting);
        const char *nearest = is_path(conf, name) ? NULL : nearest_path(conf, name);
        if (config_setting_is_scalar(setting) == CONFIG_FALSE && nearest && !strcmp(nearest, path))
            found = setting;
    }
    return found;
}

static void check_groups_known(const struct conf *conf, struct conf_fill *fill, const config_setting_t *root)
{
    for (unsigned i = 0; i < (unsigned)config_setting_length(root); i++) {
        const config_setting_t *setting = config_setting_get_elem(root, i);
        const char *name = config_setting_name(setting);
        struct opt_where where = conf_fill_where(fill, setting);
        if (is_path(conf, name))
            continue;
        const char *nearest = nearest_path(conf, name);
        if (nearest)
            diag_error(fill->diag, where.file, where.line, "unknown group \"%.60s\"; did you mean \"%s\"?", name,
                       nearest);
        else
            diag_error(fill->diag, where.file, where.line, "unknown group \"%.60s\"", name);
    }
}

static void fill_single(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *same,
                        struct opt_list *lists, const struct conf_place *place)
{
    void **structs = mem_zalloc(same->cnt, sizeof *structs);
    for (size_t i = 0; i < same->cnt; i++) {
        structs[i] = arena_alloc(fill->arena, same->tables[i]->size, 16);
        lists[i] = (struct opt_list){structs[i], 1};
    }
    if (!setting || config_setting_type(setting) == CONFIG_TYPE_GROUP) {
        conf_fill_group(fill, setting, same, structs, place);
    } else {
        struct opt_where where = conf_fill_where(fill, setting);
        diag_error(fill->diag, where.file, where.line, "\"%s\": expected a group, { ... }", place->name);
        conf_fill_broken(fill, setting, same, structs, place);
    }
    free(structs);
}

/* The file alone where the value is a default. */
static struct opt_where *find_wheres(struct conf_fill *fill, const config_setting_t *group,
                                     const struct opt_table *table)
{
    struct opt_where *wheres = arena_alloc(fill->arena, table->cnt * sizeof *wheres, _Alignof(struct opt_where));
    for (size_t i = 0; i < table->cnt; i++) {
        bool is_group = group && config_setting_type(group) == CONFIG_TYPE_GROUP;
        wheres[i] = conf_fill_where(fill, is_group ? config_setting_get_member(group, table->opts[i].name) : NULL);
    }
    return wheres;
}

/* Fills every entry with the path of `first`, which is the first that has it. */
static void fill_path(struct conf *conf, struct conf_fill *fill, const config_setting_t *root, size_t first)
{
    const char *path = conf->entries[first].table->path;
    bool is_list = conf->entries[first].table->list;
    const struct opt_table **tables = mem_zalloc(conf->cnt, sizeof *tables);
    struct opt_list *lists = mem_zalloc(conf->cnt, sizeof *lists);
    size_t cnt = 0;
    for (size_t i = first; i < conf->cnt; i++)
        if (!strcmp(conf->entries[i].table->path, path))
            tables[cnt++] = conf->entries[i].table;
    const struct conf_tables same = {tables, cnt};
    const struct conf_place place = {NULL, path};
    const config_setting_t *setting = find_group(conf, root, path);
    if (is_list && setting)
        conf_fill_list(fill, setting, &same, lists, &place);
    else if (!is_list)
        fill_single(fill, setting, &same, lists, &place);
    for (size_t i = first, next = 0; i < conf->cnt; i++) {
        struct conf_entry *entry = &conf->entries[i];
        if (strcmp(entry->table->path, path) != 0)
            continue;
        entry->filled = lists[next++];
        entry->row_wheres = is_list ? NULL : find_wheres(fill, setting, entry->table);
    }
    free(tables);
    free(lists);
}

static bool path_is_first(const struct conf *conf, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!strcmp(conf->entries[i].table->path, conf->entries[index].table->path))
            return false;
    return true;
}

static void fill_all(struct conf *conf, const struct conf_source *source, const config_t *config, struct diag *diag)
{
    const config_setting_t *root = config_root_setting(config);
    const char *file = source->files[0], *slash = strrchr(file, '/');
    char *folder = mem_strndup(file, slash ? (size_t)(slash + 1 - file) : 0);
    struct conf_fill fill = {.arena = &conf->arena, .diag = diag, .source = source, .folder = folder};
    check_groups_known(conf, &fill, root);
    for (size_t i = 0; i < conf->cnt; i++)
        if (path_is_first(conf, i))
            fill_path(conf, &fill, root, i);
    free(folder);
}

/* NULL: the text is not fit to be read, which is told. */
static struct conf *read_source(const struct conf_source *source, const struct opt_table *const *tables, size_t cnt,
                                struct diag *diag)
{
    config_t config;
    struct conf *conf = NULL;
    if (source->failed)
        return NULL;
    config_init(&config);
    if (config_read_string(&config, source->text) == CONFIG_TRUE) {
        conf = conf_new(tables, cnt);
        fill_all(conf, source, &config, diag);
    } else {
        struct opt_where where = conf_source_where(source, (unsigned)config_error_line(&config));
        diag_error(diag, where.file, where.line, "%s, here or just before", config_error_text(&config));
    }
    config_destroy(&config);
    return conf;
}

enum err conf_load(struct conf **conf, const char *path, const struct opt_table *const *tables, size_t cnt,
                   struct diag *diag)
{
    size_t errors_before = diag_cnt(diag, DIAG_ERROR);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_file(source, path);
    /* Nobody means that; a reload would take every zone for gone. */
    if (!source->failed && !source->levels[0].key_cnt)
        diag_error(diag, path, 0, "there is nothing in it; expected groups, such as \"%s\"", tables[0]->path);
    *conf = read_source(source, tables, cnt, diag);
    conf_source_free(source);
    return diag_cnt(diag, DIAG_ERROR) == errors_before ? ERR_OK : ERR_INVALID;
}

enum err conf_load_text(struct conf **conf, const char *name, const char *text, size_t len,
                        const struct opt_table *const *tables, size_t cnt, struct diag *diag)
{
    size_t errors_before = diag_cnt(diag, DIAG_ERROR);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_text(source, name, text, len);
    *conf = read_source(source, tables, cnt, diag);
    conf_source_free(source);
    return diag_cnt(diag, DIAG_ERROR) == errors_before ? ERR_OK : ERR_INVALID;
}

static const struct conf_entry *entry_of(const struct conf *conf, const struct opt_table *table)
{
    for (size_t i = 0; i < conf->cnt; i++)
        if (conf->entries[i].table == table)
            return &conf->entries[i];
    abort(); /* a table that conf_load was not given */
}

const void *conf_group(const struct conf *conf, const struct opt_table *table)
{
    return entry_of(conf, table)->filled.items;
}

struct opt_list conf_list(const struct conf *conf, const struct opt_table *table)
{
    return entry_of(conf, table)->filled;
}

static bool values_equal(const struct opt *opt, const void *a, const void *b);

static bool structs_equal(const struct opt_table *table, const char *a, const char *b)
{
    for (size_t i = 0; i < table->cnt; i++)
        if (!values_equal(&table->opts[i], a + table->opts[i].offset, b + table->opts[i].offset))
            return false;
    return true;
}

static bool singles_equal(const struct opt *opt, const void *a, const void *b)
{
    if (opt->type == OPT_GROUP)
        return structs_equal(opt->sub, a, b);
    if (opt->type != OPT_STRING)
        return !memcmp(a, b, opt_value_size(opt));
    const char *string_a = *(char *const *)a, *string_b = *(char *const *)b;
    if (!string_a || !string_b)
        return string_a == string_b;
    return !strcmp(string_a, string_b);
}

static bool values_equal(const struct opt *opt, const void *a, const void *b)
{
    if (!(opt->flags & OPT_LIST))
        return singles_equal(opt, a, b);
    const struct opt_list *list_a = a, *list_b = b;
    size_t size = opt_value_size(opt);
    if (list_a->cnt != list_b->cnt)
        return false;
    for (size_t i = 0; i < list_a->cnt; i++)
        if (!singles_equal(opt, (const char *)list_a->items + i * size, (const char *)list_b->items + i * size))
            return false;
    return true;
}

bool conf_restart_needed(const struct conf *was, const struct conf *is, struct diag *diag)
{
    bool needed = false;
    for (size_t e = 0; e < is->cnt; e++) {
        const struct opt_table *table = is->entries[e].table;
        const char *now = conf_group(is, table), *before = conf_group(was, table);
        for (size_t i = 0; i < table->cnt && !table->list; i++) {
            const struct opt *opt = &table->opts[i];
            const struct opt_where *where = &is->entries[e].row_wheres[i];
            if (!(opt->flags & OPT_RESTART) || values_equal(opt, before + opt->offset, now + opt->offset))
                continue;
            diag_error(diag, where->file, where->line, "%s.%s was changed, which needs a restart", table->path,
                       opt->name);
            needed = true;
        }
    }
    return needed;
}
