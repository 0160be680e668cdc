/* What ldns converts: rdata that have a grammar of their own. Tried on ldns 1.8.3 with random rdata: LOC, HIP, NSAP and
 * IPSECKEY come right but for what only this or that reader takes, and APL of the families that it knows. */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ldnsx/lex.h"
#include "ldnsx/rdata.h"
#include "ldnsx/rdata_write_part.h"

/* The rdata in ldns's form; NULL: it does not take it. */
static ldns_rr *take(uint16_t type, const uint8_t *rdata, unsigned len)
{
    size_t pos = 0;
    uint8_t *wire = mem_realloc(NULL, 2 + (size_t)len, 1);
    ldns_rr *rr = ldns_rr_new();
    be16_put(wire, (uint16_t)len);
    memcpy(wire + 2, rdata, len);
    if (!rr)
        mem_exhausted();
    ldns_rr_set_type(rr, (ldns_rr_type)type);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    if (ldns_wire2rdf(rr, wire, 2 + (size_t)len, &pos) != LDNS_STATUS_OK) {
        ldns_rr_free(rr);
        rr = NULL;
    }
    free(wire);
    return rr;
}

static bool print(ldns_buffer *text, const ldns_rr *rr)
{
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        if (i)
            ldns_buffer_printf(text, " ");
        if (ldns_rdf2buffer_str(text, ldns_rr_rdf(rr, i)) != LDNS_STATUS_OK)
            return false;
    }
    return ldns_buffer_status_ok(text);
}

/* One line that is read as just these bytes. The text, which ends in a newline, is followed by a 0. */
static bool reads_back(const char *text, size_t text_len, uint16_t type, const uint8_t *rdata, unsigned len)
{
    static const uint8_t root[] = "";
    struct rdata_problem problem;
    struct lexer lexer;
    const char *why;
    bool same = false;
    uint8_t *room = mem_realloc(NULL, UINT16_MAX, 1);
    struct writer w = writer_over(room, UINT16_MAX);
    lexer_init(&lexer, text, text_len);
    if (lexer_next(&lexer, &why) == LEX_ENTRY && lexer.at == lexer.end &&
        !rdata_from_words(&w, type, lexer.words, lexer.word_cnt, root, &problem))
        same = writer_len(&w) == len && !memcmp(room, rdata, len);
    lexer_fini(&lexer);
    free(room);
    return same;
}

bool rdata_write_by_ldns(struct writer *out, uint16_t type, const uint8_t *rdata, unsigned len)
{
    bool done = false;
    ldns_rr *rr = take(type, rdata, len);
    if (!rr)
        return false;
    ldns_buffer *text = ldns_buffer_new(LDNS_MAX_LABELLEN);
    if (!text)
        mem_exhausted();
    if (print(text, rr) && ldns_buffer_printf(text, "\n") == 1) {
        size_t text_len = ldns_buffer_position(text);
        const char *line = (const char *)ldns_buffer_begin(text);
        done = text_len - 1 <= writer_left(out) && reads_back(line, text_len, type, rdata, len);
        for (text_len--; text_len && line[text_len - 1] == ' '; text_len--)
            ; /* APL has a space behind each item */
        if (done)
            writer_put(out, line, text_len);
    }
    ldns_buffer_free(text);
    ldns_rr_free(rr);
    return done;
}
