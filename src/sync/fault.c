#include "sync/fault.h"

#include <stdio.h>

#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"

char *fault_of_rcode(char out[FAULT_MAX], unsigned rcode)
{
    bool is_about_us = rcode == RCODE_REFUSED || rcode == RCODE_NOTAUTH;
    snprintf(out, FAULT_MAX, "%s%s", rcode_text(rcode),
             is_about_us ? ": it may not serve the zone, or not allow us" : "");
    return out;
}

char *fault_of_key(char out[FAULT_MAX], const char *what, const struct tsig_key *key)
{
    char name[NAME_TEXT_MAX];
    snprintf(out, FAULT_MAX, "%.120s (key \"%.100s\": compare name, algorithm and secret on both sides)", what,
             name_to_text(name, key->name));
    return out;
}
