/* Certificates made on the spot, of elliptic curves (or of RSA where that matters), for servers under test. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

struct pki {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What it is issued by; NULL: itself. */
struct pki_wish {
    const char *host; /* NULL: none, it issues others, ... */
    const char *name; /* ... and is called this */
    int from_days, to_days;
    const struct pki *issuer;
    int is_rsa;
};
void pki_make(struct pki *pki, const struct pki_wish *wish);
void pki_fini(struct pki *pki);
/* A new file below /tmp with this certificate; `path` is to hold 64 bytes. */
void pki_save(const struct pki *pki, char path[64]);
