#include "tools/show_zone_orders.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/human.h"
#include "tools/read.h"
#include "tools/table.h"

static void print_zone(const json_t *data)
{
    const char *zone = text_of(data, "zone");
    char *clean = table_clean(zone ? zone : "-");
    printf("zone %s: ", clean);
    free(clean);
}

static const char *plural(unsigned long long cnt) { return cnt == 1 ? "" : "s"; }

static void begun(const json_t *data, const char *what, const char *of, const char *one)
{
    unsigned long long cnt = count_of(data, of);
    print_zone(data);
    printf("%s %llu %s%s", what, cnt, one, plural(cnt));
    if (json_is_integer(json_object_get(data, "serial")))
        printf(", serial %llu", count_of(data, "serial"));
    putchar('\n');
}

void show_refresh(const json_t *data) { begun(data, "asking", "primaries", "server"); }

void show_retransfer(const json_t *data) { begun(data, "fetching from", "primaries", "server"); }

void show_notify(const json_t *data) { begun(data, "telling", "targets", "server"); }

void show_dump(const json_t *data)
{
    char size[HUMAN_MAX];
    print_zone(data);
    printf("serial %llu, %llu record%s, %s\n", count_of(data, "serial"), count_of(data, "records"),
           plural(count_of(data, "records")), human_bytes(size, number_of(data, "bytes")));
}

static void print_written(const json_t *data)
{
    const char *file = text_of(data, "file");
    char *clean = table_clean(file ? file : "-");
    print_zone(data);
    printf("serial %llu, %s \"%s\"", count_of(data, "serial"), is_true(data, "written") ? "written to" : "as it is in",
           clean);
    free(clean);
}

void show_sync(const json_t *data)
{
    print_written(data);
    putchar('\n');
}

void show_freeze(const json_t *data)
{
    print_written(data);
    printf(", frozen\n");
}
