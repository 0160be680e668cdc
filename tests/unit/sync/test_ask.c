#include "sync/ask.h"

#include "server.h"

/* Longer than any test takes: what ends sooner did not end by time. */
enum { LONG_MS = 60000, SHORT_MS = 60, PASS_MS = 1000 /* within which a thread answers */, SERIAL = 4711 };

/* ---- answers */

static size_t end_answer(struct writer *w, struct asked *asked)
{
    if (asked->is_signed)
        assert_true(tsig_sign(&asked->tsig, w, clock_wall_ms() / 1000));
    assert_false(w->failed);
    return writer_len(w);
}

static size_t make_answer(uint8_t out[1024], struct asked *asked, uint32_t serial)
{
    struct writer w = begin_answer(out, 1024, asked, MSG_AA);
    if (asked->type == RR_SOA && msg_opcode(asked->msg) == OPCODE_QUERY)
        put_soa_record(&w, serial);
    return end_answer(&w, asked);
}

static size_t make_short_answer(uint8_t out[1024], struct asked *asked, unsigned flags)
{
    struct writer w = begin_answer(out, 1024, asked, flags);
    return end_answer(&w, asked);
}

/* ---- servers */

static void serve_udp(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked))
        server_reply(server, &asked, answer, make_answer(answer, &asked, SERIAL));
}

static void serve_one_connection(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        server_send_message(fd, answer, make_answer(answer, &asked, SERIAL));
        server_await_close(server, fd);
    }
    close(fd);
}

static void serve_truncated(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    if (!server_receive(server, &asked))
        return;
    server_reply(server, &asked, answer, make_short_answer(answer, &asked, MSG_AA | MSG_TC));
    serve_one_connection(server);
}

static void serve_refused(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked))
        server_reply(server, &asked, answer, make_short_answer(answer, &asked, MSG_TC | RCODE_REFUSED));
}

/* Everything that is not the answer, then the answer, unless `arg` says that it never comes. */
static void serve_forgeries(struct server *server)
{
    struct asked asked, other;
    uint8_t answer[1024], junk[60000] = {0};
    if (!server_receive(server, &asked))
        return;
    server_reply(server, &asked, junk, 0);
    server_reply(server, &asked, junk, 1);
    server_reply(server, &asked, junk, sizeof junk);
    server_reply(server, &asked, asked.msg, asked.len);
    other = asked;
    other.is_signed = false;
    other.msg[1] ^= 1; /* the ID */
    server_reply(server, &asked, answer, make_answer(answer, &other, 1));
    other.msg[1] ^= 1;
    other.msg[MSG_HEADER_LEN + 1] ^= 1; /* the name */
    server_reply(server, &asked, answer, make_answer(answer, &other, 2));
    other.msg[MSG_HEADER_LEN + 1] ^= 1;
    server_reply(server, &asked, answer, make_answer(answer, &other, 3) - 1); /* malformed */
    if (!server->arg)
        server_reply(server, &asked, answer, make_answer(answer, &asked, SERIAL));
    server_wait(server, server->stop[0]);
}

static void serve_unsigned(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked)) {
        asked.is_signed = false;
        server_reply(server, &asked, answer, make_answer(answer, &asked, SERIAL));
    }
}

/* An answer signed with our key, in which a bit was changed. */
static void serve_spoilt(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked)) {
        size_t len = make_answer(answer, &asked, SERIAL);
        answer[3] ^= MSG_AD;
        server_reply(server, &asked, answer, len);
    }
}

/* It does not know the key: NOTAUTH and a TSIG without signature. */
static void serve_unknown_key(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    (void)server_receive(server, &asked);
    asked.is_signed = true;
    struct writer w = begin_answer(answer, sizeof answer, &asked, RCODE_NOTAUTH);
    server_reply(server, &asked, answer, end_answer(&w, &asked));
    server_wait(server, server->stop[0]);
}

static void serve_drip(struct server *server)
{
    struct asked asked;
    uint8_t framed[1026];
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked)) {
        size_t len = make_answer(framed + 2, &asked, SERIAL);
        be16_put(framed, (uint16_t)len);
        server_drip(fd, framed, 2 + len);
        server_await_close(server, fd);
    }
    close(fd);
}

