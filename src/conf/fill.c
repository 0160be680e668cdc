#include "conf/fill.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Values and keys of the user's are cut to these in messages. */
enum { SHOWN_MOST = 60, TEXT_MOST = 1024, PLACE_MOST = 256 };

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

static void complain(struct conf_fill *fill, const config_setting_t *setting, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void complain(struct conf_fill *fill, const config_setting_t *setting, const char *fmt, ...)
{
    char text[TEXT_MOST];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct opt_where where = conf_fill_where(fill, setting);
    diag_error(fill->diag, where.file, where.line, "%s", len < 0 ? fmt : text);
}

/* "zones.balance"; `key` may be NULL. */
static const char *place_text(char out[PLACE_MOST], const struct conf_place *place, const char *key)
{
    size_t len = 0;
    *out = '\0';
    if (place->up)
        len = strlen(place_text(out, place->up, NULL));
    len += (size_t)snprintf(out + len, PLACE_MOST - len, "%s%s", len ? "." : "", place->name);
    if (key && len < PLACE_MOST)
        snprintf(out + len, PLACE_MOST - len, "%s%s", len ? "." : "", key);
    return out;
}

/* ---- single values ---- */

enum scalar_kind { SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT, SCALAR_STRING, SCALAR_NONE };

struct scalar {
    enum scalar_kind kind;
    const char *text;
    char buf[64];
};

static void scalar_get(struct scalar *scalar, const config_setting_t *setting)
{
    scalar->kind = SCALAR_NONE;
    scalar->text = scalar->buf;
    scalar->buf[0] = '\0';
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_BOOL:
        scalar->kind = SCALAR_BOOL;
        scalar->text = config_setting_get_bool(setting) ? "true" : "false";
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        scalar->kind = SCALAR_INT;
        snprintf(scalar->buf, sizeof scalar->buf, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        scalar->kind = SCALAR_FLOAT;
        snprintf(scalar->buf, sizeof scalar->buf, "%.15g", config_setting_get_float(setting));
        if (!strpbrk(scalar->buf, ".en")) /* so that it is not told as the whole number that was expected */
            strcat(scalar->buf, ".0");
        break;
    case CONFIG_TYPE_STRING:
        scalar->kind = SCALAR_STRING;
        scalar->text = config_setting_get_string(setting);
        if (*scalar->text == CONF_MARK_INTEGER) {
            scalar->kind = SCALAR_INT;
            scalar->text++;
        }
        break;
    default:
        break;
    }
}

static bool kind_fits(enum opt_type type, enum scalar_kind kind)
{
    switch (type) {
    case OPT_BOOL:
        return kind == SCALAR_BOOL || kind == SCALAR_STRING;
    case OPT_INT:
        return kind == SCALAR_INT;
    case OPT_FRACTION:
        return kind == SCALAR_INT || kind == SCALAR_FLOAT;
    case OPT_DURATION:
        return kind == SCALAR_INT || kind == SCALAR_STRING;
    case OPT_STRING:
    case OPT_ENUM:
    case OPT_ADDR:
        return kind == SCALAR_STRING;
    case OPT_CUSTOM:
        return kind != SCALAR_NONE;
    case OPT_GROUP:
        break;
    }
    return false;
}

/* What the user wrote, as a message shows it. */
static void show_value(char *out, size_t cap, const config_setting_t *setting)
{
    struct scalar scalar;
    scalar_get(&scalar, setting);
    const char *quote = scalar.kind == SCALAR_STRING ? "\"" : "";
    const char *dots = strlen(scalar.text) > SHOWN_MOST ? "..." : "";
    if (scalar.kind == SCALAR_NONE)
        snprintf(out, cap, config_setting_type(setting) == CONFIG_TYPE_GROUP ? "a group" : "a list");
    else
        snprintf(out, cap, "%s%.*s%s%s", quote, SHOWN_MOST, scalar.text, dots, quote);
}

static const char *nearest_name(const char *const *names, const char *word)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    for (size_t i = 0; names[i]; i++)
        if (opt_is_nearer(names[i], word, &distance))
            best = names[i];
    return best;
}

