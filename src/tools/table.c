#include "tools/table.h"

#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { GAP = 2 };

struct table {
    const struct table_column *columns;
    size_t column_cnt;
    char **cells;
    size_t cnt, cap;
};

char *table_clean(const char *s)
{
    char *clean = mem_zalloc(strlen(s) + 1, 4); /* \xHH at worst */
    char *at = clean;
    while (*s) {
        uint32_t code;
        unsigned len = utf8_next(s, &code);
        if (len && !utf8_is_harmful(code)) {
            memcpy(at, s, len);
            at += len;
            s += len;
            continue;
        }
        for (unsigned bytes = len ? len : 1; bytes; bytes--)
            at += sprintf(at, "\\x%02x", (unsigned char)*s++);
    }
    return clean;
}

size_t table_width(const char *s)
{
    /* Widths of code points come with a UTF-8 locale, whatever the user's own is; without one each counts as one
     * column. */
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t was = utf8 ? uselocale(utf8) : (locale_t)0;
    size_t width = 0;
    uint32_t code;
    for (unsigned len; (len = utf8_next(s, &code)) != 0; s += len) {
        int columns = code < 0x80 || !utf8 ? 1 : wcwidth((wchar_t)code);
        width += columns < 0 ? 1 : (size_t)columns;
    }
    if (utf8)
        uselocale(was);
    return width;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cnt; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

struct table *table_new(const struct table_column *columns, size_t cnt)
{
    struct table *table = mem_zalloc(1, sizeof *table);
    table->columns = columns;
    table->column_cnt = cnt;
    for (size_t i = 0; columns[0].head && i < cnt; i++)
        table_add(table, columns[i].head);
    return table;
}

void table_add(struct table *table, const char *text)
{
    if (table->cnt == table->cap) {
        table->cap = table->cap ? table->cap * 2 : 32;
        table->cells = mem_realloc(table->cells, table->cap, sizeof *table->cells);
    }
    table->cells[table->cnt++] = table_clean(text ? text : "-");
}

void table_addf(struct table *table, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    table_add(table, text);
}

static void pad(FILE *out, size_t columns)
{
    while (columns--)
        fputc(' ', out);
}

/* `owed` is the space that stands before whatever comes next in the row: none is printed at its end. */
static void cell_print(const struct table *table, size_t cell, size_t widest, size_t *owed, FILE *out)
{
    size_t column = cell % table->column_cnt, gap = widest - table_width(table->cells[cell]);
    bool right = table->columns[column].align == TABLE_RIGHT;
    if (*table->cells[cell]) {
        pad(out, *owed + (right ? gap : 0));
        fputs(table->cells[cell], out);
        *owed = right ? GAP : gap + GAP;
    } else {
        *owed += gap + GAP;
    }
    if (column + 1 == table->column_cnt) {
        fputc('\n', out);
        *owed = 0;
    }
}

void table_print(const struct table *table, FILE *out)
{
    size_t *widest = mem_zalloc(table->column_cnt, sizeof *widest);
    for (size_t i = 0; i < table->cnt; i++) {
        size_t width = table_width(table->cells[i]);
        if (width > widest[i % table->column_cnt])
            widest[i % table->column_cnt] = width;
    }
    size_t owed = 0;
    for (size_t i = 0; i < table->cnt; i++)
        cell_print(table, i, widest[i % table->column_cnt], &owed, out);
    free(widest);
}
