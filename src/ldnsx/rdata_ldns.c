/* HIP (RFC 8005) as ldns converts it. It gets one line made of our own words: names made absolute, never a directive;
 * what it gives back goes through rdata_valid like everything. Tried on ldns 1.8.3 against BIND 9.18 with good and bad
 * records: of the types with a grammar of their own this is the one that ldns reads strictly. Of others it lets too
 * much pass (LOC beyond the poles, APL prefixes above 32, numbers cut to their width, short digests, odd hexadecimal
 * digits) or leaks memory on bad input (IPSECKEY), so those are ours. */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "ldnsx/rdata_fields.h"
#include "ldnsx/word.h"

/* The words are algorithm, tag in hexadecimal, key in base64, then names. */
enum { LINE_MAX_LEN = 65535, FIRST_NAME = 3 };

/* A line that grows in a buffer of LINE_MAX_LEN + 1. */
struct line {
    char *text;
    size_t len;
};

static bool put(struct line *line, const char *text, size_t len)
{
    if (line->len + len + 1 > LINE_MAX_LEN)
        return false;
    memcpy(line->text + line->len, text, len);
    line->len += len;
    line->text[line->len++] = ' ';
    line->text[line->len] = '\0';
    return true;
}

static bool put_name(struct rdata_text *t, struct line *line, const struct word *word)
{
    uint8_t name[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];
    unsigned len;

    if (name_from_text(name, &len, word->at, word->len, t->origin))
        return rdata_fail(t, word, "bad name");
    name_to_text(text, name);
    return put(line, text, strlen(text)) ? true : rdata_fail(t, word, "record too long");
}

static bool put_words(struct rdata_text *t, struct line *line)
{
    const struct word *first = t->at;
    uint32_t algorithm;

    put(line, ". 0 IN HIP", 10);
    if (t->at < t->end && word_number(&algorithm, t->at, 255))
        return rdata_fail(t, t->at, "not a number up to 255");
    for (; t->at < t->end; t->at++) {
        if (t->at->flags & WORD_QUOTED)
            return rdata_fail(t, t->at, "quotes are not for here");
        if (t->at - first < FIRST_NAME ? !put(line, t->at->at, t->at->len) : !put_name(t, line, t->at))
            return rdata_fail(t, t->at, "record too long");
    }
    return true;
}

static bool convert(struct rdata_text *t, const struct line *line)
{
    ldns_rr *rr = NULL;

    if (ldns_rr_new_frm_str(&rr, line->text, 0, NULL, NULL) != LDNS_STATUS_OK)
        return rdata_fail(t, NULL, "bad field");
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *field = ldns_rr_rdf(rr, i);
        writer_put(t->out, ldns_rdf_data(field), ldns_rdf_size(field));
    }
    ldns_rr_free(rr);
    return true;
}

bool rdata_text_ldns(struct rdata_text *t)
{
    struct line line = {mem_realloc(NULL, LINE_MAX_LEN + 1, 1), 0};
    bool ok = put_words(t, &line) && convert(t, &line);
    free(line.text);
    return ok;
}
