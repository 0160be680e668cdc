#include "helpers/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "ldnsx/zonefile.h"
#include "zone/catalogue.h"
#include "zone/version.h"

static const char head[] = "$TTL 60\n@ 3600 SOA ns1 host 1 7200 3600 604800 300\n@ 3600 NS ns1\n";

static void die(const char *what, const struct diag *diag)
{
    const struct diag_entry *entry;
    fprintf(stderr, "%s\n", what);
    for (size_t i = 0; diag && (entry = diag_at(diag, i)); i++)
        fprintf(stderr, "  line %u: %s\n", entry->line, entry->text);
    exit(2);
}

static bool add_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    zone_records_add(arg, rr, file, line);
    return true;
}

static void wire_of(uint8_t out[NAME_MAX_LEN], const char *text)
{
    unsigned len;
    if (name_from_text(out, &len, text, strlen(text), NULL))
        die(text, NULL);
}

void world_init(struct world *world, uint16_t udp_payload)
{
    memset(world, 0, sizeof *world);
    hash_key_random(&world->shared.key);
    world->settings.udp_payload = udp_payload;
    world->shared.settings = &world->settings;
    world->client = (struct addr){.bytes = {192, 0, 2, 200}, .family = ADDR_V4, .port = 4711};
}

void world_fini(struct world *world)
{
    answer_worker_free(world->worker);
    catalogue_free(world->shared.catalogue);
    for (size_t i = 0; i < world->zone_cnt; i++)
        zone_free(world->zones[i]);
}

static struct zone *add_zone(struct world *world, const uint8_t *apex)
{
    if (world->zone_cnt == WORLD_ZONES_MAX)
        die("too many zones", NULL);
    return world->zones[world->zone_cnt++] = zone_new(apex, &world->shared.key);
}

void world_add_whole(struct world *world, const char *apex_text, const char *text, size_t len)
{
    uint8_t apex[NAME_MAX_LEN];
    wire_of(apex, apex_text);
    struct zone *zone = add_zone(world, apex);
    struct zone_records *records = zone_records_new(apex, &world->shared.key);
    struct diag *diag = diag_new(20);
    if (zonefile_read_text(apex_text, text, len, apex, add_record, records, diag))
        die(apex_text, diag);
    zone_records_sort(records);
    struct zone_version *replaced = zone_publish(zone, zone_build(zone, records, NULL));
    if (replaced)
        die("a version before the first", NULL);
    zone_records_free(records);
    diag_free(diag);
}

void world_add(struct world *world, const char *apex_text, const char *text)
{
    uint8_t apex[NAME_MAX_LEN];
    if (!text) {
        wire_of(apex, apex_text);
        add_zone(world, apex);
        return;
    }
    size_t len = sizeof head - 1 + strlen(text);
    char *whole = malloc(len + 1);
    if (!whole)
        die("out of memory", NULL);
    strcpy(whole, head);
    strcat(whole, text);
    world_add_whole(world, apex_text, whole, len);
    free(whole);
}

void world_start(struct world *world)
{
    world->shared.catalogue = catalogue_new(world->zones, world->zone_cnt);
    world->worker = answer_worker_new(&world->shared);
}

size_t world_ask(uint8_t out[512], const struct ask *ask)
{
    uint8_t name[NAME_MAX_LEN], *p = out + MSG_HEADER_LEN;
    wire_of(name, ask->name);
    unsigned name_bytes = name_len(name);
    memset(out, 0, 512);
    be16_put(out, 0x4711);
    be16_put(out + 2, ask->flags);
    be16_put(out + 4, 1);
    memcpy(p, name, name_bytes);
    p += name_bytes;
    be16_put(p, ask->type);
    be16_put(p + 2, ask->class ? ask->class : RR_CLASS_IN);
    p += 4;
    if (ask->payload) {
        be16_put(out + 10, 1);
        be16_put(p + 1, RR_OPT);
        be16_put(p + 3, ask->payload);
        be32_put(p + 5, ask->dnssec_ok ? MSG_EDNS_DO : 0);
        p += MSG_OPT_LEN;
    }
    return (size_t)(p - out);
}

size_t world_answer(struct world *world, uint8_t *out, size_t out_cap, const uint8_t *in, size_t in_len,
    enum answer_proto proto)
{
    struct answer_packet packet = {.in = in, .in_len = (uint32_t)in_len, .out = out, .out_cap = (uint32_t)out_cap,
        .proto = proto, .tcp_idle_100ms = proto == ANSWER_TCP ? WORLD_IDLE_100MS : 0, .client = world->client};
    answer_batch(world->worker, &packet, 1);
    return packet.outcome == ANSWER_SEND ? packet.out_len : 0;
}
