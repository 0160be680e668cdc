#include "probe/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"

enum {
    /* Of an answer, aliases among them: to read a message full of them takes c-ares 20 ms, for which nobody else on
     * this thread is to wait; and of the addresses RESOLUTION_ADDRESSES_MAX are used. */
    RECORDS_MOST = 256,
    SERVERS_MOST = 8,
};

struct resolver_inquiry {
    struct resolver *resolver;
    struct resolver_inquiry *before, *after; /* in the resolver's ring of waiting ones while it waits */
    resolver_fn *fn;                         /* NULL: forgotten */
    void *arg;
    enum addr_family family;
    unsigned tries; /* made so far */
    uint8_t name[NAME_MAX_LEN];
};

/* A channel a server: of several in one, c-ares 1.18 tells SERVFAIL and REFUSED of all as a connection refused. */
struct server {
    struct resolver *resolver;
    ares_channel channel;
};

struct resolver {
    uv_loop_t *loop;
    uv_timer_t timer; /* c-ares's next timeout, or the start of what waits */
    struct watch *watches;
    struct resolver_inquiry waiting; /* a ring; only its links are of use */
    size_t flight_cnt;
    struct addr *configured; /* NULL: those of /etc/resolv.conf */
    size_t configured_cnt;
    struct server servers[SERVERS_MOST];
    unsigned server_cnt; /* 0: not open */
    struct log_rate rate;
};

/* ---- its sockets */

struct watch {
    uv_poll_t poll;
    struct watch *next;
    struct server *server;
    ares_socket_t fd;
};

static void set_timer(struct resolver *resolver);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    const struct server *server = watch->server;
    ares_socket_t fd = watch->fd; /* c-ares may close it now, and the watch ends */
    bool readable = status < 0 || events & UV_READABLE, writable = status < 0 || events & UV_WRITABLE;
    ares_process_fd(server->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    set_timer(server->resolver);
}

static void on_watch_closed(uv_handle_t *handle) { free(handle->data); }