/* Over a connection: so many bytes of what `arg` points to, then the end. */
struct blurt {
    const void *bytes;
    size_t len;
};

static void serve_blurt(struct server *server)
{
    const struct blurt *blurt = server->arg;
    struct asked asked;
    int fd = server_accept(server);
    if (fd >= 0 && server_read_message(server, fd, &asked))
        server_send(fd, blurt->bytes, blurt->len);
    close(fd);
}

/* ---- clients */

struct client {
    uv_loop_t loop;
    unsigned told_cnt;
    struct ask_result result;
};

static void on_told(void *arg, const struct ask_result *result)
{
    struct client *client = arg;
    client->told_cnt++;
    client->result = *result;
}

static void client_open(struct client *client)
{
    memset(client, 0, sizeof *client);
    assert_false(uv_loop_init(&client->loop));
}

/* All handles are gone by themselves. */
static void client_close(struct client *client)
{
    assert_false(uv_run(&client->loop, UV_RUN_DEFAULT));
    assert_false(uv_loop_close(&client->loop));
}

static struct ask_question soa_question(const struct server *server)
{
    return (struct ask_question){
        .kind = NOTIFY_MSG_SOA, .apex = test_apex, .peer = server->addr, .timeout_ms = LONG_MS};
}

static struct ask_result ask_and_wait(const struct ask_question *question)
{
    struct client client;
    client_open(&client);
    assert_non_null(ask_start(&client.loop, question, on_told, &client));
    assert_int_equal(client.told_cnt, 0);
    client_close(&client);
    assert_int_equal(client.told_cnt, 1);
    return client.result;
}

static void assert_answered(const struct ask_result *result)
{
    assert_int_equal(result->outcome, ASK_ANSWERED);
    assert_int_equal(result->answer.rcode, RCODE_NOERROR);
    assert_true(result->answer.is_authoritative && result->answer.has_soa);
    assert_int_equal(result->answer.soa.serial, SERIAL);
}

static void assert_why(const struct ask_result *result, enum ask_outcome outcome, const char *why)
{
    assert_int_equal(result->outcome, outcome);
    if (!strstr(result->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, result->why);
}

/* ---- tests */

static void test_udp(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, serve_udp, NULL, NULL);
    struct ask_question question = soa_question(&server);
    struct ask_result result = ask_and_wait(&question);
    assert_answered(&result);
    server_stop(&server);
}

static void test_notify(void **state)
{
    uint8_t rdata[2 * NAME_MAX_LEN + 20];
    struct rr soa = {.owner = test_apex, .rdata = rdata, .type = RR_SOA};
    struct server server;
    (void)state;
    soa.rdata_len = (uint16_t)put_soa(rdata, "5", "60");
    server_start(&server, serve_udp, NULL, NULL);
    struct ask_question question = soa_question(&server);
    question.kind = NOTIFY_MSG_NOTIFY;
    question.soa = &soa;
    struct ask_result result = ask_and_wait(&question);
    assert_int_equal(result.outcome, ASK_ANSWERED);
    assert_int_equal(result.answer.rcode, RCODE_NOERROR);
    server_stop(&server);
}

static void test_signed(void **state)
{
    struct server server;
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    server_start(&server, serve_udp, NULL, &key);
    struct ask_question question = soa_question(&server);
    question.key = &key;
    struct ask_result result = ask_and_wait(&question);
    assert_answered(&result);
    server_stop(&server);
}

/* What was not signed as it has to be is nothing: the answer may still come. */
static void test_not_signed_well(void **state)
{
    static server_fn *const servers[] = {serve_unsigned, serve_spoilt};
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < 2; i++) {
        struct server server;
        server_start(&server, servers[i], NULL, &key);
        struct ask_question question = soa_question(&server);
        question.key = &key;
        question.timeout_ms = PASS_MS;
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_SILENT, "an answer, NOERROR, is not signed as it has to be (key \"xfr.\"");
        assert_true(result.was_passed_over);
        server_stop(&server);
    }
}

static void test_unknown_key(void **state)
{
    struct server server;
    struct tsig_key key, other;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    make_key(&other, "other.", "0123456789abcdef");
    server_start(&server, serve_unknown_key, NULL, &key);
    struct ask_question question = soa_question(&server);
    question.key = &other;
    question.timeout_ms = PASS_MS;
    struct ask_result result = ask_and_wait(&question);
    assert_why(&result, ASK_SILENT, "our key is not known (key \"other.\": compare name, algorithm and secret on both "
                                     "sides)");
    server_stop(&server);
}

