/* Servers that are probed: one thread each, that answers, hangs, or misbehaves. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum server_manner {
    SERVER_ANSWERS, /* the text of `answer` to whatever came, then closes; a client that says nothing is closed after
                       200 ms */
    SERVER_HANGS,   /* takes the connection and says nothing */
    SERVER_CLOSES,  /* without an answer, once the request is there */
    SERVER_RESETS,  /* the same, hard */
    SERVER_ENDLESS_HEADERS,
    SERVER_ENDLESS_BODY,
    SERVER_TLS,  /* an alert, as TLS servers do */
    SERVER_HALF, /* half of a status line, then nothing */
};

enum { SERVER_TIMES_MAX = 100000 };

struct server {
    uint16_t port;
    uint32_t accepted_cnt, closed_cnt; /* atomic */
    uint64_t *times_us;                /* of acceptance, monotonic; up to accepted_cnt */
    uint64_t answered_us;              /* atomic: when it last spoke */
    /* Its own. */
    int manner;         /* atomic */
    const char *answer; /* atomic */
    int listen_fd, stop_fd;
    pthread_t thread;
};

/* On all addresses of the machine, at `port` (0: any). */
void server_start(struct server *server, uint16_t port, enum server_manner manner);
void server_stop(struct server *server);
void server_behave(struct server *server, enum server_manner manner, const char *answer);
uint32_t server_accepted(const struct server *server);
uint32_t server_closed(const struct server *server);
uint64_t now_us(void);
void sleep_ms(unsigned ms);

extern const char server_200[], server_500[];
