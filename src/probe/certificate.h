/* The certificate that a server shows: is it trusted, for the right name, within its time, and for how long yet.
 * Verification is here alone, whatever library has the connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/probe.h"

struct x509_store_st;
struct x509_store_ctx_st;

struct certificate {
    /* What is wanted. */
    struct x509_store_st *trusted; /* NULL: nothing is verified, it is only looked at */
    const char *host;              /* borrowed: a name, or an address */
    /* What was found. */
    bool seen;
    int error; /* X509_V_…; 0: none, or not verified */
    int depth; /* of the certificate that has it: 0 the server's own */
    int64_t from_sec, to_sec; /* it is valid, since 1970 */
};

/* The callback for SSL_CTX_set_cert_verify_callback: looks at what a server shows. `certificate` is a struct
 * certificate. 1: go on with it. */
int certificate_verify(struct x509_store_ctx_st *shown, void *certificate) ATTR_NONNULL_ALL;

/* Days left at a time, whole ones: less than a day is 0, less than a day ago is -1. */
int16_t certificate_days_left(const struct certificate *certificate, int64_t now_sec) ATTR_NONNULL_ALL;
/* What is wrong with it in words, `error` not being 0; returns `out`. */
char *certificate_problem(char out[PROBE_REASON_MAX], const struct certificate *certificate,
                          int64_t now_sec) ATTR_NONNULL_ALL;
