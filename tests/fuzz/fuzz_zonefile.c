/* Zone text: whatever is read without an error must be records that the checks and the images can be made of, with
 * valid rdata. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/name.h"
#include "ldnsx/rdata.h"
#include "ldnsx/zonefile.h"
#include "zone/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int truth)
{
    if (!truth)
        abort();
}

static bool add(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    must(name_check(rr->owner, NAME_MAX_LEN) == name_len(rr->owner));
    must(rr->ttl <= 0x7fffffff && line > 0 && !rdata_type_meta(rr->type));
    must(rdata_valid(rr->type, rr->rdata, rr->rdata_len));
    zone_records_add(arg, rr, file, line);
    return true;
}

/* A $GENERATE of millions is fine for an operator, but would be all that a fuzzer does. */
static bool generates_much(const char *text, size_t len)
{
    unsigned digits = 0;
    bool many = false;
    for (size_t i = 0; i < len; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        many |= digits > 3;
    }
    for (size_t i = 0; many && i + 4 <= len; i++)
        if (!strncasecmp(text + i, "$GEN", 4))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct hash_key key = {{1, 2, 3}};
    static const uint8_t origin[] = "\7example";
    const char *text = (const char *)data;

    if (generates_much(text, len))
        return 0;
    struct diag *diag = diag_new(200);
    struct zone_records *records = zone_records_new(origin, &key);
    if (!zonefile_read_text("text", text, len, origin, add, records, diag)) {
        must(!diag_cnt(diag, DIAG_ERROR));
        enum err e = zone_records_check(records, diag);
        must(!e == !diag_cnt(diag, DIAG_ERROR));
    } else {
        must(diag_cnt(diag, DIAG_ERROR) > 0);
    }
    zone_records_free(records);
    diag_free(diag);
    return 0;
}
