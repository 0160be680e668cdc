/* The questions of a load generator: a file of lines "NAME TYPE", as dnsperf reads them, kept as they go on the wire.
 * What is wrong with the file ends the program. One thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { QUERY_HEADER_LEN = 12, QUESTION_MAX = 255 + 4, QUERY_MAX = QUERY_HEADER_LEN + QUESTION_MAX };

struct questions {
    uint8_t *bytes; /* QNAME, QTYPE, QCLASS of one behind the other's */
    size_t *starts; /* cnt + 1 of them */
    size_t cnt;     /* at least 1 */
};

void questions_read(struct questions *questions, const char *path);
void questions_free(struct questions *questions);

/* The header and the question numbered `number`, counted on from the first again behind the last; no OPT. `out` has
 * QUERY_MAX bytes; returns how many were written. */
size_t questions_put(uint8_t *out, const struct questions *questions, uint64_t number, uint16_t id);