static void test_tcp(void **state)
{
    static server_fn *const servers[] = {serve_one_connection, serve_drip, serve_truncated};
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < 6; i++) {
        struct server server;
        server_start(&server, servers[i / 2], NULL, &key);
        struct ask_question question = soa_question(&server);
        question.key = i % 2 ? &key : NULL;
        question.over_tcp = servers[i / 2] != serve_truncated;
        struct ask_result result = ask_and_wait(&question);
        assert_answered(&result);
        assert_int_equal(server.seen_cnt, question.over_tcp ? 1 : 2);
        server_stop(&server);
    }
}

/* An RCODE is an answer, whatever TC says; and of a NOTIFY TC is of no account. */
static void test_truncated_that_is_enough(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, serve_refused, NULL, NULL);
    struct ask_question question = soa_question(&server);
    for (unsigned i = 0; i < 2; i++) {
        struct ask_result result = ask_and_wait(&question);
        assert_int_equal(result.outcome, ASK_ANSWERED);
        assert_int_equal(result.answer.rcode, RCODE_REFUSED);
        question.kind = NOTIFY_MSG_NOTIFY;
    }
    server_stop(&server);

    server_start(&server, serve_truncated, NULL, NULL);
    question = soa_question(&server);
    question.kind = NOTIFY_MSG_NOTIFY;
    struct ask_result result = ask_and_wait(&question);
    assert_int_equal(result.outcome, ASK_ANSWERED);
    assert_int_equal(server.seen_cnt, 1);
    server_stop(&server);
}

static void test_silence(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, NULL, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct ask_question question = soa_question(&server);
        question.timeout_ms = SHORT_MS;
        question.over_tcp = i;
        uint64_t start_ms = clock_mono_ms();
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_SILENT, "no answer in time");
        assert_true(clock_mono_ms() - start_ms >= SHORT_MS - 1);
    }
    server_stop(&server);
}

static void test_nobody_there(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, NULL, NULL, NULL);
    server_stop(&server);
    for (unsigned i = 0; i < 2; i++) {
        struct ask_question question = soa_question(&server);
        question.over_tcp = i;
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_FAILED, "connection refused");
    }
}

/* Likewise by IPv6, where the loopback has it. */
static void test_nobody_there_v6(void **state)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof sa;
    struct addr peer, source;
    (void)state;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has_v6 = fd >= 0 && !bind(fd, (struct sockaddr *)&sa, len) && !getsockname(fd, (struct sockaddr *)&sa, &len);
    close(fd);
    if (!has_v6)
        skip();
    addr_from_sockaddr(&peer, (struct sockaddr *)&sa);
    assert_int_equal(addr_from_text(&source, "::1"), ERR_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct ask_question question = {.kind = NOTIFY_MSG_SOA,
                                        .apex = test_apex,
                                        .peer = peer,
                                        .sources = {.v6 = source},
                                        .over_tcp = i,
                                        .timeout_ms = LONG_MS};
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_FAILED, "connection refused");
    }
}

static void test_forgeries(void **state)
{
    struct server server;
    struct tsig_key key;
    (void)state;
    make_key(&key, "xfr.", "0123456789abcdef");
    for (unsigned i = 0; i < 4; i++) {
        bool is_answered = i < 2;
        server_start(&server, serve_forgeries, is_answered ? NULL : "never", &key);
        struct ask_question question = soa_question(&server);
        question.key = i % 2 ? &key : NULL;
        question.timeout_ms = is_answered ? LONG_MS : PASS_MS;
        struct ask_result result = ask_and_wait(&question);
        if (is_answered)
            assert_answered(&result);
        else
            assert_why(&result, ASK_SILENT, i % 2 ? "not signed" : "malformed");
        server_stop(&server);
    }
}

