/* A TLS server that is probed: a thread a connection. */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>

#include "pki.h"

enum tls_manner {
    TLS_ANSWERS, /* the text of `answer` to a request, then closes */
    TLS_HANGS,   /* takes the connection, and says nothing */
    TLS_SILENT,  /* after the handshake */
    TLS_CLOSES,  /* once the request is there */
    TLS_RESETS,  /* the same, hard */
    TLS_SLAMS,   /* closes before the handshake */
    TLS_ENDLESS, /* `answer`, and then its last byte for ever */
    TLS_BEGINS_ANEW, /* requests to begin a handshake, by the thousand, in place of one */
    TLS_TICKETS,     /* session tickets in place of an answer, without end */
};

struct tls_server {
    uint16_t port;
    uint32_t accepted_cnt; /* atomic */
    int manner;            /* atomic */
    const char *answer;    /* atomic */
    pthread_mutex_t lock;  /* of what follows */
    char server_name[256]; /* of the last handshake */
    char request[2048];    /* the last */
    /* Its own. */
    SSL_CTX *context;
    uint32_t live_cnt; /* atomic */
    int listen_fd, stop_fd;
    pthread_t thread;
};

/* On all addresses of the machine. `above` is sent with it; may be NULL. */
void tls_server_start(struct tls_server *server, const struct pki *pki, const struct pki *above);
void tls_server_stop(struct tls_server *server);
void tls_server_behave(struct tls_server *server, enum tls_manner manner, const char *answer);
/* Before TLS 1.3, with Diffie and Hellman's numbers of the group "ffdhe4096" or such; for a certificate of RSA. */
void tls_server_use_dh(struct tls_server *server, const char *group);
uint32_t tls_server_accepted(const struct tls_server *server);
