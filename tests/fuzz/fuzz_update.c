/* Dynamic updates, whatever they are: messages, each behind its length in two bytes, judged in a row against one zone.
 * What comes of them zone_apply takes, and the check of a zone's text finds no error in it; those that were refused
 * might as well not have come; and a message is read within its bytes (each lies in a block of exactly its size). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag.h"
#include "dns/msg.h"
#include "ldnsx/zonefile.h"
#include "sync/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGES_MOST = 16, NEXT_SERIAL = 2 };

static const uint8_t apex[] = "\7example\3com";
static const char text[] = "@ 3600 SOA ns host 1 3600 600 86400 60\n@ 3600 NS ns\n@ 3600 NS ns.example.net.\n"
                           "@ 60 MX 10 mail\n@ 60 TXT \"apex\"\nns 60 A 192.0.2.1\nns 60 AAAA 2001:db8::1\n"
                           "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nalias 60 CNAME www\nmail 60 A 192.0.2.3\n"
                           "sub 60 NS ns.sub\nsub 60 NS ns\nns.sub 60 A 192.0.2.4\ndname 60 DNAME example.org.\n"
                           "a.b.c 60 TXT \"deep\"\n*.wild 60 A 192.0.2.5\n_x._tcp 60 SRV 1 2 3 www\n";
static struct hash_key key;
static struct zone *zone;

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

static bool take_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    zone_records_add(arg, rr, file, line);
    return true;
}

static void start(void)
{
    struct zone_records *records = zone_records_new(apex, &key);
    struct diag *diag = diag_new(10);
    require(!zonefile_read_text("text", text, sizeof text - 1, apex, take_record, records, diag));
    require(!zone_records_check(records, diag));
    zone = zone_new(apex, &key);
    require(!zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    diag_free(diag);
}

static void add_record(void *arg, const struct rr *rr) { zone_records_add(arg, rr, NULL, 0); }

/* The version that they make is one that its text would be loaded as. */
static void check_changes(const struct changeset *changes)
{
    struct zone_version *v;
    require(changes->serial_from == zone->current->serial && changes->serial_to != changes->serial_from);
    require(!zone_apply(&v, zone->current, changes, NULL));
    require(v->serial == changes->serial_to && !v->is_signed);
    struct zone_records *records = zone_records_new(apex, &key);
    struct diag *diag = diag_new(10);
    zone_version_each(v, add_record, records);
    require(!zone_records_check(records, diag));
    diag_free(diag);
    zone_records_free(records);
    zone_discard(v);
}

static void check_same(const struct zone_records *a, const struct zone_records *b)
{
    require(a->cnt == b->cnt);
    for (size_t i = 0; i < a->cnt; i++)
        require(!zone_record_cmp(&a->recs[i], &b->recs[i]) && a->recs[i].rr.ttl == b->recs[i].rr.ttl);
}

/* Without those that failed. */
static void check_again(const struct update_msg *msgs, const enum rcode *rcodes, unsigned cnt,
                        const struct changeset *changes)
{
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    const char *why;
    for (unsigned i = 0; i < cnt; i++)
        if (!rcodes[i])
            require(!update_take(update, &msgs[i], &why));
    struct changeset *again = update_changes(update);
    require(!again == !changes);
    if (again) {
        check_same(again->removed, changes->removed);
        check_same(again->added, changes->added);
    }
    changeset_free(again);
    update_free(update);
}

static enum rcode judge(struct update *update, struct update_msg *msg, struct reader *r)
{
    const char *why;
    size_t len = reader_u16(r);
    len = len < reader_left(r) ? len : reader_left(r);
    uint8_t *bytes = malloc(len ? len : 1);
    memcpy(bytes, reader_take(r, len), len);
    enum rcode rcode = update_msg_read(msg, bytes, len);
    free(bytes);
    require(!rcode || rcode == RCODE_FORMERR || rcode == RCODE_NOTAUTH);
    if (rcode)
        return rcode;
    rcode = update_take(update, msg, &why);
    require(!why == (rcode != RCODE_REFUSED && rcode != RCODE_NOTAUTH));
    return rcode;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader r = reader_over(data, len);
    struct update_msg msgs[MESSAGES_MOST];
    enum rcode rcodes[MESSAGES_MOST];
    unsigned cnt = 0;
    if (!zone)
        start();
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    for (; cnt < MESSAGES_MOST && reader_left(&r) >= 2; cnt++)
        rcodes[cnt] = judge(update, &msgs[cnt], &r);
    struct changeset *changes = update_changes(update);
    if (changes)
        check_changes(changes);
    check_again(msgs, rcodes, cnt, changes);
    changeset_free(changes);
    while (cnt--)
        update_msg_fini(&msgs[cnt]);
    update_free(update);
    return 0;
}
