#include "helpers/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "dns/msg.h"
#include "dns/rr.h"

enum { KINDS_MAX = 200, UDP_LEN = 4096, POOL_LEN = 4 << 20 };

#define BYTES(s) s, sizeof(s) - 1
#define WWW "\3www\7example\3com\0\0\1\0\1"
#define OPT "\0\0\51\4\320\0\0\0\0\0\0"
#define TINY_RR "\0\0\1\0\1\0\0\0\0\0\0"
#define A_RR "\300\14\0\1\0\1\0\0\0\0\0\4abcd"
#define A63 "\77aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct hostile kinds[KINDS_MAX];
static size_t kind_cnt;
static uint8_t pool[POOL_LEN];
static struct writer at; /* the kind that is being made */

/* ---- a kind, piece by piece ---- */

static void begin(uint16_t flags, uint16_t qd, uint16_t an, uint16_t ns, uint16_t ar)
{
    const uint16_t header[6] = {HOSTILE_ID, flags, qd, an, ns, ar};
    for (unsigned i = 0; i < 6; i++)
        writer_u16(&at, header[i]);
}

static void put(const char *bytes, size_t len) { writer_put(&at, bytes, len); }

static void put_times(unsigned times, const char *bytes, size_t len)
{
    while (times-- > 0)
        put(bytes, len);
}

/* As often as it fits into a message of `most` bytes in all; returns how often. */
static unsigned put_to(size_t most, const char *bytes, size_t len)
{
    unsigned times = (unsigned)((most - writer_len(&at)) / len);
    put_times(times, bytes, len);
    return times;
}

static void end_as(const char *what, const char *answer, enum answer_proto proto)
{
    if (at.failed || kind_cnt == KINDS_MAX) {
        fprintf(stderr, "no room for \"%s\"\n", what);
        exit(2);
    }
    kinds[kind_cnt++] = (struct hostile){what, at.begin, writer_len(&at), answer, proto};
    at = writer_over(at.at, writer_left(&at));
}

static void end(const char *what, const char *answer) { end_as(what, answer, ANSWER_UDP); }

/* A whole one out of its parts. */
static void add(const char *what, const char *answer, const uint16_t counts[4], const char *body, size_t len)
{
    begin(0, counts[0], counts[1], counts[2], counts[3]);
    put(body, len);
    end(what, answer);
}
#define ADD(what, answer, qd, an, ns, ar, body) \
    add(what, answer, (const uint16_t[4]){qd, an, ns, ar}, BYTES(body))

/* ---- the kinds ---- */

static void add_headers(void)
{
    static char names[16][24];
    for (unsigned len = 0; len < MSG_HEADER_LEN; len++) {
        static const char *const what[] = {"0 bytes", "1 byte", "2 bytes", "3 bytes", "4 bytes", "5 bytes", "6 bytes",
            "7 bytes", "8 bytes", "9 bytes", "10 bytes", "11 bytes"};
        put(BYTES("\276\357\0\0\0\1\0\0\0\0\0\0") - (MSG_HEADER_LEN - len));
        end(what[len], NULL);
    }
    begin(MSG_QR, 1, 0, 0, 0);
    put(BYTES(WWW));
    end("an answer", NULL);
    begin(MSG_QR | MSG_OPCODE_MASK | 0xff, 65535, 65535, 65535, 65535);
    put_to(UDP_LEN, BYTES("\377"));
    end("an answer full of ones", NULL);
    begin(0xffff & ~MSG_QR, 65535, 65535, 65535, 65535);
    put_to(UDP_LEN, BYTES("\377"));
    end("full of ones", "?notimp");
    begin(0, 0, 0, 0, 0);
    put_to(UDP_LEN, BYTES("\0"));
    end("full of zeros", "?formerr");
    for (unsigned opcode = 1; opcode < 16; opcode++) {
        snprintf(names[opcode], sizeof names[opcode], "opcode %u", opcode);
        begin((uint16_t)(opcode << MSG_OPCODE_SHIFT), 1, 0, 0, 1);
        put(BYTES(WWW OPT));
        bool is_judged = opcode == OPCODE_NOTIFY || opcode == OPCODE_UPDATE; /* they are none without a SOA */
        end(names[opcode], is_judged ? "formerr" : "notimp");
    }
}

