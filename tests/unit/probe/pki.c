#include "pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_SEC = 86400 };

static void must(int truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension && X509_add_ext(certificate, extension, -1), "extension");
    X509_EXTENSION_free(extension);
}

void pki_make(struct pki *pki, const struct pki_wish *wish)
{
    static long serial;
    char names[300];
    const char *name = wish->host ? wish->host : wish->name;
    pki->key = wish->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *c = pki->certificate = X509_new();
    must(pki->key && c, "key");
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c), (long)wish->from_days * DAY_SEC - 60);
    X509_gmtime_adj(X509_getm_notAfter(c), (long)wish->to_days * DAY_SEC + 60);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(c, pki->key);
    X509_set_issuer_name(c, X509_get_subject_name(wish->issuer ? wish->issuer->certificate : c));
    if (wish->host) {
        snprintf(names, sizeof names, "%s:%s", strchr(wish->host, ':') ? "IP" : "DNS", wish->host);
        add_extension(c, NID_subject_alt_name, names);
    } else {
        add_extension(c, NID_basic_constraints, "critical,CA:TRUE");
    }
    must(X509_sign(c, wish->issuer ? wish->issuer->key : pki->key, EVP_sha256()) > 0, "signature");
}

void pki_fini(struct pki *pki)
{
    X509_free(pki->certificate);
    EVP_PKEY_free(pki->key);
}

void pki_save(const struct pki *pki, char path[64])
{
    strcpy(path, "/tmp/rondo-pki-XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    must(file && PEM_write_X509(file, pki->certificate), "file");
    fclose(file);
}
