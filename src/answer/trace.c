#include "answer/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rcu.h"

void trace_free(struct trace *trace) { free(trace); }

/* ---- the question, and its answer */

enum { QUESTION_MAX = 512 };

/* The client stands in a subnet option, so that clients of whom only a part is known are asked for alike. */
static size_t put_question(uint8_t out[QUESTION_MAX], const uint8_t *name, uint16_t type,
                           const struct trace_client *client)
{
    const struct addr *address = &client->address;
    struct edns_ecs ecs = {.family = address->family == ADDR_V4 ? 1 : 2, .source_prefix = (uint8_t)client->known};
    struct writer w = writer_over(out, QUESTION_MAX);
    bool has_client = address->family != ADDR_NONE;
    const uint16_t header[] = {0, 0, 1, 0, 0, 1};
    for (unsigned i = 0; i < sizeof header / sizeof *header; i++)
        writer_u16(&w, header[i]);
    writer_put(&w, name, name_len(name));
    writer_u16(&w, type);
    writer_u16(&w, RR_CLASS_IN);
    writer_u8(&w, 0);
    writer_u16(&w, RR_OPT);
    writer_u16(&w, MSG_UDP_MIN);
    writer_u32(&w, 0);
    memcpy(ecs.address, address->bytes, sizeof ecs.address);
    writer_u16(&w, (uint16_t)(has_client ? edns_ecs_len(&ecs) : 0));
    if (has_client)
        edns_put_ecs(&w, &ecs, 0);
    return writer_len(&w);
}

/* As a resolver asks whose word is taken. A worker of its own disturbs nobody's turn. */
static void ask(struct trace *trace, const struct answer_shared *shared, const uint8_t *question, size_t len)
{
    struct answer_worker *worker = answer_worker_new(shared);
    struct answer_packet packet = {.in = question, .in_len = (uint32_t)len, .out = trace->reply,
                                   .out_cap = TRACE_REPLY_MAX, .proto = ANSWER_TCP, .client = {.family = ADDR_V4}};
    answer_batch(worker, &packet, 1);
    trace->reply_len = packet.outcome == ANSWER_SEND ? packet.out_len : 0;
    answer_worker_free(worker);
}

/* ---- what the reply says */

/* Passes over a record; its rdata, or no room when it is malformed. */
static struct reader take_record(struct reader *r, uint16_t *type)
{
    msg_skip_name(r);
    *type = reader_u16(r);
    reader_take(r, 6); /* class, TTL */
    uint16_t len = reader_u16(r);
    struct reader rdata = *r; /* names in it point into all of the message */
    if (reader_take(r, len))
        rdata.end = r->at;
    return rdata;
}

/* At its first record; failed when there is none. */
static struct reader records_of(const struct trace *trace)
{
    enum { TYPE_AND_CLASS_LEN = 4 };
    struct reader r = reader_over(trace->reply, trace->reply_len);
    reader_take(&r, MSG_HEADER_LEN);
    if (!r.failed && msg_qdcount(trace->reply) == 1 && msg_skip_name(&r))
        reader_take(&r, TYPE_AND_CLASS_LEN);
    else
        r.failed = true;
    return r;
}

static unsigned scope_in(struct reader options)
{
    enum { SCOPE_AT = 3 };
    while (!options.failed && reader_left(&options)) {
        uint16_t code = reader_u16(&options), len = reader_u16(&options);
        const uint8_t *data = reader_take(&options, len);
        if (data && code == EDNS_ECS && len > SCOPE_AT)
            return data[SCOPE_AT];
    }
    return 0;
}

static void find_scope(struct trace *trace)
{
    struct reader r = records_of(trace);
    while (!r.failed && reader_left(&r)) {
        uint16_t type;
        struct reader rdata = take_record(&r, &type);
        if (!r.failed && type == RR_OPT)
            trace->scope = scope_in(rdata);
    }
}

/* ---- names */

static void look_up(struct trace *trace, const struct answer_shared *shared, const uint8_t *name, uint16_t type)
{
    struct query_context context = {.key = &shared->key, .catalogue = shared->catalogue, .settings = shared->settings};
    struct trace_link *link = &trace->links[trace->link_cnt++];
    struct query *q = mem_zalloc(1, sizeof *q);
    q->context = &context;
    q->qtype = type;
    memcpy(link->name, name, name_len(name));
    name_split_valid(&q->name, name, &shared->key);
    lookup_zone(q);
    link->zone = q->zone;
    link->version = q->version;
    if (q->version) {
        struct lookup found = lookup_now(q);
        link->kind = found.kind;
        link->node = found.node;
    }
    free(q);
}

/* The targets of the reply's aliases, which stand in their order; a DNAME has its CNAME behind it. */
static void follow(struct trace *trace, const struct answer_shared *shared, uint16_t type)
{
    uint8_t name[NAME_MAX_LEN];
    struct reader r = records_of(trace);
    if (r.failed || type == RR_CNAME || type == RR_ANY)
        return;
    for (unsigned i = 0; i < msg_ancount(trace->reply); i++) {
        uint16_t rr_type;
        struct reader rdata = take_record(&r, &rr_type);
        if (!r.failed && rr_type == RR_CNAME && msg_read_name(name, &rdata) && trace->link_cnt < TRACE_LINKS_MAX)
            look_up(trace, shared, name, type);
    }
}

struct trace *trace_question(const struct answer_shared *shared, const uint8_t *name, uint16_t type,
                             const struct trace_client *client)
{
    struct trace *trace = mem_zalloc(1, sizeof *trace);
    uint8_t question[QUESTION_MAX];
    const struct prefix asker = {.family = ADDR_V4};
    struct answer_settings settings = *shared->settings;
    struct answer_shared changed = *shared;
    if (client->address.family == ADDR_NONE)
        settings.sites = NULL;
    settings.ecs_trusted = prefix_table_new(&asker, 1);
    changed.settings = &settings;
    changed.limit = NULL;
    ask(trace, &changed, question, put_question(question, name, type, client));
    prefix_table_free(settings.ecs_trusted);
    find_scope(trace);
    look_up(trace, shared, name, type);
    follow(trace, shared, type);
    return trace;
}
