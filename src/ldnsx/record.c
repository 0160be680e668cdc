#include <string.h>

#include "dns/rr.h"
#include "ldnsx/hostname.h"
#include "ldnsx/rdata.h"
#include "ldnsx/reader.h"
#include "ldnsx/word.h"

static unsigned entry_line(const struct zone_reader *r) { return r->input->lexer.entry_line; }

bool record_read_name(struct zone_reader *r, uint8_t out[NAME_MAX_LEN], const struct word *word)
{
    char shown[WORD_SHOWN_MAX];
    unsigned len;
    enum err e = name_from_text(out, &len, word->at, word->len, r->input->origin);

    if (e)
        read_error(r, entry_line(r), "%s: \"%s\"", e == ERR_RANGE ? "name or label too long" : "bad name",
                   word_show(shown, word));
    return !e;
}

uint32_t record_limit_ttl(struct zone_reader *r, uint32_t ttl)
{
    if (ttl <= READ_TTL_MAX)
        return ttl;
    read_warning(r, entry_line(r), "TTL %u is above 2^31 - 1: taken as 0", ttl);
    return 0;
}

/* False when the word is no class; *ok false when it is another than IN. */
static bool read_class(struct zone_reader *r, const struct word *word, bool *ok)
{
    char shown[WORD_SHOWN_MAX];
    uint16_t class;

    *ok = true;
    if (word->flags & WORD_QUOTED || rr_class_from_text(&class, word->at, word->len))
        return false;
    *ok = class == RR_CLASS_IN;
    if (!*ok)
        read_error(r, entry_line(r), "class \"%s\" in a zone of class IN", word_show(shown, word));
    return true;
}

static bool read_type(struct zone_reader *r, uint16_t *type, const struct word *word)
{
    char shown[WORD_SHOWN_MAX];
    const char *why = NULL;
    uint32_t ttl;

    if (word->flags & WORD_QUOTED || rr_type_from_text(type, word->at, word->len))
        why = word_period(&ttl, word) == ERR_RANGE ? "TTL out of range" : "unknown type";
    else if (rdata_type_meta(*type))
        why = "a type that never stands in a zone";
    else if (*type == RR_MD || *type == RR_MF) /* RFC 1035 3.3.4, RFC 973: BIND refuses them in primary zones */
        why = "an obsolete type";
    if (why)
        read_error(r, entry_line(r), "%s: \"%s\"", why, word_show(shown, word));
    return !why;
}

/* [class] [TTL] type, or [TTL] [class] type. */
bool record_read_head(struct zone_reader *r, struct record_head *head, const struct word **at, const struct word *end)
{
    bool class_given = false, ok;
    uint32_t ttl;

    *head = (struct record_head){.type = 0};
    for (; *at < end; ++*at) {
        const struct word *word = *at;
        bool digit = *word->at >= '0' && *word->at <= '9';
        if (!head->ttl_given && digit && !word_period(&ttl, word)) {
            r->ttl = record_limit_ttl(r, ttl);
            head->ttl_given = r->ttl_known = true;
        } else if (!class_given && !digit && read_class(r, word, &ok)) {
            if (!ok)
                return false;
            class_given = true;
        } else {
            ++*at;
            return read_type(r, &head->type, word);
        }
    }
    read_error(r, entry_line(r), "no type");
    return false;
}

/* The TTL that the record gets (RFC 2308 4, RFC 1035 5.1). False: there is none to be had. */
static bool settle_ttl(struct zone_reader *r, const struct record_head *head, uint16_t rdata_len)
{
    if (head->ttl_given)
        return true;
    if (r->default_ttl_known) {
        r->ttl = r->default_ttl;
    } else if (r->ttl_known) {
        if (!r->warned_inherited_ttl)
            read_warning(r, entry_line(r), "no TTL and no $TTL: the last stated TTL is used (RFC 1035)");
        r->warned_inherited_ttl = true;
    } else if (head->type == RR_SOA) {
        read_warning(r, entry_line(r), "no TTL: the SOA's MINIMUM is used");
        r->default_ttl = r->ttl = record_limit_ttl(r, be32_get(r->rdata + rdata_len - 4));
        r->default_ttl_known = true;
    } else {
        read_error(r, entry_line(r), "no TTL, no $TTL and no TTL before");
        r->ttl = 0; /* once is enough */
        r->ttl_known = r->warned_inherited_ttl = true;
        return false;
    }
    return true;
}

static bool is_address(const struct word *word)
{
    struct word bare = {word->at, word->len, 0};
    uint8_t octets[16];

    if (bare.len && bare.at[bare.len - 1] == '.')
        bare.len--;
    return !word_ipv4(octets, &bare) || !word_ipv6(octets, &bare);
}

