#include "answer/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer/key_file.h"
#include "base/base64.h"
#include "base/mem.h"

/* ---- rows */

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, answer_key_options, field)

/* What the sample has: everybody knows it. */
#define SAMPLE_SECRET "replace me by a secret of your own"
#define SAMPLE_SECRET_BASE64 "cmVwbGFjZSBtZSBieSBhIHNlY3JldCBvZiB5b3VyIG93bg=="

/* In the order of enum tsig_algorithm. */
static const char *const algorithms[] = {
    "hmac-md5",    "hmac-sha1",       "hmac-sha224", "hmac-sha256",     "hmac-sha256-128",
    "hmac-sha384", "hmac-sha384-192", "hmac-sha512", "hmac-sha512-256", NULL,
};
_Static_assert(sizeof algorithms / sizeof *algorithms == TSIG_ALGORITHMS + 1, "one text an algorithm");

static enum err parse_name(void *field, const char *text, const char **expected)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned len;
    *expected = "a domain name, with or without the final dot, such as \"xfr.example.com\"";
    if (!field)
        return ERR_OK;
    enum err e = *text ? name_from_text(name, &len, text, strlen(text), NULL) : ERR_SYNTAX;
    if (!e)
        memcpy(field, name, len);
    return e;
}

static enum err secret_from_text(struct answer_secret *secret, const char *text, size_t text_len)
{
    struct answer_secret read;
    size_t len;
    enum err e = base64_decode(read.bytes, &len, sizeof read.bytes, text, text_len);
    if (!e && !len)
        e = ERR_RANGE;
    read.len = (uint16_t)len;
    if (!e)
        *secret = read;
    hmac_wipe(&read, sizeof read);
    return e;
}

static enum err parse_secret(void *field, const char *text, const char **expected)
{
    struct answer_secret secret = {0};
    *expected = "base64 text of 1 to 512 bytes, such as \"openssl rand -base64 32\" prints";
    if (!field)
        return ERR_OK;
    enum err e = secret_from_text(&secret, text, strlen(text));
    if (!e)
        memcpy(field, &secret, sizeof secret);
    hmac_wipe(&secret, sizeof secret);
    return e;
}

static const struct opt opts[] = {
    {KEY("name", OPT_CUSTOM, OPT_REQUIRED, name), .parse = parse_name, .parse_size = NAME_MAX_LEN,
     .sample = "\"xfr.example.com\"",
     .help = "The key's name, the same on both sides; case does not matter."},
    {KEY("algorithm", OPT_ENUM, 0, algorithm), .names = algorithms, .text_default = "\"hmac-sha256\"",
     .help = "What messages are signed with, the same on both sides. hmac-md5 and hmac-sha1 are there for peers that "
             "know nothing better. Those with a number behind the hash's cut the signature to so many bits, and accept "
             "it so, which the others do not; BIND's messages with them are understood."},
    {KEY("secret", OPT_CUSTOM, OPT_SECRET, secret), .parse = parse_secret, .parse_size = sizeof(struct answer_secret),
     .sample = "\"" SAMPLE_SECRET_BASE64 "\"",
     .help = "The secret, the same on both sides. Either this or secret_file."},
    {KEY("secret_file", OPT_STRING, OPT_PATH, secret_file), .least = 1, .most = 4095,
     .help = "A file with the secret, as base64 text, in lines or not, and nothing else; or one with the key as BIND's "
             "tsig-keygen writes it, whose name and algorithm must be those set here. A relative path starts at the "
             "folder of the configuration file. It is read at the start and at every reload, by then as \"user\", who "
             "must be able to read it too."},
};

static void check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct answer_key_options *row = filled;
    if (row->secret.len && row->secret_file)
        say(arg, "secret_file", "expected either this or \"secret\", not both");
    else if (!row->secret.len && !row->secret_file)
        say(arg, NULL, "expected a \"secret\" or a \"secret_file\"");
}