static void end_watch(struct watch **at)
{
    struct watch *watch = *at;
    *at = watch->next;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct watch **find_watch(struct resolver *resolver, ares_socket_t fd)
{
    struct watch **at = &resolver->watches;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

static struct watch *begin_watch(struct server *server, ares_socket_t fd)
{
    struct resolver *resolver = server->resolver;
    struct watch *watch = mem_zalloc(1, sizeof *watch);
    int err = uv_poll_init(resolver->loop, &watch->poll, fd);
    if (err) {
        if (log_rate_ok(&resolver->rate, 5))
            log_error("cannot watch a socket for answers of resolvers: %s", uv_strerror(err));
        free(watch);
        return NULL; /* the request runs into its timeout */
    }
    watch->poll.data = watch;
    watch->server = server;
    watch->fd = fd;
    watch->next = resolver->watches;
    resolver->watches = watch;
    return watch;
}

/* What c-ares wants of a socket; before it closes one: nothing. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct server *server = arg;
    struct watch **at = find_watch(server->resolver, fd);
    if (!readable && !writable) {
        if (*at)
            end_watch(at);
        return;
    }
    struct watch *watch = *at ? *at : begin_watch(server, fd);
    if (watch)
        uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_ready);
}

/* ---- its channels */

static void close_channels(struct resolver *resolver)
{
    unsigned cnt = resolver->server_cnt;
    resolver->server_cnt = 0;
    for (unsigned i = 0; i < cnt; i++)
        ares_destroy(resolver->servers[i].channel); /* calls the functions of all that is under way */
    uv_timer_stop(&resolver->timer);
}

/* A try of its own each; what several servers and tries make of it is decided here. */
static int open_channel(ares_channel *channel, struct server *server)
{
    static char lookups[] = "b";
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
        .timeout = RESOLVER_TRY_MS,
        .tries = 1,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = server,
    };
    return ares_init_options(channel, &options,
                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                 ARES_OPT_SOCK_STATE_CB);
}

static int open_server(struct resolver *resolver, struct ares_addr_port_node node)
{
    struct server *server = &resolver->servers[resolver->server_cnt];
    server->resolver = resolver;
    node.next = NULL;
    int status = open_channel(&server->channel, server);
    if (status != ARES_SUCCESS)
        return status;
    resolver->server_cnt++;
    return ares_set_servers_ports(server->channel, &node); /* copies it */
}

static int open_configured(struct resolver *resolver)
{
    int status = ARES_SUCCESS;
    for (size_t i = 0; i < resolver->configured_cnt && i < SERVERS_MOST && status == ARES_SUCCESS; i++) {
        const struct addr *addr = &resolver->configured[i];
        struct ares_addr_port_node node = {.family = addr->family == ADDR_V4 ? AF_INET : AF_INET6,
                                           .udp_port = addr->port,
                                           .tcp_port = addr->port};
        memcpy(&node.addr, addr->bytes, addr_len(addr));
        status = open_server(resolver, node);
    }
    return status;
}

/* c-ares reads the file; without any server in it, it means the one on this machine. */
static int open_system(struct resolver *resolver)
{
    ares_channel system;
    struct ares_addr_port_node *nodes = NULL;
    int status = open_channel(&system, NULL);
    if (status != ARES_SUCCESS)
        return status;
    status = ares_get_servers_ports(system, &nodes);
    for (const struct ares_addr_port_node *node = nodes;
         node && resolver->server_cnt < SERVERS_MOST && status == ARES_SUCCESS; node = node->next)
        status = open_server(resolver, *node);
    ares_free_data(nodes);
    ares_destroy(system);
    return status;
}

static bool open_channels(struct resolver *resolver)
{
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status == ARES_SUCCESS)
        status = resolver->configured_cnt ? open_configured(resolver) : open_system(resolver);
    if (status == ARES_SUCCESS && resolver->server_cnt)
        return true;
    if (log_rate_ok(&resolver->rate, 5))
        log_error("cannot ask resolvers: %s", ares_strerror(status));
    close_channels(resolver);
    return false;
}

/* ---- what waits */

static void put_last(struct resolver *resolver, struct resolver_inquiry *inquiry)
{
    struct resolver_inquiry *ring = &resolver->waiting;
    inquiry->before = ring->before;
    inquiry->after = ring;
    ring->before->after = inquiry;
    ring->before = inquiry;
}

static void take_out(struct resolver_inquiry *inquiry)
{
    inquiry->before->after = inquiry->after;
    inquiry->after->before = inquiry->before;
    inquiry->before = inquiry->after = NULL;
}

/* ---- answers */

static const char *problem_of(int status, enum resolution_outcome *outcome)
{
    *outcome = RESOLUTION_FAILED;
    switch (status) {
    case ARES_ENODATA:
        *outcome = RESOLUTION_NONE;
        return "no such record";
    case ARES_ENOTFOUND:
        *outcome = RESOLUTION_NONE;
        return "no such name";
    case ARES_ESERVFAIL:
        return "SERVFAIL";
    case ARES_EREFUSED:
        return "REFUSED";
    case ARES_ENOTIMP:
        return "NOTIMP";
    case ARES_EFORMERR:
        return "FORMERR";
    case ARES_ETIMEOUT:
        return "no answer";
    case ARES_ECONNREFUSED:
        return "no resolver is there";
    default:
        return ares_strerror(status);
    }
}

/* c-ares lowers each record's TTL to that of the aliases that led there. */
static void add(struct resolution_answer *answer, enum addr_family family, const void *bytes, int ttl)
{
    struct addr *addr = &answer->addresses[answer->cnt++];
    *addr = (struct addr){.family = (uint8_t)family};
    memcpy(addr->bytes, bytes, addr_len(addr));
    if (ttl < 0)
        ttl = 0; /* RFC 2181 8: more than 2^31 - 1 */
    answer->ttl_sec = (uint32_t)ttl < answer->ttl_sec ? (uint32_t)ttl : answer->ttl_sec;
}