/* "NS 192.0.2.1" is a name, but hardly meant as one. */
static void check_address(struct zone_reader *r, uint16_t type, const struct word *at, const struct word *end)
{
    const struct word *word = type == RR_MX ? at + 1 : at;
    char shown[WORD_SHOWN_MAX];

    if ((type == RR_NS || type == RR_MX) && word < end && is_address(word))
        read_warning(r, entry_line(r), "%s \"%s\" looks like an address", type == RR_MX ? "MX" : "NS",
                     word_show(shown, word));
}

/* The checks of BIND's check-names, as warnings. */
static void check_names(struct zone_reader *r, const struct rr *rr)
{
    char text[NAME_TEXT_MAX];
    const uint8_t *bad;

    if (unlikely(!hostname_owner_ok(rr)))
        read_warning(r, entry_line(r), "owner \"%s\" is no host name", name_to_text(text, rr->owner));
    if (unlikely((bad = hostname_bad_rdata(rr)) != NULL))
        read_warning(r, entry_line(r), "\"%s\" is no host name or mailbox", name_to_text(text, bad));
}

/* An NSEC3's owner begins with a hash in base32hex (RFC 5155 3). */
static bool nsec3_owner_ok(struct zone_reader *r, const uint8_t *owner)
{
    uint8_t octets[64];
    struct writer out = writer_over(octets, sizeof(octets));
    struct word label = {(const char *)owner + 1, *owner, 0};

    if (*owner && !word_base32hex(&out, &label))
        return true;
    read_error(r, entry_line(r), "NSEC3: the owner does not begin with a hash");
    return false;
}

static bool check_dnssec(struct zone_reader *r, const struct rr *rr)
{
    if (rr->type == RR_NSEC3)
        return nsec3_owner_ok(r, rr->owner);
    if ((rr->type == RR_SIG || rr->type == RR_NXT) && !r->warned_old_dnssec) {
        read_warning(r, entry_line(r), "SIG and NXT are of the old DNSSEC (RFC 2535)");
        r->warned_old_dnssec = true;
    }
    return true;
}

void record_finish(struct zone_reader *r, const struct record_head *head, const uint8_t *owner, const struct word *at,
                   const struct word *end)
{
    struct writer out = writer_over(r->rdata, sizeof(r->rdata));
    struct rdata_problem problem;
    char type[RR_TYPE_TEXT_MAX], shown[WORD_SHOWN_MAX];

    check_address(r, head->type, at, end);
    if (rdata_from_words(&out, head->type, at, (unsigned)(end - at), r->input->origin, &problem)) {
        rr_type_to_text(type, head->type);
        if (problem.word)
            read_error(r, entry_line(r), "%s: %s: \"%s\"", type, problem.why, word_show(shown, problem.word));
        else
            read_error(r, entry_line(r), "%s: %s", type, problem.why);
        return;
    }
    struct rr rr = {.owner = owner, .rdata = r->rdata, .type = head->type, .rdata_len = (uint16_t)writer_len(&out)};
    if (!check_dnssec(r, &rr) || !settle_ttl(r, head, rr.rdata_len))
        return;
    rr.ttl = r->ttl;
    check_names(r, &rr);
    if (!r->fn(r->arg, &rr, r->input->file, entry_line(r)))
        r->stopped = r->gave_up = true;
}

/* The owner the entry states. False: an error was told. */
static bool read_owner(struct zone_reader *r, const struct word *word)
{
    struct zone_input *input = r->input;
    uint8_t owner[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];

    if (!record_read_name(r, owner, word))
        return false;
    bool same = input->has_owner && name_equal(input->owner, owner);
    memcpy(input->owner, owner, name_len(owner));
    input->has_owner = true;
    if (!same && hostname_inner_wildcard(owner))
        read_warning(r, entry_line(r), "owner \"%s\" has a \"*\" that is no wildcard", name_to_text(text, owner));
    return true;
}

/* An entry that begins with white space goes on with the last owner. */
static bool inherit_owner(struct zone_reader *r)
{
    struct zone_input *input = r->input;
    char owner[NAME_TEXT_MAX], origin[NAME_TEXT_MAX];

    if (!input->has_owner) {
        read_error(r, entry_line(r), "no owner, and none before");
        return false;
    }
    if (input->origin_changed)
        read_warning(r, entry_line(r), "the owner is still \"%s\" behind $ORIGIN \"%s\"",
                     name_to_text(owner, input->owner), name_to_text(origin, input->origin));
    return true;
}

void record_read(struct zone_reader *r)
{
    const struct lexer *lexer = &r->input->lexer;
    const struct word *at = lexer->words, *end = at + lexer->word_cnt;
    struct record_head head;

    if (lexer->blank_led ? !inherit_owner(r) : !read_owner(r, at++))
        return;
    r->input->origin_changed = false;
    if (record_read_head(r, &head, &at, end))
        record_finish(r, &head, r->input->owner, at, end);
}
