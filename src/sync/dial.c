#include "sync/dial.h"

/* From where that peer is asked, its port left to the system; NULL: the system chooses the address too. */
static const struct sockaddr *source_of(struct sockaddr_storage *sa, const struct addr *peer,
                                        const struct sync_sources *sources)
{
    struct addr source = peer->family == ADDR_V4 ? sources->v4 : sources->v6;
    if (source.family == ADDR_NONE)
        return NULL;
    source.port = 0;
    addr_to_sockaddr(sa, &source);
    return (const struct sockaddr *)sa;
}

int dial_udp(uv_loop_t *loop, uv_udp_t *udp, const struct addr *peer, const struct sync_sources *sources)
{
    struct sockaddr_storage from, to;
    const struct sockaddr *source = source_of(&from, peer, sources);
    uv_udp_init(loop, udp); /* makes no socket yet, and does not fail */
    int r = source ? uv_udp_bind(udp, source, 0) : 0;
    addr_to_sockaddr(&to, peer);
    return r ? r : uv_udp_connect(udp, (const struct sockaddr *)&to);
}

int dial_tcp(uv_loop_t *loop, uv_tcp_t *tcp, uv_connect_t *request, const struct addr *peer,
             const struct sync_sources *sources, uv_connect_cb fn)
{
    struct sockaddr_storage from, to;
    const struct sockaddr *source = source_of(&from, peer, sources);
    uv_tcp_init(loop, tcp); /* as above */
    int r = source ? uv_tcp_bind(tcp, source, 0) : 0;
    addr_to_sockaddr(&to, peer);
    return r ? r : uv_tcp_connect(request, tcp, (const struct sockaddr *)&to, fn);
}
