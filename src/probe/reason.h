/* Why a check ended as it did, in eight bytes: a code and a number; the words are made when somebody wants to read
 * them. Values, any thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "probe/probe.h"

/* The sentence may hold one "%": REASON_NUMBER is shown as a number, REASON_DURATION as a duration of so many ms,
 * REASON_ERRNO as the system's sentence for it, REASON_RCODE as the RCODE's name. */
enum reason_shown { REASON_PLAIN, REASON_NUMBER, REASON_DURATION, REASON_ERRNO, REASON_RCODE };

#define REASON_MAP(X) \
    X(NONE, PLAIN, "not checked yet") \
    X(TEXT, PLAIN, "as the check says") \
    X(CONNECTED, PLAIN, "connected") \
    X(STATUS, NUMBER, "status %") \
    X(HANDSHAKE, PLAIN, "TLS handshake done") \
    X(SYSTEM, ERRNO, "%") \
    X(LOCAL, ERRNO, "not checked, trying again: %") \
    X(NO_PORT, PLAIN, "not checked, trying again: no free local port") \
    X(NO_ECHO, PLAIN, "not checked: neither net.ipv4.ping_group_range nor CAP_NET_RAW lets this process ping") \
    X(NO_SOURCE, PLAIN, "not checked, trying again: the source address is not one of this machine") \
    X(NOT_RUN, ERRNO, "not checked, trying again: cannot run it: %") \
    X(NO_PLACE, PLAIN, "not checked, trying again: too many commands run already") \
    X(NO_HELPER, PLAIN, "not checked, trying again: the process that runs commands does not answer") \
    X(NO_RESULT, DURATION, "no result within %") \
    X(NO_TURN, PLAIN, "not checked, trying again: too many TLS checks are under way") \
    X(NO_CA_FILE, ERRNO, "not checked, trying again: CA files: %") \
    X(NO_ROUTE, NUMBER, "no IPv% route from here") \
    X(NO_ADDRESS, NUMBER, "no IPv% address here to ask from") \
    X(FORBIDDEN, ERRNO, "not allowed from here: %") \
    X(NO_CONNECTION, DURATION, "no connection within %") \
    X(NO_HANDSHAKE, DURATION, "no TLS handshake within %") \
    X(NO_ANSWER, DURATION, "no answer within %") \
    X(HEAD_SLOW, DURATION, "headers not complete within %") \
    X(BODY_SLOW, DURATION, "body not complete within %") \
    X(ANSWER_CLOSED, PLAIN, "closed without an answer") \
    X(HEAD_CLOSED, PLAIN, "closed inside the headers") \
    X(BODY_CLOSED, PLAIN, "closed inside the body") \
    X(NOT_HTTP_TLS, PLAIN, "not HTTP: TLS") \
    X(NOT_HTTP, PLAIN, "not HTTP: the answer does not begin with HTTP/1") \
    X(BAD_STATUS_LINE, PLAIN, "not HTTP: malformed status line") \
    X(BAD_HEADER, PLAIN, "not HTTP: malformed header line") \
    X(BAD_LENGTH, PLAIN, "not HTTP: malformed Content-Length") \
    X(BAD_CODING, PLAIN, "not HTTP: unknown Transfer-Encoding") \
    X(BAD_CHUNK, PLAIN, "not HTTP: malformed chunk") \
    X(HEAD_LONG, NUMBER, "headers of more than % KiB") \
    X(INTERIM_MANY, NUMBER, "more than % interim responses") \
    X(NO_MATCH, NUMBER, "status %, but the body does not match") \
    X(NO_MATCH_CUT, NUMBER, "status %, but no match in the first 64 KiB of the body") \
    X(EXPECTED, PLAIN, "the expected answer") \
    X(NOT_EXPECTED, NUMBER, "no match in the first % KiB") \
    X(DNS_ANSWER, RCODE, "answer %") \
    X(DNS_NO_RECORD, RCODE, "answer %, without the expected record") \
    X(DNS_NO_RECORD_CUT, RCODE, "answer %, truncated before the expected record") \
    X(DNS_MALFORMED, PLAIN, "malformed answer") \
    X(DNS_OTHERS, DURATION, "no answer within %, but to other questions") \
    X(ECHO_ANSWER, PLAIN, "echo answered") \
    X(ECHO_LOST, NUMBER, "% percent of the echo requests lost")

enum reason_code {
#define X(name, shown, text) REASON_##name,
    REASON_MAP(X)
#undef X
    REASON_CNT
};

struct reason {
    uint32_t code; /* enum reason_code */
    uint32_t number;
};

/* In words, always terminated; returns `out`. REASON_TEXT has its words elsewhere, beside the reason. */
char *reason_to_text(char out[PROBE_REASON_MAX], struct reason reason) ATTR_NONNULL_ALL;
