/* What libcurl says when a transfer failed, in the words that other checks use too. It tells a cause by its text alone
 * where OpenSSL found it; a text that is another one some day is shown as it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/response.h"
#include "probe/transfer.h"

static void fail(struct transfer *t, enum reason_code code, uint32_t number)
{
    kind_fail(&t->check->run, (struct reason){code, number});
}

static void fail_text(struct transfer *t, const char *before, const char *text)
{
    char *whole = mem_printf("%s%s", before, text);
    kind_end_text(&t->check->run, KIND_FAILED, whole, strlen(whole));
    free(whole);
}

static const char *words(const struct transfer *t, CURLcode code)
{
    return t->error[0] ? t->error : curl_easy_strerror(code);
}

/* "Recv failure: Connection reset by peer", "OpenSSL SSL_read: Broken pipe, errno 32"; 0: it names none of these. */
static int system_error(const struct transfer *t)
{
    static const int errors[] = {ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNABORTED};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strstr(t->error, strerrordesc_np(errors[i])))
            return errors[i];
    return 0;
}

/* "error:0A00010B:SSL routines::wrong version number" and
 * "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to 192.0.2.1:443 " */
static void fail_handshake(struct transfer *t, CURLcode code)
{
    const char *text = words(t, code), *begin = strstr(text, "::");
    char cause[PROBE_REASON_MAX];
    size_t len = strlen(text);
    if (system_error(t)) {
        kind_broken(&t->check->run, system_error(t));
        return;
    }
    if (begin) {
        begin += 2;
        len = strlen(begin);
    } else if ((begin = strstr(text, "SSL_connect: ")) != NULL) {
        begin += strlen("SSL_connect: ");
        const char *end = strstr(begin, " in connection to");
        len = end ? (size_t)(end - begin) : strlen(begin);
    } else {
        begin = text;
    }
    snprintf(cause, sizeof cause, "%.*s", (int)len, begin);
    if (!strcmp(cause, "SSL_ERROR_SYSCALL") || !strcmp(cause, "SSL_ERROR_ZERO_RETURN") ||
        !strcmp(cause, "unexpected eof while reading"))
        snprintf(cause, sizeof cause, "closed");
    fail_text(t, "TLS: handshake failed: ", cause);
}

static void fail_certificate(struct transfer *t)
{
    char text[PROBE_REASON_MAX];
    certificate_problem(text, &t->certificate, (int64_t)(clock_wall_ms() / 1000));
    fail_text(t, text, "");
}

/* The end came, or an error of the system's. */
static void fail_broken(struct transfer *t)
{
    static const enum reason_code closed[] = {[SECURE_HANDSHAKE] = REASON_ANSWER_CLOSED,
                                              [SECURE_WAITING] = REASON_ANSWER_CLOSED,
                                              [SECURE_HEAD] = REASON_HEAD_CLOSED,
                                              [SECURE_BODY] = REASON_BODY_CLOSED};
    if (strcasestr(t->error, "chunk"))
        fail(t, REASON_BAD_CHUNK, 0);
    else if (system_error(t))
        kind_broken(&t->check->run, system_error(t));
    else
        fail(t, closed[t->check->run.secure_phase], 0);
}

/* libcurl's word for its bound of one line, which is higher than ours of all, but one that has no end meets it: the
 * first one, or a header. In the handshake it is something else that the server wants too much of. Whoever lacks
 * memory on this machine ends it, so this is no word of that. */
static void fail_memory(struct transfer *t, CURLcode code)
{
    if (t->check->run.secure_phase == SECURE_HANDSHAKE)
        fail_handshake(t, code);
    else
        fail(t, REASON_HEAD_LONG, RESPONSE_HEAD_MAX / 1024);
}

void transfer_fail(struct transfer *t, CURLcode code)
{
    if (t->guard && tls_guard_problem(t->guard)) {
        fail_text(t, tls_guard_problem(t->guard), "");
        return;
    }
    if (t->certificate.error) {
        fail_certificate(t);
        return;
    }
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        fail_handshake(t, code);
        break;
    case CURLE_SSL_CLIENTCERT:
        fail_text(t, "TLS: handshake failed: ", "it wants a certificate of the client");
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        fail_broken(t);
        break;
    case CURLE_OUT_OF_MEMORY:
        fail_memory(t, code);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
        fail(t, REASON_NOT_HTTP, 0);
        break;
    case CURLE_BAD_CONTENT_ENCODING:
        fail(t, REASON_BAD_CODING, 0);
        break;
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        fail_text(t, "HTTP/2: ", words(t, code));
        break;
    default:
        fail_text(t, "", words(t, code));
    }
}
