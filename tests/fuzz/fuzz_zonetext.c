/* Zone text as it is written: every record that is read out of the input is written as one line, and read back as the
 * same record. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ldnsx/zonefile.h"
#include "ldnsx/zonetext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t origin[] = "\7example";

static void must(int truth)
{
    if (!truth)
        abort();
}

static bool compare(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    const struct rr **want = arg, *w = *want;
    (void)file;
    (void)line;
    must(w && name_len(rr->owner) == name_len(w->owner) && !memcmp(rr->owner, w->owner, name_len(w->owner)));
    must(rr->type == w->type && rr->ttl == w->ttl && rr->rdata_len == w->rdata_len);
    must(!memcmp(rr->rdata, w->rdata, w->rdata_len));
    *want = NULL;
    return true;
}

static bool write_and_read(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    static char room[2 * ZONETEXT_LINE_MAX];
    const struct rr *want = rr;
    struct writer w = writer_over(room, sizeof room);
    struct zonetext text;
    (void)arg;
    (void)file;
    (void)line;
    zonetext_init(&text, origin);
    zonetext_head(&text, &w, rr->ttl);
    zonetext_record(&text, &w, rr);
    size_t len = writer_len(&w);
    writer_u8(&w, 0);
    must(!w.failed && len <= 2 * ZONETEXT_LINE_MAX - 1);
    struct diag *diag = diag_new(10);
    must(!zonefile_read_text("written", room, len, (const uint8_t *)"", compare, &want, diag) && !want);
    diag_free(diag);
    return true;
}

/* A $GENERATE is many records of one kind. */
static bool generates(const char *text, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++)
        if (!strncasecmp(text + i, "$GEN", 4))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    if (generates(text, len))
        return 0;
    struct diag *diag = diag_new(200);
    (void)!zonefile_read_text("text", text, len, origin, write_and_read, NULL, diag);
    diag_free(diag);
    return 0;
}