static int read_a(struct resolution_answer *answer, const unsigned char *message, int len)
{
    struct ares_addrttl *records = mem_zalloc(RECORDS_MOST, sizeof *records);
    int cnt = RECORDS_MOST, status = ares_parse_a_reply(message, len, NULL, records, &cnt);
    for (int i = 0; status == ARES_SUCCESS && i < cnt; i++)
        add(answer, ADDR_V4, &records[i].ipaddr, records[i].ttl);
    free(records);
    return status;
}

static int read_aaaa(struct resolution_answer *answer, const unsigned char *message, int len)
{
    struct ares_addr6ttl *records = mem_zalloc(RECORDS_MOST, sizeof *records);
    int cnt = RECORDS_MOST, status = ares_parse_aaaa_reply(message, len, NULL, records, &cnt);
    for (int i = 0; status == ARES_SUCCESS && i < cnt; i++)
        add(answer, ADDR_V6, &records[i].ip6addr, records[i].ttl);
    free(records);
    return status;
}

static void read_message(const struct resolver_inquiry *inquiry, struct resolution_answer *answer,
                         const unsigned char *message, int len)
{
    bool is_v4 = inquiry->family == ADDR_V4;
    if (len >= MSG_HEADER_LEN && msg_ancount(message) > RECORDS_MOST) {
        answer->problem = "too many records";
        return;
    }
    answer->addresses = mem_zalloc(RECORDS_MOST, sizeof *answer->addresses);
    answer->ttl_sec = INT32_MAX;
    int status = (is_v4 ? read_a : read_aaaa)(answer, message, len);
    resolution_sift(answer);
    if (status != ARES_SUCCESS)
        answer->problem = problem_of(status, &answer->outcome);
}

static void finish(struct resolver_inquiry *inquiry, const struct resolution_answer *answer)
{
    if (inquiry->fn)
        inquiry->fn(inquiry->arg, answer);
    free(inquiry);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *message, int len)
{
    struct resolver_inquiry *inquiry = arg;
    struct resolver *resolver = inquiry->resolver;
    struct resolution_answer answer = {.outcome = RESOLUTION_FAILED};
    (void)timeouts;
    resolver->flight_cnt--;
    if (status == ARES_EDESTRUCTION)
        inquiry->tries = 0; /* other servers are to be asked from now on */
    else if (status == ARES_SUCCESS)
        read_message(inquiry, &answer, message, len);
    else
        answer.problem = problem_of(status, &answer.outcome);
    bool again = answer.outcome == RESOLUTION_FAILED && inquiry->tries < RESOLVER_TRIES * resolver->server_cnt;
    if (inquiry->fn && (again || status == ARES_EDESTRUCTION))
        put_last(resolver, inquiry);
    else
        finish(inquiry, &answer);
    free(answer.addresses);
    if (status != ARES_EDESTRUCTION)
        set_timer(resolver); /* not the next one from here: where no packet can be sent, it would end in here again */
}

/* ---- questions */

