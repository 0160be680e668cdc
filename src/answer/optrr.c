#include "answer/optrr.h"

#include <string.h>

#include "base/clock.h"

static void keep_back(struct query *q, unsigned len)
{
    q->opt.len = (uint16_t)(q->opt.len + len);
}

/* Of RFC 7871's families. */
static struct addr subnet_address(const struct edns_ecs *ecs)
{
    struct addr address = {.family = ecs->family == 1 ? ADDR_V4 : ADDR_V6};
    memcpy(address.bytes, ecs->address, addr_len(&address));
    return address;
}

/* The client told where a question comes from. Who is not trusted with that gets an answer for everybody. */
static void take_ecs(struct query *q, const struct edns_ecs *ecs)
{
    q->opt.ecs = *ecs;
    q->opt.ecs_scope = 0;
    q->opt.flags |= QUERY_OPT_ECS;
    keep_back(q, edns_ecs_len(ecs));
    const struct prefix_table *trusted = q->context->settings->ecs_trusted;
    if (ecs->source_prefix && trusted && prefix_table_has(trusted, q->client)) {
        q->opt.flags |= QUERY_OPT_ECS_TRUSTED;
        q->opt.subnet = subnet_address(ecs);
    }
}

/* Whether a query with such a cookie is sent back with BADCOOKIE (RFC 7873 5.2.3, 5.2.4). One without a question wants
 * to know what its cookie is worth (5.4). */
static bool is_refused(const struct query *q, enum cookie_verdict verdict, enum answer_proto proto)
{
    if (verdict >= COOKIE_OLD)
        return false;
    if (!q->qdcount)
        return verdict == COOKIE_BAD;
    return proto == ANSWER_UDP && q->context->settings->require_cookie == ANSWER_COOKIE_ALWAYS;
}

static void take_cookie(struct query *q, const struct edns_options *options, enum answer_proto proto)
{
    const struct cookie_secrets *secrets = &q->context->settings->cookie_secrets;
    uint32_t now_sec = (uint32_t)(clock_wall_ms() / 1000);
    enum cookie_verdict verdict = cookie_check(secrets, q->client, options->cookie, options->cookie_len, now_sec);
    cookie_answer(q->opt.cookie, verdict, secrets, q->client, options->cookie, now_sec);
    q->opt.flags |= QUERY_OPT_COOKIE;
    keep_back(q, EDNS_OPTION_HEADER_LEN + COOKIE_LEN);
    if (is_refused(q, verdict, proto))
        q->opt.flags |= QUERY_OPT_BADCOOKIE;
    if (verdict >= COOKIE_OLD) {
        q->trusted = true;
        answer_count(q->context->counters, cookie_good);
    } else if (verdict == COOKIE_BAD) {
        answer_count(q->context->counters, cookie_bad);
    } else {
        answer_count(q->context->counters, cookie_new);
    }
}

static ATTR_NOINLINE bool read_options(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns)
{
    const struct answer_settings *settings = q->context->settings;
    struct edns_options options;
    if (edns_read_options(&options, edns) != ERR_OK)
        return false;
    if (options.present & EDNS_HAS_NSID && settings->nsid_len) {
        q->opt.flags |= QUERY_OPT_NSID;
        keep_back(q, EDNS_OPTION_HEADER_LEN + settings->nsid_len);
    }
    /* Over UDP it is ignored (RFC 7828 3.2.1). */
    if (options.present & EDNS_HAS_KEEPALIVE && packet->proto == ANSWER_TCP) {
        q->opt.flags |= QUERY_OPT_KEEPALIVE;
        q->opt.keepalive_100ms = packet->tcp_idle_100ms;
        keep_back(q, EDNS_OPTION_HEADER_LEN + sizeof q->opt.keepalive_100ms);
    }
    if (options.present & EDNS_HAS_COOKIE && settings->cookie_secrets.cnt)
        take_cookie(q, &options, packet->proto);
    if (options.present & EDNS_HAS_ECS)
        take_ecs(q, &options.ecs);
    return true;
}

bool optrr_read(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns)
{
    q->opt.len = edns->present ? MSG_OPT_LEN : 0;
    q->opt.ede = QUERY_NO_EDE;
    q->opt.flags = 0;
    q->dnssec_ok = edns->dnssec_ok;
    /* What another version's options mean is not known. */
    if (likely(!edns->options_len) || edns->version > 0 || read_options(q, packet, edns))
        return true;
    q->opt.len = MSG_OPT_LEN;
    q->opt.flags = 0;
    return false;
}

/* RFC 8914: told only where it makes nothing else too long. Without room it is left out, and frame_finish forgets that
 * there was none. */
static void put_ede(struct query *q)
{
    const char *text = q->opt.ede == EDNS_EDE_OTHER ? "no server of this name is known to be up" : "";
    edns_put_ede(&q->out, (enum edns_ede)q->opt.ede, text);
}

static ATTR_NOINLINE void put_options(struct query *q)
{
    const struct answer_settings *settings = q->context->settings;
    if (q->opt.flags & QUERY_OPT_NSID)
        edns_put_option(&q->out, EDNS_NSID, settings->nsid, settings->nsid_len);
    if (q->opt.flags & QUERY_OPT_ECS)
        edns_put_ecs(&q->out, &q->opt.ecs, q->opt.ecs_scope);
    if (q->opt.flags & QUERY_OPT_COOKIE)
        edns_put_option(&q->out, EDNS_COOKIE, q->opt.cookie, COOKIE_LEN);
    if (q->opt.flags & QUERY_OPT_KEEPALIVE)
        edns_put_keepalive(&q->out, q->opt.keepalive_100ms);
    if (q->opt.ede != QUERY_NO_EDE)
        put_ede(q);
}

/* RFC 6891 6.1.2: root, OPT, our payload size, the RCODE's upper bits, version 0, DO as it came (RFC 3225 3). */
void optrr_write(struct query *q)
{
    uint8_t *opt = writer_room(&q->out, MSG_OPT_LEN);
    opt[0] = 0;
    be16_put(opt + 1, RR_OPT);
    be16_put(opt + 3, q->context->settings->udp_payload);
    be32_put(opt + 5, (uint32_t)(q->rcode >> 4) << 24 | (q->dnssec_ok ? MSG_EDNS_DO : 0));
    be16_put(opt + 9, 0);
    if (unlikely(q->opt.flags || q->opt.ede != QUERY_NO_EDE)) {
        put_options(q);
        be16_put(opt + 9, (uint16_t)(q->out.at - opt - MSG_OPT_LEN));
    }
}