const struct opt_table answer_key_opt_table = {
    .path = "keys",
    .size = sizeof(struct answer_key_options),
    .list = true,
    .where_offset = offsetof(struct answer_key_options, where),
    .help = "Keys that messages are signed with (TSIG). A request signed with one of them gets a signed answer; one "
            "with an unknown key or a wrong signature gets NOTAUTH. What a key is needed for stands with each zone: "
            "allow_transfer, allow_notify, allow_update, primaries, notify. Queries need none. See PRIMARIES AND "
            "SECONDARIES.",
    OPT_ROWS(opts),
    .check = check,
};

/* ---- the table */

struct making {
    struct diag *diag;
    struct tsig_key *keys;
    const struct answer_key_options **rows; /* of `keys` */
    size_t cnt;
    bool failed;
};

static ATTR_PRINTF(3, 4) void complain(struct making *m, const struct answer_key_options *row, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mem_vprintf(fmt, args);
    va_end(args);
    diag_error(m->diag, row->where.file, row->where.line, "%s", text);
    free(text);
    m->failed = true;
}

/* At most `cap` bytes of a regular file; < 0, errno set: it cannot be read. */
static ssize_t read_file(char *out, size_t cap, const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0)
        return -1;
    ssize_t len = -1;
    if (fstat(fd, &info) == 0) {
        if (S_ISREG(info.st_mode))
            len = read(fd, out, cap);
        else
            errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
    }
    int error = errno;
    close(fd);
    errno = error;
    return len;
}

/* What prints base64 text breaks it into lines. Only that, and space around the whole, goes: two secrets are not to be
 * taken for one. Returns what is left of `len`. */
static size_t join_lines(char *text, size_t len)
{
    size_t from = 0, to = 0;
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    while (from < len && isspace((unsigned char)text[from]))
        from++;
    for (; from < len; from++)
        if (text[from] != '\n' && text[from] != '\r')
            text[to++] = text[from];
    return to;
}

/* hmac-md5 has a longer name on the wire, by which some know it. */
static bool is_algorithm(const struct key_file_part *part, int algorithm)
{
    static const char md5[] = "hmac-md5.sig-alg.reg.int";
    const char *name = algorithms[algorithm];
    size_t len = part->len - (part->text[part->len - 1] == '.');
    return (len == strlen(name) && !strncasecmp(part->text, name, len)) ||
           (algorithm == TSIG_HMAC_MD5 && len == sizeof md5 - 1 && !strncasecmp(part->text, md5, len));
}

static bool is_name(const struct key_file_part *part, const uint8_t *name)
{
    uint8_t read[NAME_MAX_LEN];
    unsigned len;
    return !name_from_text(read, &len, part->text, part->len, NULL) && name_equal(read, name);
}

/* The secret of a key that tsig-keygen wrote, which has to be this row's. */
static bool read_key(struct making *m, const struct answer_key_options *row, struct answer_secret *secret,
                     const char *text, size_t len)
{
    struct key_file file;
    char name[NAME_TEXT_MAX];
    enum err e = key_file_read(&file, text, len);
    if (!e)
        e = secret_from_text(secret, file.secret.text, file.secret.len);
    if (e)
        complain(m, row, "the file \"%s\" has to hold one key, as tsig-keygen writes it, its secret of 1 to %d bytes",
                 row->secret_file, ANSWER_SECRET_MAX);
    else if (!is_name(&file.name, row->name))
        complain(m, row, "the file \"%s\" has a key of another name than \"%s\"", row->secret_file,
                 name_to_text(name, row->name));
    else if (!is_algorithm(&file.algorithm, row->algorithm))
        complain(m, row, "the file \"%s\" has a key of another \"algorithm\" than %s", row->secret_file,
                 algorithms[row->algorithm]);
    else
        return true;
    return false;
}

