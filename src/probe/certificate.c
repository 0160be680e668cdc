#include "probe/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum { DAY_SEC = 86400 };

/* ---- looking at it */

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}

static bool set_host(X509_VERIFY_PARAM *param, const char *host)
{
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(param, host) || X509_VERIFY_PARAM_set1_host(param, host, 0);
}

/* In a context of our own: that of the handshake has the store of whoever made it. What is wrong is not left to be
 * taken for an error of the handshake. */
static void verify(struct certificate *c, X509_STORE_CTX *shown)
{
    ERR_set_mark();
    X509_STORE_CTX *own = X509_STORE_CTX_new();
    if (!own || !X509_STORE_CTX_init(own, c->trusted, X509_STORE_CTX_get0_cert(shown),
                                     X509_STORE_CTX_get0_untrusted(shown)))
        mem_exhausted();
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(own);
    X509_VERIFY_PARAM_set_auth_level(param, X509_VERIFY_PARAM_get_auth_level(X509_STORE_CTX_get0_param(shown)));
    if (!X509_STORE_CTX_set_default(own, "ssl_server") || !set_host(param, c->host))
        mem_exhausted();
    int result = X509_verify_cert(own);
    c->error = X509_STORE_CTX_get_error(own);
    c->depth = X509_STORE_CTX_get_error_depth(own);
    if (result != 1 && c->error == X509_V_OK)
        c->error = X509_V_ERR_UNSPECIFIED;
    X509_STORE_CTX_free(own);
    ERR_pop_to_mark();
}

int certificate_verify(struct x509_store_ctx_st *shown, void *certificate)
{
    struct certificate *c = certificate;
    const X509 *leaf = X509_STORE_CTX_get0_cert(shown);
    c->seen = true;
    c->error = X509_V_OK;
    c->from_sec = seconds_of(X509_get0_notBefore(leaf));
    c->to_sec = seconds_of(X509_get0_notAfter(leaf));
    if (c->trusted)
        verify(c, shown);
    X509_STORE_CTX_set_error(shown, c->error);
    return c->error == X509_V_OK;
}

/* ---- telling */

static int64_t days_of(int64_t sec)
{
    return sec >= 0 ? sec / DAY_SEC : -((-sec + DAY_SEC - 1) / DAY_SEC);
}

int16_t certificate_days_left(const struct certificate *certificate, int64_t now_sec)
{
    int64_t days = days_of(certificate->to_sec - now_sec);
    return days > INT16_MAX ? INT16_MAX : days < INT16_MIN ? INT16_MIN : (int16_t)days;
}

/* "3 days", "a day", "less than a day" */
static const char *days_text(char *out, size_t cap, int64_t sec)
{
    long long days = sec / DAY_SEC;
    if (days < 2)
        snprintf(out, cap, "%s", days ? "a day" : "less than a day");
    else
        snprintf(out, cap, "%lld days", days);
    return out;
}

static void time_text(char out[PROBE_REASON_MAX], const struct certificate *c, int64_t now_sec)
{
    char days[40];
    if (c->depth)
        snprintf(out, PROBE_REASON_MAX, "certificate: that of its issuer is %s",
                 c->error == X509_V_ERR_CERT_HAS_EXPIRED ? "expired" : "not valid yet");
    else if (c->error == X509_V_ERR_CERT_HAS_EXPIRED)
        snprintf(out, PROBE_REASON_MAX, "certificate: expired %s ago",
                 days_text(days, sizeof days, now_sec - c->to_sec));
    else
        snprintf(out, PROBE_REASON_MAX, "certificate: not valid yet, but in %s",
                 days_text(days, sizeof days, c->from_sec - now_sec));
}

/* The host last, as only the end may be cut off. */
static void other_text(char out[PROBE_REASON_MAX], const struct certificate *c)
{
    switch (c->error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(out, PROBE_REASON_MAX, "certificate: not for \"%.60s\"", c->host);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(out, PROBE_REASON_MAX, "certificate: self-signed");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        snprintf(out, PROBE_REASON_MAX, "certificate: issuer unknown");
        break;
    default:
        snprintf(out, PROBE_REASON_MAX, "certificate: %s", X509_verify_cert_error_string(c->error));
    }
}

char *certificate_problem(char out[PROBE_REASON_MAX], const struct certificate *certificate, int64_t now_sec)
{
    if (certificate->error == X509_V_ERR_CERT_HAS_EXPIRED || certificate->error == X509_V_ERR_CERT_NOT_YET_VALID)
        time_text(out, certificate, now_sec);
    else
        other_text(out, certificate);
    return out;
}
