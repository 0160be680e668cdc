/* tcp: a connection is made, and that is all. */
#include "probe/kind.h"

static void connected(struct kind_run *run)
{
    kind_pass(run, REASON_CONNECTED, 0);
}

/* What may come once the connection stands; the run has passed by then. */
static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    connected(run);
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    (void)run;
    return (struct reason){REASON_NO_CONNECTION, timeout_ms};
}

const struct kind kind_tcp = {
    .name = "tcp",
    .transport = KIND_STREAM,
    .has_port = true,
    .resets = true,
    .connected = connected,
    .received = received,
    .closed = connected,
    .late = late,
};
