/* zonewrite ZONE FILE: reads a zone file as rondod does and writes the zone as text to stdout, as rondod does. Exit
 * status 1 when the zone has errors, 2 when the arguments are wrong. For tests that let other readers of zone files
 * compare the two. */
#include <stdio.h>
#include <string.h>

#include "dns/name.h"
#include "ldnsx/zonefile.h"
#include "store/dump.h"
#include "zone/records.h"

static bool add(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    zone_records_add(arg, rr, file, line);
    return true;
}

static bool write_piece(void *arg, const char *text, size_t len)
{
    (void)arg;
    return fwrite(text, 1, len, stdout) == len;
}

static enum err write_zone(const uint8_t *apex, const char *path, struct diag *diag)
{
    struct zonefile_sources *sources;
    struct hash_key key;
    hash_key_random(&key);
    struct zone_records *records = zone_records_new(apex, &key);
    enum err e = zonefile_read(path, apex, add, records, diag, &sources);
    if (!e)
        e = zone_records_check(records, diag);
    if (!e) {
        struct zone *zone = zone_new(apex, &key);
        struct zone_version *before = zone_publish(zone, zone_build(zone, records, NULL));
        (void)before; /* there is none */
        if (!store_dump_text(write_piece, NULL, zone->current, "written\nby zonewrite"))
            e = ERR_IO;
        zone_free(zone);
    }
    zone_records_free(records);
    zonefile_sources_free(sources);
    return e;
}

int main(int argc, char **argv)
{
    uint8_t apex[NAME_MAX_LEN];
    char text[8192];
    unsigned len;

    if (argc != 3 || name_from_text(apex, &len, argv[1], strlen(argv[1]), NULL)) {
        fprintf(stderr, "usage: zonewrite ZONE FILE\n");
        return 2;
    }
    struct diag *diag = diag_new(10000);
    enum err e = write_zone(apex, argv[2], diag);
    for (size_t i = 0; diag_at(diag, i); i++) {
        diag_format(text, sizeof text, diag_at(diag, i));
        fprintf(stderr, "%s\n", text);
    }
    diag_free(diag);
    return e ? 1 : 0;
}
