#include "probe/tls_guard.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

typedef int security_fn(const SSL *ssl, const SSL_CTX *context, int what, int strength, int number, void *other,
                        void *arg);

struct tls_guard {
    unsigned refs;
    int fd;
    security_fn *usual; /* the library's own */
    uint32_t message_cnt;
    uint64_t byte_cnt;
    const char *problem;
};

/* ---- whose it is */

static int place = -1; /* of a guard among the data of an SSL_CTX */

static void on_context_freed(void *context, void *guard, CRYPTO_EX_DATA *data, int at, long number, void *arg)
{
    (void)context;
    (void)data;
    (void)at;
    (void)number;
    (void)arg;
    tls_guard_put(guard);
}

static void find_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_freed);
    if (place < 0)
        mem_exhausted();
}

void tls_guard_put(struct tls_guard *guard)
{
    if (guard && !--guard->refs)
        free(guard);
}

/* ---- what comes */

/* Whoever reads next finds no connection. To close the socket would leave its number to the next one. */
static void cut(struct tls_guard *guard, const char *problem)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    guard->problem = problem;
    (void)connect(guard->fd, &nobody, sizeof nobody);
}

/* The head of each record, and each handshake message, of either side. */
static void on_message(int is_written, int version, int type, const void *bytes, size_t len, SSL *ssl, void *arg)
{
    struct tls_guard *guard = arg;
    const uint8_t *head = bytes;
    (void)version;
    (void)ssl;
    if (is_written || guard->problem)
        return;
    if (type == SSL3_RT_HEADER && len >= SSL3_RT_HEADER_LENGTH)
        guard->byte_cnt += SSL3_RT_HEADER_LENGTH + (unsigned)(head[3] << 8 | head[4]);
    if (type == SSL3_RT_HANDSHAKE)
        guard->message_cnt++;
    if (guard->message_cnt > TLS_GUARD_MESSAGES_MAX)
        cut(guard, "TLS: more than 64 handshake messages");
    else if (guard->byte_cnt > TLS_GUARD_BYTES_MAX)
        cut(guard, "more than 4 MiB received");
}

/* What the library itself thinks of it, and no more. Its groups that are known by name have short exponents; of those
 * that a server makes up, the time grows with the third power of the length. */
static int on_security(const SSL *ssl, const SSL_CTX *context, int what, int strength, int number, void *other,
                       void *arg)
{
    struct tls_guard *guard = arg;
    if (what == SSL_SECOP_TMP_DH && EVP_PKEY_get_bits(other) > TLS_GUARD_DH_BITS_MAX) {
        guard->problem = "TLS: Diffie-Hellman with more than 4096 bits";
        return 0;
    }
    return guard->usual(ssl, context, what, strength, number, other, NULL);
}

/* ---- from outside ---- */

struct tls_guard *tls_guard_new(struct ssl_ctx_st *context, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls_guard *guard = mem_zalloc(1, sizeof *guard);
    pthread_once(&once, find_place);
    guard->refs = 2;
    guard->fd = fd;
    guard->usual = SSL_CTX_get_security_callback(context);
    if (SSL_CTX_set_ex_data(context, place, guard) != 1)
        mem_exhausted();
    /* One reading, one message: else the rest of a record, hundreds of tickets, would hold the thread after the cut. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_msg_callback(context, on_message);
    SSL_CTX_set_msg_callback_arg(context, guard);
    SSL_CTX_set_security_callback(context, on_security);
    SSL_CTX_set0_security_ex_data(context, guard);
    return guard;
}

const char *tls_guard_problem(const struct tls_guard *guard) { return guard->problem; }
