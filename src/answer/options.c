#include "answer/options.h"

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, answer_options, field)

static const struct opt opts[] = {
    {KEY("udp_payload", OPT_INT, 0, udp_payload), .least = 512, .most = 4096, .text_default = "1232", .unit = "bytes",
     .help = "The most bytes of an answer over UDP, and the payload size that clients are told (EDNS). Larger answers "
             "are cut and marked as truncated, so that clients ask again over TCP."},
};

const struct opt_table answer_opt_table = {
    .path = "server",
    .size = sizeof(struct answer_options),
    .where_offset = SIZE_MAX,
    OPT_ROWS(opts),
};
