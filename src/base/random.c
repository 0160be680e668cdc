#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

void random_bytes(void *out, size_t len)
{
    unsigned char *at = out;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        } else if (errno != EINTR) {
            log_error("no random bytes from the kernel");
            abort();
        }
    }
}

void random_seed(struct random_state *rng)
{
    /* All zero is the one state that the generator never leaves. */
    do
        random_bytes(rng->s, sizeof rng->s);
    while (!rng->s[0] && !rng->s[1]);
}
