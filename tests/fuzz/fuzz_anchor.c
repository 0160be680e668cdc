/* The words of an anchor, as the group `health` has them: what is taken has an address, and a probe or a port. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "balance/hold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct opt *opt = &balance_health_opt_table.opts[0];
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    struct balance_anchor_options anchor;
    memset(&anchor, 0xa5, sizeof anchor);
    if (!opt_parse(opt, &anchor, text)) {
        size_t probe_len = strnlen(anchor.probe, sizeof anchor.probe);
        if (probe_len == sizeof anchor.probe || (!probe_len && !anchor.address.port) ||
            (anchor.address.family != ADDR_V4 && anchor.address.family != ADDR_V6))
            abort();
    }
    free(text);
    return 0;
}
