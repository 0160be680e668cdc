#include "conf/value.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A message is cut to this. */
enum { TEXT_MOST = 1024 };

void conf_value_tell(struct conf_fill *fill, const config_setting_t *setting, const char *fmt, ...)
{
    char text[TEXT_MOST];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct opt_where where = conf_fill_where(fill, setting);
    diag_error(fill->diag, where.file, where.line, "%s", len < 0 ? fmt : text);
    fill->is_broken = true;
}

const char *conf_value_place(char out[CONF_PLACE_MOST], const struct conf_place *place, const char *key)
{
    size_t len = 0;
    *out = '\0';
    if (place->up)
        len = strlen(conf_value_place(out, place->up, NULL));
    len += (size_t)snprintf(out + len, CONF_PLACE_MOST - len, "%s%s", len ? "." : "", place->name);
    if (key && len < CONF_PLACE_MOST)
        snprintf(out + len, CONF_PLACE_MOST - len, "%s%s", len ? "." : "", key);
    return out;
}

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

bool conf_value_fits(const struct opt *opt, const config_setting_t *setting)
{
    struct scalar scalar;
    bool is_list = config_setting_type(setting) == CONFIG_TYPE_LIST;
    scalar_get(&scalar, setting);
    if (opt->type == OPT_GROUP)
        return config_setting_type(setting) == CONFIG_TYPE_GROUP || (is_list && opt->flags & OPT_LIST);
    return kind_fits(opt->type, scalar.kind) || (is_list && opt->flags & OPT_LIST);
}

void conf_value_show(char *out, size_t cap, const config_setting_t *setting)
{
    struct scalar scalar;
    scalar_get(&scalar, setting);
    const char *quote = scalar.kind == SCALAR_STRING ? "\"" : "";
    const char *dots = strlen(scalar.text) > CONF_SHOWN_MOST ? "..." : "";
    if (scalar.kind == SCALAR_NONE)
        snprintf(out, cap, config_setting_type(setting) == CONFIG_TYPE_GROUP ? "a group" : "a list");
    else
        snprintf(out, cap, "%s%.*s%s%s", quote, CONF_SHOWN_MOST, scalar.text, dots, quote);
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

void conf_value_refuse(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt,
                       const struct conf_place *place)
{
    char expected[OPT_EXPECTED_MAX], got[2 * CONF_SHOWN_MOST], where[CONF_PLACE_MOST];
    struct scalar scalar;
    scalar_get(&scalar, setting);
    const char *nearest = opt->type == OPT_ENUM ? nearest_name(opt->names, scalar.text) : NULL;
    opt_expected(expected, sizeof expected, opt);
    if (opt->flags & OPT_SECRET)
        snprintf(got, sizeof got, "another value, which is not shown");
    else
        conf_value_show(got, sizeof got, setting);
    conf_value_place(where, place, opt->name);
    if (nearest)
        conf_value_tell(fill, setting, "\"%s\": expected %s, got %s; did you mean \"%s\"?", where, expected, got,
                        nearest);
    else
        conf_value_tell(fill, setting, "\"%s\": expected %s, got %s", where, expected, got);
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

/* False: refused, and told; the field is as it was. */
static bool fill_scalar(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                        const struct conf_place *place)
{
    struct scalar scalar;
    scalar_get(&scalar, setting);
    if (!kind_fits(opt->type, scalar.kind) || opt_parse(opt, field, scalar.text) != ERR_OK) {
        conf_value_refuse(fill, setting, opt, place);
        return false;
    }
    if (opt->type == OPT_STRING)
        keep_string(fill, opt, field);
    return true;
}

void *conf_value_zeroed(struct conf_fill *fill, size_t cnt, size_t size)
{
    size_t len;
    if (__builtin_mul_overflow(cnt, size, &len))
        mem_exhausted();
    return memset(arena_alloc(fill->arena, len, 16), 0, len);
}

static void fill_list(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt,
                      struct opt_list *list, const struct conf_place *place)
{
    size_t size = opt_value_size(opt);
    bool is_list = config_setting_type(setting) == CONFIG_TYPE_LIST;
    unsigned cnt = is_list ? (unsigned)config_setting_length(setting) : 1;
    *list = (struct opt_list){conf_value_zeroed(fill, cnt, size), 0};
    for (unsigned i = 0; i < cnt; i++) {
        const config_setting_t *item = is_list ? config_setting_get_elem(setting, i) : setting;
        list->cnt += fill_scalar(fill, item, opt, (char *)list->items + list->cnt * size, place);
    }
}

void conf_value_fill(struct conf_fill *fill, const config_setting_t *setting, const struct opt *opt, void *field,
                     const struct conf_place *place)
{
    if (opt->flags & OPT_LIST)
        fill_list(fill, setting, opt, field, place);
    else
        fill_scalar(fill, setting, opt, field, place);
}
