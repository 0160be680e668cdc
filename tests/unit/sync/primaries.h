/* Primaries that give a zone, and such that do anything else: functions for tests/unit/sync/server.h. */
#pragma once

#include "server.h"
#include "sync_help.h"

/* What a server has, and how it gives it. */
struct offer {
    const struct zone_version *version;
    const struct changeset *const *changes; /* to an IXFR; NULL: the version */
    size_t change_cnt;
    bool is_current; /* to an IXFR: it has nothing newer */
    size_t cap;      /* of a message */
    bool drips;
    unsigned silent_after; /* messages; 0: never */
    unsigned gone_after;   /* messages; 0: never */
    unsigned cut;          /* bytes that the last message lacks */
};

static inline void begin_offer(struct stream_out *out, const struct offer *offer, struct asked *asked)
{
    struct stream_out_request request = {.name = test_apex,
                                         .type = asked->type,
                                         .id = msg_id(asked->msg),
                                         .tsig = asked->is_signed ? &asked->tsig : NULL};
    if (asked->type == RR_IXFR && offer->is_current)
        stream_out_current(out, &request, offer->version);
    else if (asked->type == RR_IXFR && offer->changes)
        stream_out_changes(out, &request, offer->version, offer->changes, offer->change_cnt);
    else
        stream_out_whole(out, &request, offer->version);
}

static inline void give_offer(struct server *server, int fd, struct asked *asked)
{
    static uint8_t framed[2 + MSG_MAX_LEN];
    const struct offer *offer = server->arg;
    struct stream_out out;
    enum stream_out_state state = STREAM_OUT_MORE;
    bool is_there = true;
    begin_offer(&out, offer, asked);
    for (unsigned i = 1; is_there && state == STREAM_OUT_MORE; i++) {
        size_t len;
        state = stream_out_next(&out, framed + 2, offer->cap, &len, clock_wall_ms() / 1000);
        be16_put(framed, (uint16_t)len);
        if (i == offer->gone_after || state == STREAM_OUT_DONE)
            len -= offer->cut;
        if (offer->drips)
            server_drip(fd, framed, 2 + len);
        else if (len)
            is_there = server_send(fd, framed, 2 + len);
        if (i == offer->gone_after)
            return;
        if (i == offer->silent_after)
            break;
    }
    server_await_close(server, fd);
}

static inline void serve_offer(struct server *server)
{
    struct asked asked;
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked))
        give_offer(server, fd, &asked);
    close(fd);
}

/* As if nobody had told the server of signatures. */
static inline void serve_offer_unsigned(struct server *server)
{
    struct asked asked;
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        asked.is_signed = false;
        give_offer(server, fd, &asked);
    }
    close(fd);
}

/* Signs with the key of its table, whatever the question was signed with. */
static inline void serve_offer_wrongly_signed(struct server *server)
{
    struct asked asked;
    int fd = server_accept(server);
    if (fd >= 0) {
        (void)server_read_message(server, fd, &asked);
        asked.tsig.key = tsig_keys_at(server->keys, 0);
        asked.tsig.error = 0;
        asked.is_signed = true;
        give_offer(server, fd, &asked);
    }
    close(fd);
}

static inline void serve_close(struct server *server) { close(server_accept(server)); }

static inline void serve_silence(struct server *server)
{
    int fd = server_accept(server);
    if (fd >= 0)
        server_await_close(server, fd);
    close(fd);
}

/* Says over the connection what `arg`, a string, is. */
static inline void serve_text(struct server *server)
{
    struct asked asked;
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked) && server_send(fd, server->arg, strlen(server->arg)))
        server_await_close(server, fd);
    close(fd);
}

static inline void serve_refused(struct server *server)
{
    struct asked asked;
    uint8_t answer[600];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        struct writer w = begin_answer(answer, sizeof answer, &asked, RCODE_REFUSED);
        server_send_message(fd, answer, writer_len(&w));
        server_await_close(server, fd);
    }
    close(fd);
}

static inline void serve_other_question(struct server *server)
{
    struct asked asked;
    uint8_t answer[600];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        struct writer w = begin_answer(answer, sizeof answer, &asked, MSG_AA);
        put_soa_record(&w, 1);
        answer[MSG_HEADER_LEN + 1] ^= 1;
        server_send_message(fd, answer, writer_len(&w));
        server_await_close(server, fd);
    }
    close(fd);
}

/* Messages without records. */
static inline void serve_empty(struct server *server)
{
    struct asked asked;
    uint8_t answer[600];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        struct writer w = begin_answer(answer, sizeof answer, &asked, MSG_AA);
        while (server_send_message(fd, answer, writer_len(&w)))
            ;
    }
    close(fd);
}

static inline void put_address(struct writer *w, const uint8_t *owner, uint32_t number)
{
    writer_put(w, owner, name_len(owner));
    writer_u16(w, RR_A);
    writer_u16(w, RR_CLASS_IN);
    writer_u32(w, 60);
    writer_u16(w, 4);
    writer_u32(w, number);
    be16_put(w->begin + 6, (uint16_t)(be16_get(w->begin + 6) + 1));
}

/* A zone that never ends; an IXFR's changes neither. Counts the messages. */
static inline void serve_endless(struct server *server)
{
    struct asked asked;
    static uint8_t answer[MSG_MAX_LEN];
    uint32_t number = 0;
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        struct writer w = begin_answer(answer, sizeof answer, &asked, MSG_AA);
        put_soa_record(&w, 9);
        if (asked.type == RR_IXFR)
            put_soa_record(&w, 1);
        do {
            while (writer_len(&w) < 60000)
                put_address(&w, test_apex, number++);
            if (!server_send_message(fd, answer, writer_len(&w)))
                break;
            server->seen_cnt++;
            w = begin_answer(answer, sizeof answer, &asked, MSG_AA);
        } while (true);
    }
    close(fd);
}

/* A zone with records of another one. */
static inline void serve_outside(struct server *server)
{
    struct asked asked;
    uint8_t answer[600];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        struct writer w = begin_answer(answer, sizeof answer, &asked, MSG_AA);
        put_soa_record(&w, 9);
        put_address(&w, (const uint8_t *)"\7example\3net", 1);
        put_soa_record(&w, 9);
        server_send_message(fd, answer, writer_len(&w));
        server_await_close(server, fd);
    }
    close(fd);
}
