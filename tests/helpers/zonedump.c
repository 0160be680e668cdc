/* zonedump ZONE FILE: reads a zone file as rondod does. Diagnostics go to stderr, one a line; the records to stdout, as
 * "OWNER TTL TYPE HEX", sorted as text. Exit status 1 when the zone has errors, 2 when the arguments are wrong. For
 * tests that compare with other readers of zone files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "ldnsx/zonefile.h"
#include "zone/records.h"

static bool add(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    zone_records_add(arg, rr, file, line);
    return true;
}

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *record_text(const struct rr *rr)
{
    char owner[NAME_TEXT_MAX];
    size_t cap = NAME_TEXT_MAX + 32 + 2 * (size_t)rr->rdata_len;
    char *text = mem_zalloc(cap, 1);
    size_t at = (size_t)snprintf(text, cap, "%s %u %u ", name_to_text(owner, rr->owner), rr->ttl, rr->type);
    for (unsigned i = 0; i < rr->rdata_len; i++)
        at += (size_t)snprintf(text + at, cap - at, "%02x", rr->rdata[i]);
    return text;
}

static void print_records(const struct zone_records *records)
{
    char **lines = mem_zalloc(records->cnt, sizeof(*lines));
    for (size_t i = 0; i < records->cnt; i++)
        lines[i] = record_text(&records->recs[i].rr);
    qsort(lines, records->cnt, sizeof(*lines), text_cmp);
    for (size_t i = 0; i < records->cnt; i++) {
        puts(lines[i]);
        free(lines[i]);
    }
    free(lines);
}

static void print_diagnostics(const struct diag *diag)
{
    char text[8192];
    for (size_t i = 0; diag_at(diag, i); i++) {
        diag_format(text, sizeof(text), diag_at(diag, i));
        fprintf(stderr, "%s\n", text);
    }
}

int main(int argc, char **argv)
{
    struct zonefile_sources *sources;
    uint8_t apex[NAME_MAX_LEN];
    struct hash_key key;
    unsigned len;

    if (argc != 3 || name_from_text(apex, &len, argv[1], strlen(argv[1]), NULL)) {
        fprintf(stderr, "usage: zonedump ZONE FILE\n");
        return 2;
    }
    hash_key_random(&key);
    struct diag *diag = diag_new(10000);
    struct zone_records *records = zone_records_new(apex, &key);
    enum err e = zonefile_read(argv[2], apex, add, records, diag, &sources);
    if (!e)
        e = zone_records_check(records, diag);
    print_diagnostics(diag);
    if (!e)
        print_records(records);
    zone_records_free(records);
    zonefile_sources_free(sources);
    diag_free(diag);
    return e ? 1 : 0;
}
