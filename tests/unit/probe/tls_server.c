#include "tls_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

struct visit {
    struct tls_server *server;
    int fd;
};

static void must(int truth, const char *what)
{
    if (!truth) {
        perror(what);
        abort();
    }
}

/* Until the other side goes, or the server stops. */
static void wait_end(const struct tls_server *s, int fd)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLRDHUP}, {.fd = s->stop_fd, .events = POLLIN}};
    while (poll(polls, 2, -1) < 0 && errno == EINTR) {
    }
}

static int is_stopping(const struct tls_server *s)
{
    struct pollfd stop = {.fd = s->stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

static int read_request(struct tls_server *s, SSL *ssl)
{
    char request[sizeof s->request] = "";
    int len = 0, more = 1;
    while (more > 0 && len < (int)sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        more = SSL_read(ssl, request + len, (int)sizeof request - 1 - len);
        len += more > 0 ? more : 0;
        request[len] = '\0';
    }
    pthread_mutex_lock(&s->lock);
    if (len)
        memcpy(s->request, request, sizeof request);
    pthread_mutex_unlock(&s->lock);
    return more > 0;
}

static void send_tickets(const struct tls_server *s, SSL *ssl)
{
    while (!is_stopping(s) && SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1) {
    }
}

/* Records full of HelloRequest, which is a type of 0 and a length of 0 (RFC 5246 section 7.4.1.1). */
static void begin_anew(const struct tls_server *s, int fd)
{
    static const uint8_t record[5 + 16384] = {22, 3, 3, 0x40, 0};
    uint8_t hello[4096];
    ssize_t sent = recv(fd, hello, sizeof hello, 0);
    while (sent > 0 && !is_stopping(s))
        sent = send(fd, record, sizeof record, MSG_NOSIGNAL);
}

static void speak(struct tls_server *s, SSL *ssl, int fd, int manner)
{
    const char *answer = __atomic_load_n(&s->answer, __ATOMIC_ACQUIRE);
    int len = (int)strlen(answer);
    switch (manner) {
    case TLS_ANSWERS:
        SSL_write(ssl, answer, len);
        SSL_shutdown(ssl);
        break;
    case TLS_SILENT:
        wait_end(s, fd);
        break;
    case TLS_ENDLESS:
        if (SSL_write(ssl, answer, len) == len)
            for (char more[1024]; !is_stopping(s);) {
                memset(more, answer[len - 1], sizeof more);
                if (SSL_write(ssl, more, sizeof more) <= 0)
                    break;
            }
        break;
    case TLS_TICKETS:
        send_tickets(s, ssl);
        break;
    case TLS_RESETS:
        break;
    default:
        SSL_shutdown(ssl);
        break;
    }
}

static void talk(struct tls_server *s, int fd, int manner)
{
    SSL *ssl = SSL_new(s->context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        pthread_mutex_lock(&s->lock);
        snprintf(s->server_name, sizeof s->server_name, "%s", name ? name : "");
        pthread_mutex_unlock(&s->lock);
        if (read_request(s, ssl))
            speak(s, ssl, fd, manner);
    }
    SSL_free(ssl);
}

static void *serve(void *arg)
{
    struct visit visit = *(struct visit *)arg;
    struct tls_server *s = visit.server;
    int manner = __atomic_load_n(&s->manner, __ATOMIC_ACQUIRE);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    free(arg);
    if (manner == TLS_HANGS)
        wait_end(s, visit.fd);
    else if (manner == TLS_BEGINS_ANEW)
        begin_anew(s, visit.fd);
    else if (manner != TLS_SLAMS)
        talk(s, visit.fd, manner);
    if (manner == TLS_RESETS)
        setsockopt(visit.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(visit.fd);
    OPENSSL_thread_stop(); /* before stop() may return */
    __atomic_sub_fetch(&s->live_cnt, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void take(struct tls_server *s)
{
    struct timeval patience = {.tv_sec = 10};
    struct visit *visit = calloc(1, sizeof *visit);
    pthread_t thread;
    visit->server = s;
    visit->fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    must(visit->fd >= 0, "accept");
    setsockopt(visit->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(visit->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    __atomic_add_fetch(&s->live_cnt, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->accepted_cnt, 1, __ATOMIC_RELEASE);
    must(pthread_create(&thread, NULL, serve, visit) == 0, "pthread_create");
    pthread_detach(thread);
}

static void *run(void *arg)
{
    struct tls_server *s = arg;
    struct pollfd polls[2] = {{.fd = s->stop_fd, .events = POLLIN}, {.fd = s->listen_fd, .events = POLLIN}};
    while (!polls[0].revents) {
        must(poll(polls, 2, -1) >= 0 || errno == EINTR, "poll");
        if (polls[1].revents)
            take(s);
    }
    return NULL;
}

static void open_port(struct tls_server *s)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t len = sizeof any;
    int zero = 0;
    s->listen_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->listen_fd >= 0, "socket");
    setsockopt(s->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    must(bind(s->listen_fd, (struct sockaddr *)&any, sizeof any) == 0, "bind");
    must(listen(s->listen_fd, 4096) == 0, "listen");
    must(getsockname(s->listen_fd, (struct sockaddr *)&any, &len) == 0, "getsockname");
    s->port = ntohs(any.sin6_port);
}

void tls_server_start(struct tls_server *server, const struct pki *pki, const struct pki *above)
{
    *server = (struct tls_server){.manner = TLS_ANSWERS, .answer = server_200, .lock = PTHREAD_MUTEX_INITIALIZER};
    server->context = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate(server->context, pki->certificate) == 1, "certificate");
    must(SSL_CTX_use_PrivateKey(server->context, pki->key) == 1, "key");
    must(!above || SSL_CTX_add1_chain_cert(server->context, above->certificate) == 1, "chain");
    open_port(server);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    must(pthread_create(&server->thread, NULL, run, server) == 0, "pthread_create");
}

void tls_server_stop(struct tls_server *server)
{
    uint64_t one = 1;
    must(write(server->stop_fd, &one, sizeof one) == sizeof one, "write");
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    while (__atomic_load_n(&server->live_cnt, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    close(server->stop_fd);
    SSL_CTX_free(server->context);
}

void tls_server_behave(struct tls_server *server, enum tls_manner manner, const char *answer)
{
    if (answer)
        __atomic_store_n(&server->answer, answer, __ATOMIC_RELEASE);
    __atomic_store_n(&server->manner, (int)manner, __ATOMIC_RELEASE);
}

void tls_server_use_dh(struct tls_server *server, const char *group)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    EVP_PKEY *numbers = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("group", (char *)(uintptr_t)group, 0), OSSL_PARAM_END};
    must(EVP_PKEY_keygen_init(maker) == 1 && EVP_PKEY_CTX_set_params(maker, params) == 1 &&
             EVP_PKEY_generate(maker, &numbers) == 1,
         "numbers");
    EVP_PKEY_CTX_free(maker);
    must(SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION) == 1 &&
             SSL_CTX_set_cipher_list(server->context, "DHE-RSA-AES128-GCM-SHA256") == 1 &&
             SSL_CTX_set0_tmp_dh_pkey(server->context, numbers) == 1,
         "DHE");
}

uint32_t tls_server_accepted(const struct tls_server *server)
{
    return __atomic_load_n(&server->accepted_cnt, __ATOMIC_ACQUIRE);
}
