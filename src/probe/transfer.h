/* One https or tls check as libcurl sees it: what is asked of it, what it brings, and what that means. Who moves the
 * bytes is driver_curl.c. All on the probe thread. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/certificate.h"
#include "probe/check.h"
#include "probe/secure.h"
#include "probe/tls_guard.h"

struct transfer {
    struct transfer *before, *after; /* the driver's ... */
    uint64_t queued_us;              /* ... in the prober's time: since when it waits */
    struct check *check;
    CURL *easy; /* NULL: not begun */
    curl_socket_t fd; /* the connection's, once the handle has it, whose it is */
    struct certificate certificate;
    struct tls_guard *guard; /* counted; NULL: there was no handshake */
    uint8_t *body; /* owned */
    size_t body_len, body_cap;
    struct curl_slist *headers; /* owned */
    uint32_t head_len;          /* counts against RESPONSE_HEAD_MAX */
    uint16_t status;
    uint8_t interim_cnt;
    bool head_done, body_cut;
    bool speaks_2; /* HTTP/2 */
    uint64_t begun_us, handshake_us, answered_us; /* monotonic; 0: not yet */
    struct load_want load_want;
    struct load_report load;
    char error[CURL_ERROR_SIZE];
};

struct transfer *transfer_new(struct check *check) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Only of one that no multi handle has. */
void transfer_free(struct transfer *transfer);
/* Makes the easy handle, to which the check's socket goes once it asks for it. `trusted` is counted, NULL when nothing
 * is to be verified; `nowhere`, the list for CURLOPT_CONNECT_TO, is borrowed until it ends. False: it can't be made,
 * for a reason of ours. */
bool transfer_begin(struct transfer *transfer, struct x509_store_st *trusted,
                    struct curl_slist *nowhere) ATTR_NONNULL(1, 3) ATTR_MUST_USE;
/* It is over for libcurl; decides the check where that is not yet done. */
void transfer_end(struct transfer *transfer, CURLcode code) ATTR_NONNULL_ALL;
/* What it has found out goes into the check's measure and steps; also of one that is late. */
void transfer_measure(struct transfer *transfer) ATTR_NONNULL_ALL;

/* transfer_error.c: what a code that is no success means. */
void transfer_fail(struct transfer *transfer, CURLcode code) ATTR_NONNULL_ALL;
