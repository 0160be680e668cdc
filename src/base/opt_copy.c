#include "base/opt_copy.h"

#include <assert.h>

static void copy_text(struct arena *arena, char **field)
{
    if (*field)
        *field = arena_strdup(arena, *field);
}

static void copy_list(struct arena *arena, struct opt_list *list, const struct opt *opt)
{
    if (!list->cnt) {
        list->items = NULL;
        return;
    }
    list->items = arena_dup(arena, list->items, list->cnt * opt_value_size(opt), 8);
    if (opt->type == OPT_STRING)
        for (size_t i = 0; i < list->cnt; i++)
            copy_text(arena, &((char **)list->items)[i]);
}

void *opt_copy(struct arena *arena, const void *filled, const struct opt_table *table)
{
    char *copy = arena_dup(arena, filled, table->size, 8);
    for (size_t i = 0; i < table->cnt; i++) {
        const struct opt *opt = &table->opts[i];
        void *field = copy + opt->offset;
        assert(opt->type != OPT_GROUP);
        if (opt->flags & OPT_LIST)
            copy_list(arena, field, opt);
        else if (opt->type == OPT_STRING)
            copy_text(arena, field);
    }
    if (table->where_offset != SIZE_MAX) {
        struct opt_where *where = (struct opt_where *)(void *)(copy + table->where_offset);
        *where = (struct opt_where){.is_broken = where->is_broken};
    }
    return copy;
}