static void complain_value(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt,
                           const struct conf_place *place)
{
    char expected[OPT_EXPECTED_MAX], got[2 * SHOWN_MOST], where[PLACE_MOST];
    struct scalar scalar;
    scalar_get(&scalar, setting);
    const char *nearest = opt->type == OPT_ENUM ? nearest_name(opt->names, scalar.text) : NULL;
    opt_expected(expected, sizeof expected, opt);
    show_value(got, sizeof got, setting);
    if (nearest)
        complain(fill, setting, "\"%s\": expected %s, got %s; did you mean \"%s\"?",
                 place_text(where, place, opt->name), expected, got, nearest);
    else
        complain(fill, setting, "\"%s\": expected %s, got %s", place_text(where, place, opt->name), expected, got);
}

/* Strings are moved from the heap into the arena. */
static void keep_string(struct conf_fill *fill, const struct opt *opt, char **field)
{
    char *parsed = *field;
    bool is_relative = opt->flags & OPT_PATH && *parsed && *parsed != '/';
    size_t folder_len = is_relative ? strlen(fill->folder) : 0, len = strlen(parsed);
    *field = arena_alloc(fill->arena, folder_len + len + 1, 1);
    memcpy(*field, fill->folder, folder_len);
    memcpy(*field + folder_len, parsed, len + 1);
    free(parsed);
}

static void fill_scalar(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                        const struct conf_place *place)
{
    struct scalar scalar;
    scalar_get(&scalar, setting);
    if (!kind_fits(opt->type, scalar.kind) || opt_parse(opt, field, scalar.text) != ERR_OK)
        complain_value(fill, setting, opt, place);
    else if (opt->type == OPT_STRING)
        keep_string(fill, opt, field);
}

static void *zeroed(struct conf_fill *fill, size_t cnt, size_t size)
{
    size_t len;
    if (__builtin_mul_overflow(cnt, size, &len))
        mem_exhausted();
    return memset(arena_alloc(fill->arena, len, 16), 0, len);
}

static void fill_scalars(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt,
                         struct opt_list *list, const struct conf_place *place)
{
    size_t size = opt_value_size(opt);
    bool is_list = config_setting_type(setting) == CONFIG_TYPE_LIST;
    list->cnt = is_list ? (size_t)config_setting_length(setting) : 1;
    list->items = zeroed(fill, list->cnt, size);
    if (!is_list)
        fill_scalar(fill, setting, opt, list->items, place);
    for (size_t i = 0; is_list && i < list->cnt; i++)
        fill_scalar(fill, config_setting_get_elem(setting, (unsigned)i), opt, (char *)list->items + i * size, place);
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
    char *text = mem_printf("value = %s;", opt->text_default), where[PLACE_MOST];
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
                   place_text(where, place, opt->name), opt->text_default, diag_at(diag, 0)->text);
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
    defaults = zeroed(fill, 1, sizeof *defaults);
    *defaults = (struct conf_defaults){fill->defaults, table, zeroed(fill, 1, table->size)};
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
    if (opt->type != OPT_GROUP && opt->flags & OPT_LIST)
        fill_scalars(fill, setting, opt, field, place);
    else if (opt->type != OPT_GROUP)
        fill_scalar(fill, setting, opt, field, place);
    else if (opt->flags & OPT_LIST)
        conf_fill_list(fill, setting, &tables, field, &inner);
    else if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
        conf_fill_group(fill, setting, &tables, &field, &inner);
    else
        complain_value(fill, setting, opt, place);
}

static void complain_unknown(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *tables,
                             const struct conf_place *place)
{
    char where[PLACE_MOST];
    const char *key = config_setting_name(setting);
    const char *nearest = opt_nearest(tables->tables, tables->cnt, key);
    place_text(where, place, NULL);
    if (nearest)
        complain(fill, setting, "unknown key \"%.*s\" in \"%s\"; did you mean \"%s\"?", SHOWN_MOST, key, where,
                 nearest);
    else
        complain(fill, setting, "unknown key \"%.*s\" in \"%s\"", SHOWN_MOST, key, where);
}

