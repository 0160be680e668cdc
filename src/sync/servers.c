#include "sync/servers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/ring.h"
#include "dns/name.h"
#include "probe/resolver.h"
#include "sync/notify_targets.h"
#include "zone/served.h"

struct server;

struct family {
    struct server *server;
    struct resolver_inquiry *inquiry; /* NULL: nobody is asked */
    struct addr *addresses;
    size_t cnt;
    uint64_t until_ms; /* 0: never asked */
};

struct server {
    struct map_link link;
    struct ring all;
    struct servers *servers;
    struct family families[2];
    uint8_t name[];
};

struct servers {
    const struct answer_shared *shared;
    struct resolver *resolver;
    struct map map;
    struct ring all;
    size_t cnt, asked_cnt;
    void (*fn)(void *arg);
    void *arg;
};

static const enum addr_family families[] = {ADDR_V4, ADDR_V6};

struct servers *servers_new(uv_loop_t *loop, const struct answer_shared *shared, void (*fn)(void *arg), void *arg)
{
    struct servers *servers = mem_zalloc(1, sizeof *servers);
    servers->shared = shared;
    servers->resolver = resolver_new(loop);
    servers->fn = fn;
    servers->arg = arg;
    ring_init(&servers->all);
    return servers;
}

void servers_free(struct servers *servers)
{
    if (!servers)
        return;
    while (!ring_is_empty(&servers->all)) {
        struct server *server = container_of(servers->all.after, struct server, all);
        ring_remove(&server->all);
        for (unsigned i = 0; i < 2; i++) {
            if (server->families[i].inquiry)
                resolver_forget(server->families[i].inquiry);
            free(server->families[i].addresses);
        }
        free(server);
    }
    map_fini(&servers->map);
    resolver_free(servers->resolver);
    free(servers);
}

void servers_use(struct servers *servers, const struct addr *resolvers, size_t cnt)
{
    resolver_use(servers->resolver, resolvers, cnt);
}

/* ---- resolvers */

static void on_answer(void *arg, const struct resolution_answer *answer)
{
    struct family *family = arg;
    struct servers *servers = family->server->servers;
    uint64_t sec = answer->outcome == RESOLUTION_FOUND ? answer->ttl_sec : SERVERS_FAILED_SEC;
    family->inquiry = NULL;
    family->until_ms = clock_mono_ms() + (sec < SERVERS_FAILED_SEC ? SERVERS_FAILED_SEC : sec) * 1000;
    if (answer->outcome != RESOLUTION_FAILED) { /* a failure says nothing of the server */
        free(family->addresses);
        family->cnt = answer->outcome == RESOLUTION_FOUND ? answer->cnt : 0;
        family->addresses = family->cnt ? mem_dup(answer->addresses, family->cnt * sizeof *family->addresses) : NULL;
    }
    if (!--servers->asked_cnt)
        servers->fn(servers->arg);
}

static struct server *find_or_add(struct servers *servers, const uint8_t *name)
{
    uint64_t hash = name_hash(name, &servers->shared->key);
    for (struct map_link *link = map_first(&servers->map, hash); link; link = map_next(link)) {
        struct server *server = container_of(link, struct server, link);
        if (name_equal(server->name, name))
            return server;
    }
    if (servers->cnt == SERVERS_NAMES_MOST)
        return NULL;
    struct server *server = mem_zalloc(1, sizeof *server + name_len(name));
    name_to_lower(server->name, name);
    server->servers = servers;
    for (unsigned i = 0; i < 2; i++)
        server->families[i].server = server;
    servers->cnt++;
    map_add(&servers->map, &server->link, hash);
    ring_add(&servers->all, &server->all);
    return server;
}

static bool ask(struct servers *servers, struct server *server)
{
    uint64_t now_ms = clock_mono_ms();
    bool is_known = true;
    for (unsigned i = 0; i < 2; i++) {
        struct family *family = &server->families[i];
        if (family->until_ms > now_ms)
            continue;
        is_known = false;
        if (family->inquiry)
            continue;
        servers->asked_cnt++;
        family->inquiry = resolver_ask(servers->resolver, server->name, families[i], on_answer, family);
    }
    return is_known;
}

/* ---- both */

static void tell_known(const struct server *server, void (*fn)(void *arg, const struct addr *addr), void *arg)
{
    for (unsigned i = 0; i < 2; i++)
        for (size_t j = 0; j < server->families[i].cnt; j++) {
            struct addr addr = server->families[i].addresses[j];
            addr.port = NOTIFY_PORT;
            fn(arg, &addr);
        }
}

bool servers_each(struct servers *servers, const uint8_t *name, void (*fn)(void *arg, const struct addr *addr),
                  void *arg)
{
    struct zone_served served = {.kind = ZONE_SERVED_ELSEWHERE};
    memcpy(served.name, name, name_len(name));
    if (servers->shared->catalogue)
        zone_served_find(&served, servers->shared->catalogue, &servers->shared->key, name);
    if (served.kind == ZONE_SERVED_NODE)
        notify_addresses_of(served.node, fn, arg);
    if (served.kind != ZONE_SERVED_ELSEWHERE)
        return true;
    struct server *server = find_or_add(servers, served.name);
    if (!server)
        return true;
    tell_known(server, fn, arg);
    return ask(servers, server);
}