/* c-ares takes names as text, and knows no \DDD: a byte that is none of a host name's is never asked for. */
static bool is_askable(const char *name)
{
    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static void refuse(struct resolver_inquiry *inquiry, const char *problem)
{
    const struct resolution_answer answer = {.outcome = RESOLUTION_FAILED, .problem = problem};
    finish(inquiry, &answer);
}

static void send_one(struct resolver *resolver, struct resolver_inquiry *inquiry)
{
    char name[NAME_TEXT_MAX];
    name_to_text_bare(name, inquiry->name);
    if (!is_askable(name)) {
        refuse(inquiry, "a name that no resolver is asked for");
        return;
    }
    if (!resolver->server_cnt && !open_channels(resolver)) {
        refuse(inquiry, "resolvers cannot be asked");
        return;
    }
    const struct server *server = &resolver->servers[inquiry->tries++ % resolver->server_cnt];
    resolver->flight_cnt++;
    ares_query(server->channel, name, RR_CLASS_IN, inquiry->family == ADDR_V4 ? RR_A : RR_AAAA, on_answer, inquiry);
}

/* Only what waits now: what cannot be asked may come again at once. */
static void start_waiting(struct resolver *resolver)
{
    struct resolver_inquiry *last = resolver->waiting.before, *inquiry = NULL;
    while (inquiry != last && resolver->flight_cnt < RESOLVER_FLIGHT_MAX &&
           resolver->waiting.after != &resolver->waiting) {
        inquiry = resolver->waiting.after;
        take_out(inquiry);
        send_one(resolver, inquiry);
    }
}

static void on_time(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;
    start_waiting(resolver);
    for (unsigned i = 0; i < resolver->server_cnt; i++)
        ares_process_fd(resolver->servers[i].channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
}

/* Until the next try of any server is over. */
static uint64_t left_ms(const struct resolver *resolver)
{
    uint64_t least_ms = RESOLVER_TRY_MS;
    for (unsigned i = 0; i < resolver->server_cnt; i++) {
        struct timeval most = {RESOLVER_TRY_MS / 1000, 0}, left;
        const struct timeval *next = ares_timeout(resolver->servers[i].channel, &most, &left);
        uint64_t ms = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;
        least_ms = ms < least_ms ? ms : least_ms;
    }
    return least_ms;
}

static void set_timer(struct resolver *resolver)
{
    bool waits = resolver->waiting.after != &resolver->waiting && resolver->flight_cnt < RESOLVER_FLIGHT_MAX;
    if (waits || resolver->flight_cnt)
        uv_timer_start(&resolver->timer, on_time, waits ? 0 : left_ms(resolver), 0);
    else
        uv_timer_stop(&resolver->timer);
}

struct resolver_inquiry *resolver_ask(struct resolver *resolver, const uint8_t *name, enum addr_family family,
                                      resolver_fn *fn, void *arg)
{
    struct resolver_inquiry *inquiry = mem_zalloc(1, sizeof *inquiry);
    inquiry->resolver = resolver;
    inquiry->fn = fn;
    inquiry->arg = arg;
    inquiry->family = family;
    memcpy(inquiry->name, name, name_len(name));
    put_last(resolver, inquiry);
    set_timer(resolver);
    return inquiry;
}

void resolver_forget(struct resolver_inquiry *inquiry)
{
    inquiry->fn = NULL;
    if (!inquiry->after)
        return; /* under way */
    take_out(inquiry);
    free(inquiry);
}

/* ---- life */

void resolver_use(struct resolver *resolver, const struct addr *servers, size_t cnt)
{
    free(resolver->configured);
    resolver->configured = cnt ? mem_dup(servers, cnt * sizeof *servers) : NULL;
    resolver->configured_cnt = cnt;
    close_channels(resolver);
    set_timer(resolver);
}

struct resolver *resolver_new(uv_loop_t *loop)
{
    struct resolver *resolver = mem_zalloc(1, sizeof *resolver);
    resolver->loop = loop;
    resolver->waiting.before = resolver->waiting.after = &resolver->waiting;
    uv_timer_init(loop, &resolver->timer);
    uv_unref((uv_handle_t *)&resolver->timer);
    resolver->timer.data = resolver;
    return resolver;
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    close_channels(resolver);
    while (resolver->waiting.after != &resolver->waiting) {
        struct resolver_inquiry *inquiry = resolver->waiting.after;
        take_out(inquiry);
        free(inquiry);
    }
    while (resolver->watches)
        end_watch(&resolver->watches);
    free(resolver->configured);
    uv_close((uv_handle_t *)&resolver->timer, on_closed);
}
