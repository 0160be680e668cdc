/* The frame: what a malformed, odd or foreign request gets (RFC 1035 4.1, 6891, 9619). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "helpers/decode.h"
#include "helpers/world.h"

#define BYTES(s) s, sizeof(s) - 1
#define QUESTION "\3WWW\7example\0\0\1\0\1"
#define QU "qu WWW.example. 1 1\n"
#define OPT "\0\0\51\4\320\0\0\0\0\0\0"
#define OPT_V1 "\0\0\51\4\320\0\1\200\0\0\0"
#define A_RR "\300\14\0\1\0\1\0\0\0\0\0\4abcd"
#define AN "an WWW.example. 60 1 192.0.2.1\n"

struct request {
    const char *what;
    uint16_t flags, qd, an, ns, ar;
    const char *body;
    size_t body_len;
    const char *answer; /* NULL: silence */
};

static struct world world;

static int start(void **state)
{
    (void)state;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\n");
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static size_t write_request(uint8_t out[512], const struct request *r)
{
    const uint16_t header[6] = {0xbeef, r->flags, r->qd, r->an, r->ns, r->ar};
    for (unsigned i = 0; i < 6; i++)
        be16_put(out + 2 * i, header[i]);
    memcpy(out + 12, r->body, r->body_len);
    return 12 + r->body_len;
}

/* Into another buffer and in place; the request at the very end of its block, so that a sanitizer sees a byte too
 * many. */
static bool check(const struct request *r, bool in_place)
{
    uint8_t in[512], out[512];
    char text[4096] = "";
    size_t len = write_request(in + sizeof in - 12 - r->body_len, r);
    const uint8_t *from = in + sizeof in - len;
    if (in_place) {
        memcpy(out, from, len);
        from = out;
    }
    size_t out_len = world_answer(&world, out, sizeof out, from, len, ANSWER_UDP);
    const char *wrong = NULL;
    if (!out_len != !r->answer)
        wrong = out_len ? "an answer" : "silence";
    else if (out_len)
        wrong = decode_answer(text, sizeof text, out, out_len);
    if (!wrong && out_len && be16_get(out) != 0xbeef)
        wrong = "another ID";
    if (!wrong && out_len && strcmp(text, r->answer))
        wrong = "another answer";
    if (wrong)
        fprintf(stderr, "%s%s: %s\n--- got\n%s--- expected\n%s---\n", r->what, in_place ? ", in place" : "", wrong,
            text,
                r->answer ? r->answer : "");
    return !wrong;
}

static const struct request requests[] = {
    {"plain", 0, 1, 0, 0, 0, BYTES(QUESTION), "noerror aa\n" QU AN},
    {"RD", 0x100, 1, 0, 0, 0, BYTES(QUESTION), "noerror aa rd\n" QU AN},
    {"EDNS", 0, 1, 0, 0, 1, BYTES(QUESTION OPT), "noerror aa\n" QU AN "opt 1232\n"},
    {"EDNS with an option", 0, 1, 0, 0, 1, BYTES(QUESTION "\0\0\51\4\320\0\0\0\0\0\4\0\3\0\0"),
        "noerror aa\n" QU AN "opt 1232\n"},
    {"an answer", 0x8000, 1, 0, 0, 0, BYTES(QUESTION), NULL},
    {"an answer of an unknown opcode", 0xf000, 1, 0, 0, 0, BYTES(QUESTION), NULL},
    /* opcodes */
    {"inverse query", 0x0900, 1, 0, 0, 0, BYTES(QUESTION), "notimp rd opcode1\n" QU},
    {"status with EDNS", 0x1000, 1, 0, 0, 1, BYTES(QUESTION OPT), "notimp opcode2\n" QU "opt 1232 15:0015\n"},
    {"NOTIFY", 0x2400, 1, 0, 0, 0, BYTES("\7example\0\0\6\0\1"), "refused opcode4\nqu example. 6 1\n"},
    {"UPDATE", 0x2800, 1, 0, 0, 0, BYTES("\7example\0\0\6\0\1"), "refused opcode5\nqu example. 6 1\n"},
    {"DSO", 0x3000, 0, 0, 0, 0, BYTES("\0\1\0\4\0\0\0\0"), "notimp opcode6\n"},
    {"unknown opcode, garbage", 0x7800, 1, 2, 3, 4, BYTES("\377\377\377\377\377"), "notimp opcode15\n"},
    /* QDCOUNT */
    {"no question", 0, 0, 0, 0, 0, BYTES(""), "formerr\n"},
    {"no question, EDNS", 0, 0, 0, 0, 1, BYTES(OPT), "formerr\nopt 1232\n"},
    {"no question though one is there", 0, 0, 0, 0, 0, BYTES(QUESTION), "formerr\n"},
    {"two questions", 0, 2, 0, 0, 0, BYTES(QUESTION QUESTION), "formerr\n"},
    {"two questions, the second compressed", 0, 2, 0, 0, 1, BYTES(QUESTION "\300\14\0\2\0\1" OPT), "formerr\n"
        "opt 1232\n"},
    {"two questions, one there", 0, 2, 0, 0, 0, BYTES(QUESTION), "formerr\n"},
    {"65535 questions", 0, 65535, 0, 0, 0, BYTES(QUESTION), "formerr\n"},
    /* the question */
    {"header alone", 0, 1, 0, 0, 0, BYTES(""), "formerr\n"},
    {"cut in the name", 0, 1, 0, 0, 0, BYTES("\3WW"), "formerr\n"},
    {"cut in the type", 0, 1, 0, 0, 0, BYTES("\3WWW\7example\0\0"), "formerr\n"},
    {"cut in the class", 0, 1, 0, 0, 0, BYTES("\3WWW\7example\0\0\1\0"), "formerr\n"},
    {"pointer as the name", 0, 1, 0, 0, 0, BYTES("\300\14\0\1\0\1"), "formerr\n"},
    {"label of 64", 0, 1, 0, 0, 0,
        BYTES("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\0\1\0\1"), "formerr\n"},
    /* other records: harmless when well-formed, as BIND and Knot have it */
    {"an answer record", 0, 1, 1, 0, 0, BYTES(QUESTION A_RR), "noerror aa\n" QU AN},
    {"an authority record and EDNS", 0, 1, 0, 1, 1, BYTES(QUESTION A_RR OPT), "noerror aa\n" QU AN "opt 1232\n"},
    {"a record behind the OPT", 0, 1, 0, 0, 2, BYTES(QUESTION OPT A_RR), "noerror aa\n" QU AN "opt 1232\n"},
    {"an answer record that is not there", 0, 1, 1, 0, 0, BYTES(QUESTION), "formerr\n" QU},
    {"65535 records that are not there", 0, 1, 65535, 65535, 65535, BYTES(QUESTION OPT), "formerr\n" QU},
    {"a record of which half is there", 0, 1, 0, 0, 1, BYTES(QUESTION "\0\0\51\4\320\0\0\0\0\0\1"), "formerr\n" QU},
    {"a pointer forwards", 0, 1, 1, 0, 0, BYTES(QUESTION "\300\377\0\1\0\1\0\0\0\0\0\4abcd"), "formerr\n" QU},
    {"bytes behind the question", 0, 1, 0, 0, 0, BYTES(QUESTION "x"), "formerr\n" QU},
    {"bytes behind the OPT", 0, 1, 0, 0, 1, BYTES(QUESTION OPT "x"), "formerr\n" QU "opt 1232\n"},
    /* EDNS */
    {"version 1", 0, 1, 0, 0, 1, BYTES(QUESTION OPT_V1), "badvers\n" QU "opt 1232 do\n"},
    {"version 1, unknown opcode", 0x1000, 1, 0, 0, 1, BYTES(QUESTION OPT_V1), "badvers opcode2\n" QU "opt 1232 do\n"},
    {"version 1, not our zone", 0, 1, 0, 0, 1, BYTES("\1a\0\0\1\0\1" OPT_V1), "badvers\nqu a. 1 1\nopt 1232 do\n"},
    {"version 1, no question", 0, 0, 0, 0, 1, BYTES(OPT_V1), "badvers\nopt 1232 do\n"},
    {"unknown flags", 0, 1, 0, 0, 1, BYTES(QUESTION "\0\0\51\4\320\0\0\177\377\0\0"),
        "noerror aa\n" QU AN "opt 1232\n"},
    {"an RCODE in the OPT", 0, 1, 0, 0, 1, BYTES(QUESTION "\0\0\51\4\320\7\0\0\0\0\0"),
        "noerror aa\n" QU AN "opt 1232\n"},
    {"two OPTs", 0, 1, 0, 0, 2, BYTES(QUESTION OPT OPT), "formerr\n" QU},
    {"an OPT below the root", 0, 1, 0, 0, 1, BYTES(QUESTION "\1a" OPT), "formerr\n" QU},
    {"an OPT among the answers", 0, 1, 1, 0, 0, BYTES(QUESTION OPT), "formerr\n" QU},
    {"a broken option", 0, 1, 0, 0, 1, BYTES(QUESTION "\0\0\51\4\320\0\0\0\0\0\5\0\3\0\2x"), "formerr\n" QU},
    {"refused, with EDNS", 0, 1, 0, 0, 1, BYTES("\1a\0\0\1\0\1" OPT), "refused\nqu a. 1 1\nopt 1232 15:0014\n"},
};

static void test_requests(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        wrong += !check(&requests[i], false);
        wrong += !check(&requests[i], true);
    }
    assert_int_equal(wrong, 0);
}

static void test_shorter_than_a_header(void **state)
{
    (void)state;
    uint8_t in[12] = {0}, out[512];
    for (size_t len = 0; len < 12; len++)
        assert_int_equal(world_answer(&world, out, sizeof out, in + 12 - len, len, ANSWER_UDP), 0);
}

/* Cut anywhere, a request gets an answer that is well-formed, or none. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const struct request whole = {"", 0, 1, 0, 0, 1, BYTES(QUESTION OPT), ""};
    uint8_t in[512], out[512];
    size_t whole_len = write_request(in, &whole);
    for (size_t len = 12; len < whole_len; len++) {
        uint8_t cut[64];
        memcpy(cut + sizeof cut - len, in, len);
        size_t out_len = world_answer(&world, out, sizeof out, cut + sizeof cut - len, len, ANSWER_UDP);
        assert_true(out_len >= 12);
        assert_null(decode_answer(NULL, 0, out, out_len));
        assert_int_equal(out[3] & 15, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_shorter_than_a_header),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