/* False: what was wrong has been told. */
static bool read_secret(struct making *m, const struct answer_key_options *row, struct answer_secret *secret)
{
    enum { TEXT_MAX = 4096 }; /* a secret, with its key's name and comments */
    char text[TEXT_MAX];
    ssize_t len = read_file(text, sizeof text, row->secret_file);
    if (len < 0) {
        complain(m, row, "the secret's file \"%s\" cannot be read: %s", row->secret_file, strerror(errno));
        return false;
    }
    if (key_file_is(text, (size_t)len) && (size_t)len < sizeof text) {
        bool is_good = read_key(m, row, secret, text, (size_t)len);
        hmac_wipe(text, sizeof text);
        return is_good;
    }
    enum err e = (size_t)len < sizeof text ? secret_from_text(secret, text, join_lines(text, (size_t)len)) : ERR_RANGE;
    hmac_wipe(text, sizeof text);
    if (e)
        complain(m, row, "the file \"%s\" has to hold base64 text of 1 to %d bytes and nothing else", row->secret_file,
                 ANSWER_SECRET_MAX);
    return !e;
}

/* RFC 8945 8: a secret had better have as many bytes as the hash. */
static void warn(struct making *m, const struct answer_key_options *row, const uint8_t *secret, size_t secret_len)
{
    unsigned hash_len = hmac_len(tsig_algorithm_hash((enum tsig_algorithm)row->algorithm));
    char name[NAME_TEXT_MAX];
    name_to_text(name, row->name);
    if (secret_len < hash_len)
        diag_warning(m->diag, row->where.file, row->where.line,
                     "the secret of key \"%s\" has %zu bytes, fewer than its hash, which has %u", name, secret_len,
                     hash_len);
    if (secret_len == sizeof SAMPLE_SECRET - 1 && !memcmp(secret, SAMPLE_SECRET, secret_len))
        diag_warning(m->diag, row->where.file, row->where.line,
                     "key \"%s\" has the secret of the sample configuration, which everybody knows", name);
    if (row->algorithm == TSIG_HMAC_MD5)
        diag_warning(m->diag, row->where.file, row->where.line,
                     "key \"%s\" is of hmac-md5, which is for peers that know nothing better", name);
}

static void add(struct making *m, const struct answer_key_options *row)
{
    enum tsig_algorithm algorithm = (enum tsig_algorithm)row->algorithm;
    struct answer_secret secret = row->secret;
    if (!row->secret_file || read_secret(m, row, &secret)) {
        warn(m, row, secret.bytes, secret.len);
        tsig_key_init(&m->keys[m->cnt], row->name, algorithm, secret.bytes, secret.len);
        m->rows[m->cnt++] = row;
    }
    hmac_wipe(&secret, sizeof secret);
}

/* There are few keys: each is compared with those before it. */
static const struct answer_key_options *find_first(const struct making *m, const struct answer_key_options *row)
{
    for (size_t i = 0; i < m->cnt; i++)
        if (name_equal(m->rows[i]->name, row->name))
            return m->rows[i];
    return NULL;
}

enum err answer_keys_make(struct tsig_keys **keys, const struct opt_list *list, struct diag *diag)
{
    const struct answer_key_options *rows = list->items;
    struct making m = {.diag = diag};
    m.keys = mem_zalloc(list->cnt, sizeof *m.keys);
    m.rows = mem_zalloc(list->cnt, sizeof *m.rows);
    for (size_t i = 0; i < list->cnt; i++) {
        if (rows[i].where.is_broken)
            continue;
        const struct answer_key_options *first = find_first(&m, &rows[i]);
        char name[NAME_TEXT_MAX];
        if (first)
            complain(&m, &rows[i], "key \"%s\" stands twice, first at %s:%u", name_to_text(name, rows[i].name),
                     first->where.file ? first->where.file : "", first->where.line);
        else
            add(&m, &rows[i]);
    }
    *keys = m.failed ? NULL : tsig_keys_new(m.keys, m.cnt);
    hmac_wipe(m.keys, list->cnt * sizeof *m.keys);
    free(m.keys);
    free(m.rows);
    return m.failed ? ERR_INVALID : ERR_OK;
}