static void add_question_counts(void)
{
    ADD("no question", "?formerr", 0, 0, 0, 0, "");
    ADD("no question, an OPT", "?formerr", 0, 0, 0, 1, OPT);
    ADD("no question but bytes", "?formerr", 0, 0, 0, 0, WWW);
    ADD("two questions", "?formerr", 2, 0, 0, 1, WWW "\300\14\0\1\0\1" OPT);
    ADD("two questions, one there", "?formerr", 2, 0, 0, 0, WWW);
    ADD("65535 questions, one there", "?formerr", 65535, 0, 0, 0, WWW);
    begin(0, (UDP_LEN - MSG_HEADER_LEN) / 5, 0, 0, 0);
    put_to(UDP_LEN, BYTES("\0\0\1\0\1"));
    end("as many questions as fit", "?formerr");
}

static void add_question_names(void)
{
    ADD("header alone", "?formerr", 1, 0, 0, 0, "");
    ADD("name cut in a label", "?formerr", 1, 0, 0, 0, "\3ww");
    ADD("name cut before its end", "?formerr", 1, 0, 0, 0, "\3www\7example\3com");
    ADD("no type", "?formerr", 1, 0, 0, 0, "\3www\7example\3com\0");
    ADD("no class", "?formerr", 1, 0, 0, 0, "\3www\7example\3com\0\0\1");
    ADD("half a class", "?formerr", 1, 0, 0, 0, "\3www\7example\3com\0\0\1\0");
    ADD("pointer to itself", "?formerr", 1, 0, 0, 0, "\300\14\0\1\0\1");
    ADD("pointer forwards", "?formerr", 1, 0, 0, 0, "\300\40\0\1\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    ADD("pointer to the end", "?formerr", 1, 0, 0, 0, "\377\377\0\1\0\1");
    ADD("pointer into the header", "?formerr", 1, 0, 0, 0, "\300\4\0\1\0\1");
    ADD("label and a pointer to it", "?formerr", 1, 0, 0, 0, "\1a\300\14\0\1\0\1");
    ADD("half a pointer", "?formerr", 1, 0, 0, 0, "\300");
    ADD("label type 0x40", "?formerr", 1, 0, 0, 0, "\100\1a\0\0\1\0\1");
    ADD("label type 0x40, a bit string", "?formerr", 1, 0, 0, 0, "\101\1\200\0\0\1\0\1");
    ADD("label type 0x80", "?formerr", 1, 0, 0, 0, "\200\1a\0\0\1\0\1");
    ADD("label of 64", "?formerr", 1, 0, 0, 0, "\100a" A63 "\0\0\1\0\1");
    ADD("labels of 63, name of 257", "?formerr", 1, 0, 0, 0, A63 A63 A63 A63 "\0\0\1\0\1");
    ADD("labels of 63, name of 193", "refused", 1, 0, 0, 0, A63 A63 A63 "\0\0\1\0\1");
    begin(0, 1, 0, 0, 0);
    put_times(127, BYTES("\1a"));
    put(BYTES("\0\0\1\0\1"));
    end("127 labels", "refused");
    begin(0, 1, 0, 0, 0);
    put_times(128, BYTES("\1a"));
    put(BYTES("\0\0\1\0\1"));
    end("128 labels", "?formerr");
    begin(0, 1, 0, 0, 0);
    put_to(UDP_LEN, BYTES("\1a"));
    end("labels to the end", "?formerr");
    begin(0, 1, 0, 0, 0);
    put_times(120, BYTES("\1a"));
    put(BYTES("\7example\3com\0\0\1\0\1"));
    end("120 labels below the zone", "nxdomain");
}

static void add_types_and_classes(void)
{
    static const struct {
        const char *what, *answer;
        uint16_t type, class;
    } questions[] = {
        {"type 0", "noerror", 0, RR_CLASS_IN}, {"type 65535", "noerror", 65535, RR_CLASS_IN},
        {"type OPT", "formerr", RR_OPT, RR_CLASS_IN}, {"type TKEY", "formerr", RR_TKEY, RR_CLASS_IN},
        {"type TSIG", "formerr", RR_TSIG, RR_CLASS_IN}, {"type IXFR without a SOA", "formerr", RR_IXFR, RR_CLASS_IN},
        {"type AXFR over UDP", "formerr", RR_AXFR, RR_CLASS_IN}, {"type MAILB", "notimp", RR_MAILB, RR_CLASS_IN},
        {"type MAILA", "notimp", RR_MAILA, RR_CLASS_IN}, {"type 128", "formerr", 128, RR_CLASS_IN},
        {"class 0", "refused", RR_A, 0}, {"class CS", "refused", RR_A, 2}, {"class CH", "refused", RR_A, RR_CLASS_CH},
        {"class HS", "refused", RR_A, 4}, {"class NONE", "refused", RR_A, RR_CLASS_NONE},
        {"class 65535", "refused", RR_A, 65535},
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        begin(0, 1, 0, 0, 0);
        put(BYTES(WWW) - 4);
        writer_u16(&at, questions[i].type);
        writer_u16(&at, questions[i].class);
        end(questions[i].what, questions[i].answer);
    }
}

static void add_records(void)
{
    ADD("bytes behind the question", "formerr", 1, 0, 0, 0, WWW "x");
    ADD("bytes behind the OPT", "formerr", 1, 0, 0, 1, WWW OPT "x");
    begin(0, 1, 0, 0, 0);
    put(BYTES(WWW));
    put_to(UDP_LEN, BYTES("x"));
    end("many bytes behind the question", "formerr");
    ADD("an answer record that is not there", "formerr", 1, 1, 0, 0, WWW);
    ADD("65535 records in each section, none there", "formerr", 1, 65535, 65535, 65535, WWW);
    ADD("65535 records, one there", "formerr", 1, 0, 0, 65535, WWW OPT);
    ADD("owner: pointer to itself", "formerr", 1, 0, 0, 1, WWW "\300\41\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("owner: pointer forwards", "formerr", 1, 0, 0, 1, WWW "\300\57\0\1\0\1\0\0\0\0\0\4abcd\0");
    ADD("owner: pointer into the header", "formerr", 1, 0, 0, 1, WWW "\300\0\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("owner: label and pointer to it", "formerr", 1, 0, 0, 1, WWW "\1a\300\41\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("owner: half a pointer", "formerr", 1, 0, 0, 1, WWW "\300");
    ADD("owner: label type 0x40", "formerr", 1, 0, 0, 1, WWW "\101\1\200\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("owner: label type 0x80", "formerr", 1, 0, 0, 1, WWW "\200\0\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("owner: name of 257", "formerr", 1, 0, 0, 1, WWW A63 A63 A63 A63 "\0\0\1\0\1\0\0\0\0\0\4abcd");
    ADD("record without rdata", "formerr", 1, 0, 0, 1, WWW "\300\14\0\1\0\1\0\0\0\0\0\4abc");
    ADD("record cut in its length", "formerr", 1, 0, 0, 1, WWW "\300\14\0\1\0\1\0\0\0\0\0");
    ADD("record of 65535 bytes", "formerr", 1, 0, 0, 1, WWW "\300\14\0\1\0\1\0\0\0\0\377\377abcd");
    begin(0, 1, 0, 0, 1);
    put(BYTES(WWW));
    put_times(128, BYTES("\1a"));
    put(BYTES("\0\0\1\0\1\0\0\0\0\0\0"));
    end("owner: 128 labels", "formerr");
}

static void add_opts(void)
{
    ADD("two OPTs", "formerr", 1, 0, 0, 2, WWW OPT OPT);
    ADD("an OPT below the root", "formerr", 1, 0, 0, 1, WWW "\1a" OPT);
    ADD("an OPT owned by a pointer", "formerr", 1, 0, 0, 1, WWW "\300\40" "\0\51\4\320\0\0\0\0\0\0");
    ADD("an OPT among the answers", "formerr", 1, 1, 0, 0, WWW OPT);
    ADD("an OPT in authority", "formerr", 1, 0, 1, 0, WWW OPT);
    ADD("OPT version 1", "badvers", 1, 0, 0, 1, WWW "\0\0\51\4\320\0\1\0\0\0\0");
    ADD("OPT version 255 and all flags", "badvers", 1, 0, 0, 1, WWW "\0\0\51\377\377\377\377\377\377\0\0");
    ADD("half an option", "formerr", 1, 0, 0, 1, WWW "\0\0\51\4\320\0\0\0\0\0\3\0\3\0");
    ADD("an option longer than the OPT", "formerr", 1, 0, 0, 1, WWW "\0\0\51\4\320\0\0\0\0\0\5\0\3\0\2x");
    ADD("an option of 65535 bytes", "formerr", 1, 0, 0, 1, WWW "\0\0\51\4\320\0\0\0\0\0\4\0\3\377\377");
    begin(0, 1, 0, 0, 1);
    put(BYTES(WWW "\0\0\51\4\320\0\0\0\0"));
    unsigned options = (unsigned)(UDP_LEN - writer_len(&at) - 3) / 4;
    writer_u16(&at, (uint16_t)(4 * options + 1)); /* the last one is cut */
    put_times(options, BYTES("\377\1\0\0"));
    put(BYTES("\377"));
    end("as many options as fit, and one more", "formerr");
}

/* Messages that are long, in bytes or in what they are made of. */
static void add_floods(void)
{
    begin(0, 1, 65535, 65535, 65535);
    put(BYTES(WWW));
    put_to(UDP_LEN, BYTES(TINY_RR));
    end("as many records as fit, more claimed", "formerr");
    begin(OPCODE_UPDATE << MSG_OPCODE_SHIFT, 1, 65535, 65535, 65535);
    put(BYTES(WWW));
    put_to(UDP_LEN, BYTES(TINY_RR));
    end("as many records of an UPDATE as fit", "formerr");
    begin(0, 1, MSG_RECORDS_MAX, 0, 0);
    put(BYTES(WWW));
    for (unsigned i = 1; i <= MSG_RECORDS_MAX; i++) {
        put_times(i < MSG_RECORDS_MAX ? 127 : 128, BYTES("\1a"));
        put(BYTES(TINY_RR));
    }
    end("owners of 127 labels, then of 128", "formerr");
    begin(0, 1, 65535, 0, 0);
    put(BYTES(WWW));
    for (unsigned i = 0; i < (UDP_LEN - 33) / 12; i++) {
        put(BYTES("\300"));
        writer_u8(&at, (uint8_t)(i ? 33 : 12)); /* each to the pointer of the first */
        put(BYTES("\0\1\0\1\0\0\0\0\0\0"));
    }
    end("pointers to pointers", "formerr");
    begin(0, 1, 0, 0, 65535);
    put(BYTES(WWW));
    put_to(HOSTILE_MAX, BYTES(TINY_RR));
    end_as("64 KiB of records", "formerr", ANSWER_TCP);
    begin(0, 65535, 0, 0, 0);
    put_to(HOSTILE_MAX, BYTES("\0\0\1\0\1"));
    end_as("64 KiB of questions", "?formerr", ANSWER_TCP);
    begin(0, 1, 0, 0, 0);
    put_to(HOSTILE_MAX, BYTES("\1a"));
    end_as("64 KiB of labels", "?formerr", ANSWER_TCP);
}

const struct hostile *hostile_all(size_t *cnt)
{
    if (!kind_cnt) {
        at = writer_over(pool, sizeof pool);
        add_headers();
        add_question_counts();
        add_question_names();
        add_types_and_classes();
        add_records();
        add_opts();
        add_floods();
    }
    *cnt = kind_cnt;
    return kinds;
}