static void test_bad_tcp(void **state)
{
    static const struct {
        struct blurt blurt;
        const char *why;
    } cases[] = {
        {{"", 0}, "end of file"},
        {{"\0", 1}, "end of file"},
        {{"\0\100abc", 5}, "end of file"},
        {{"\0\0", 2}, "does not answer the question"},
        {{"\0\14HTTP/1.1 400", 14}, "does not answer the question"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server server;
        server_start(&server, serve_blurt, &cases[i].blurt, NULL);
        struct ask_question question = soa_question(&server);
        question.over_tcp = true;
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_FAILED, cases[i].why);
        server_stop(&server);
    }
}

/* Tells from where it was asked, in the serial. */
static void serve_source(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked))
        server_reply(server, &asked, answer, make_answer(answer, &asked, ntohl(asked.from.sin_addr.s_addr)));
}

static void test_source(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, serve_source, NULL, NULL);
    struct ask_question question = soa_question(&server);
    assert_int_equal(addr_from_text(&question.sources.v4, "127.0.0.2"), ERR_OK);
    assert_int_equal(addr_from_text(&question.sources.v6, "2001:db8::1"), ERR_OK); /* not of that family */
    struct ask_result result = ask_and_wait(&question);
    assert_int_equal(result.outcome, ASK_ANSWERED);
    assert_int_equal(result.answer.soa.serial, 0x7f000002);
    server_stop(&server);
}

/* Nothing can be sent: that is told, but later. */
static void test_source_that_is_not_ours(void **state)
{
    struct server server;
    (void)state;
    server_start(&server, NULL, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct ask_question question = soa_question(&server);
        assert_int_equal(addr_from_text(&question.sources.v4, "192.0.2.1"), ERR_OK);
        question.over_tcp = i;
        struct ask_result result = ask_and_wait(&question);
        assert_why(&result, ASK_FAILED, "address not available");
    }
    server_stop(&server);
}

/* Tells the port in the serial's upper half and the ID in the lower. */
static void serve_port(struct server *server)
{
    struct asked asked;
    uint8_t answer[1024];
    while (server_receive(server, &asked))
        server_reply(server, &asked, answer,
                     make_answer(answer, &asked, (uint32_t)ntohs(asked.from.sin_port) << 16 | msg_id(asked.msg)));
}

/* A port and an ID that nobody can guess: over some exchanges neither repeats itself much. */
static void test_ports_and_ids(void **state)
{
    enum { ROUNDS = 30 };
    uint32_t seen[ROUNDS];
    unsigned same_port_cnt = 0, same_id_cnt = 0;
    struct server server;
    (void)state;
    server_start(&server, serve_port, NULL, NULL);
    struct ask_question question = soa_question(&server);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ask_result result = ask_and_wait(&question);
        assert_int_equal(result.outcome, ASK_ANSWERED);
        seen[i] = result.answer.soa.serial;
        for (unsigned k = 0; k < i; k++) {
            same_port_cnt += seen[i] >> 16 == seen[k] >> 16;
            same_id_cnt += (seen[i] & 0xffff) == (seen[k] & 0xffff);
        }
    }
    assert_true(same_port_cnt < 5 && same_id_cnt < 5);
    server_stop(&server);
}

/* After any number of the loop's turns. */
static void test_cancel(void **state)
{
    static server_fn *const servers[] = {serve_udp, serve_truncated, serve_drip, NULL};
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned turns = 0; turns < 12; turns++) {
            struct server server;
            struct client client;
            client_open(&client);
            server_start(&server, servers[i], NULL, NULL);
            struct ask_question question = soa_question(&server);
            question.over_tcp = servers[i] == serve_drip;
            struct ask *ask = ask_start(&client.loop, &question, on_told, &client);
            for (unsigned k = 0; k < turns && !client.told_cnt; k++) {
                uv_run(&client.loop, UV_RUN_NOWAIT);
                usleep(k % 3 * 100);
            }
            unsigned told_cnt = client.told_cnt;
            if (!told_cnt)
                ask_cancel(ask);
            client_close(&client);
            assert_int_equal(client.told_cnt, told_cnt);
            server_stop(&server);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_not_signed_well),
        cmocka_unit_test(test_unknown_key),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_truncated_that_is_enough),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_nobody_there_v6),
        cmocka_unit_test(test_forgeries),
        cmocka_unit_test(test_bad_tcp),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_source_that_is_not_ours),
        cmocka_unit_test(test_ports_and_ids),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
