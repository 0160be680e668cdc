#include "probe/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* All certificates that browsers trust are some 200 KiB. */
enum { FILE_MAX = 4 * 1024 * 1024 };
static const uint64_t AGE_MOST_US = UINT64_C(3600) * 1000000;

struct trusted {
    struct trusted *next;
    X509_STORE *store;
    uint64_t read_us, used_us;
    uint8_t digest[PROBE_CA_DIGEST_LEN];
    char path[];
};

/* ---- files */

/* All of an open file. */
static char *read_open(int fd, size_t *len, int *error)
{
    struct stat info;
    ssize_t done = 1;
    *error = fstat(fd, &info)                      ? errno
             : S_ISDIR(info.st_mode)               ? EISDIR
             : !S_ISREG(info.st_mode)              ? EINVAL
             : (uint64_t)info.st_size > FILE_MAX   ? EFBIG
                                                   : 0;
    if (*error)
        return NULL;
    size_t cap = (size_t)info.st_size;
    char *bytes = mem_zalloc(cap + 1, 1);
    for (*len = 0; *len < cap && done > 0; *len += done > 0 ? (size_t)done : 0)
        done = read(fd, bytes + *len, cap - *len);
    if (done >= 0)
        return bytes;
    *error = errno;
    free(bytes);
    return NULL;
}

/* NULL: `error` (errno) says why. A FIFO must not hold us up. */
static char *read_file(const char *path, size_t *len, int *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *error = errno;
    if (fd < 0)
        return NULL;
    char *bytes = read_open(fd, len, error);
    close(fd);
    return bytes;
}

/* Adds what stands in the file; returns how many, and whether something there is broken. */
static unsigned add_all(X509_STORE *store, const char *bytes, size_t len, bool *broken)
{
    BIO *bio = BIO_new_mem_buf(bytes, (int)len);
    X509 *certificate;
    unsigned cnt = 0;
    ERR_clear_error();
    while (bio && (certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        cnt += X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
    }
    /* So the end of the file is told. */
    *broken = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return cnt;
}

static X509_STORE *new_store(void)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        mem_exhausted();
    /* Who trusts an issuer, or one certificate alone, need not have what stands above it. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    return store;
}

bool trust_check_file(uint8_t digest[PROBE_CA_DIGEST_LEN], char problem[TRUST_PROBLEM_MAX], const char *path)
{
    size_t len;
    int error;
    bool broken;
    unsigned char whole[EVP_MAX_MD_SIZE];
    char *bytes = read_file(path, &len, &error);
    problem[0] = '\0';
    if (!bytes) {
        snprintf(problem, TRUST_PROBLEM_MAX, "cannot be read: %s", strerror(error));
        return false;
    }
    X509_STORE *store = new_store();
    unsigned cnt = add_all(store, bytes, len, &broken);
    X509_STORE_free(store);
    if (broken)
        snprintf(problem, TRUST_PROBLEM_MAX, "certificate %u in it is malformed", cnt + 1);
    else if (!cnt)
        snprintf(problem, TRUST_PROBLEM_MAX, "expected certificates in PEM, found none");
    else if (!EVP_Q_digest(NULL, "SHA256", NULL, bytes, len, whole, NULL))
        snprintf(problem, TRUST_PROBLEM_MAX, "no SHA-256 in libcrypto");
    else
        memcpy(digest, whole, PROBE_CA_DIGEST_LEN);
    free(bytes);
    return !problem[0];
}

static X509_STORE *open_file(const char *path, int *error)
{
    size_t len;
    bool broken;
    char *bytes = read_file(path, &len, error);
    if (!bytes)
        return NULL;
    X509_STORE *store = new_store();
    unsigned cnt = add_all(store, bytes, len, &broken);
    free(bytes);
    if (cnt && !broken)
        return store;
    *error = EBADMSG;
    X509_STORE_free(store);
    return NULL;
}

/* ---- the system's */

/* Names such as "002c0b4f.0", by which an issuer is found when one is asked for. */
static bool is_hashed(const char *folder)
{
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;)
        found = strlen(entry->d_name) == 10 && strspn(entry->d_name, "0123456789abcdef") == 8 &&
                entry->d_name[8] == '.';
    if (dir)
        closedir(dir);
    return found;
}

/* By libcrypto's own places, whatever the environment says. The file of all of them takes 40 ms to read, the folder
 * nothing; so the file is for systems without. */
static X509_STORE *open_system(int *error)
{
    X509_STORE *store;
    if (!is_hashed(X509_get_default_cert_dir()))
        return open_file(X509_get_default_cert_file(), error);
    store = new_store();
    if (X509_STORE_load_path(store, X509_get_default_cert_dir()) == 1)
        return store;
    *error = ENOMEM;
    X509_STORE_free(store);
    return NULL;
}

/* ---- what was read */

static void drop(struct trusted **at)
{
    struct trusted *trusted = *at;
    *at = trusted->next;
    X509_STORE_free(trusted->store);
    free(trusted);
}

static void forget_old(struct trust *trust, uint64_t now_us)
{
    for (struct trusted **at = &trust->first; *at;) {
        uint64_t since_us = (*at)->path[0] ? (*at)->used_us : (*at)->read_us;
        if (now_us - since_us > AGE_MOST_US)
            drop(at);
        else
            at = &(*at)->next;
    }
}

static struct trusted *find(const struct trust *trust, const char *path, const uint8_t *digest)
{
    struct trusted *trusted = trust->first;
    while (trusted && (strcmp(trusted->path, path) != 0 || memcmp(trusted->digest, digest, sizeof trusted->digest)))
        trusted = trusted->next;
    return trusted;
}

static struct trusted *add(struct trust *trust, X509_STORE *store, const char *path, const uint8_t *digest)
{
    size_t path_len = strlen(path) + 1;
    struct trusted *trusted = mem_zalloc(1, sizeof *trusted + path_len);
    memcpy(trusted->path, path, path_len);
    memcpy(trusted->digest, digest, sizeof trusted->digest);
    trusted->store = store;
    trusted->next = trust->first;
    trust->first = trusted;
    return trusted;
}

struct x509_store_st *trust_get(struct trust *trust, const char *path, const uint8_t digest[PROBE_CA_DIGEST_LEN],
                                uint64_t now_mono_us, int *error)
{
    forget_old(trust, now_mono_us);
    struct trusted *trusted = find(trust, path, digest);
    if (!trusted) {
        X509_STORE *store = *path ? open_file(path, error) : open_system(error);
        if (!store)
            return NULL;
        trusted = add(trust, store, path, digest);
        trusted->read_us = now_mono_us;
    }
    trusted->used_us = now_mono_us;
    return trusted->store;
}

void trust_fini(struct trust *trust)
{
    while (trust->first)
        drop(&trust->first);
}