/* More than one table may want the same key. */
static void fill_member(struct conf_fill *fill, const config_setting_t *setting, const struct conf_tables *tables,
                        void *const *structs, const struct conf_place *place)
{
    const char *key = config_setting_name(setting);
    bool known = *key == CONF_MARK_TWICE;
    for (size_t t = 0; t < tables->cnt; t++) {
        for (size_t i = 0; i < tables->tables[t]->cnt; i++) {
            const struct opt *opt = &tables->tables[t]->opts[i];
            if (strcmp(opt->name, key) != 0)
                continue;
            known = true;
            fill_opt(fill, setting, opt, (char *)structs[t] + opt->offset, place);
        }
    }
    if (!known)
        complain_unknown(fill, setting, tables, place);
}

static void check_required(struct conf_fill *fill, const config_setting_t *group, const struct opt_table *table,
                           const struct conf_place *place)
{
    char where[PLACE_MOST], expected[OPT_EXPECTED_MAX];
    for (size_t i = 0; i < table->cnt; i++) {
        const struct opt *opt = &table->opts[i];
        if (!(opt->flags & OPT_REQUIRED) || (group && config_setting_get_member(group, opt->name)))
            continue;
        opt_expected(expected, sizeof expected, opt);
        complain(fill, group, "\"%s\" is missing: %s", place_text(where, place, opt->name), expected);
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
    char where[PLACE_MOST];
    const config_setting_t *setting = key && saying->group ? config_setting_get_member(saying->group, key) : NULL;
    complain(saying->fill, setting ? setting : saying->group, "\"%s\": %s", place_text(where, saying->place, key),
             text);
}

void conf_fill_group(struct conf_fill *fill, const config_setting_t *group, const struct conf_tables *tables,
                     void *const *structs, const struct conf_place *place)
{
    size_t errors_before = diag_cnt(fill->diag, DIAG_ERROR);
    for (size_t t = 0; t < tables->cnt; t++) {
        const struct opt_table *table = tables->tables[t];
        memcpy(structs[t], defaults_of(fill, table, place), table->size);
        if (table->where_offset != SIZE_MAX)
            *(struct opt_where *)(void *)((char *)structs[t] + table->where_offset) = conf_fill_where(fill, group);
    }
    for (unsigned i = 0; group && i < (unsigned)config_setting_length(group); i++)
        fill_member(fill, config_setting_get_elem(group, i), tables, structs, place);
    for (size_t t = 0; t < tables->cnt; t++)
        check_required(fill, group, tables->tables[t], place);
    /* A struct that could not be filled would only give errors that follow from the first. */
    if (diag_cnt(fill->diag, DIAG_ERROR) != errors_before)
        return;
    for (size_t t = 0; t < tables->cnt; t++)
        if (tables->tables[t]->check)
            tables->tables[t]->check(structs[t], say, &(struct saying){fill, group, place});
}

void conf_fill_list(struct conf_fill *fill, const config_setting_t *list, const struct conf_tables *tables,
                    struct opt_list *lists, const struct conf_place *place)
{
    bool is_list = config_setting_type(list) == CONFIG_TYPE_LIST;
    size_t cnt = is_list ? (size_t)config_setting_length(list) : 1;
    void **structs = mem_zalloc(tables->cnt, sizeof *structs);
    for (size_t t = 0; t < tables->cnt; t++)
        lists[t] = (struct opt_list){zeroed(fill, cnt, tables->tables[t]->size), cnt};
    for (size_t i = 0; i < cnt; i++) {
        const config_setting_t *group = is_list ? config_setting_get_elem(list, (unsigned)i) : list;
        char got[2 * SHOWN_MOST], where[PLACE_MOST];
        for (size_t t = 0; t < tables->cnt; t++)
            structs[t] = (char *)lists[t].items + i * tables->tables[t]->size;
        if (config_setting_type(group) == CONFIG_TYPE_GROUP) {
            conf_fill_group(fill, group, tables, structs, place);
        } else {
            show_value(got, sizeof got, group);
            complain(fill, group, "\"%s\": expected groups, ( { ... }, { ... } ), got %s",
                     place_text(where, place, NULL), got);
        }
    }
    free(structs);
}
