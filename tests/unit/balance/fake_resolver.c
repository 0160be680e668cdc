/* The resolver as tests want it: what is asked waits until it is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "probe/resolver.h"
#include "unit/balance/rig.h"

struct resolver_inquiry {
    struct resolver *resolver;
    struct resolver_inquiry *next;
    resolver_fn *fn;
    void *arg;
    enum addr_family family;
    char name[NAME_TEXT_MAX];
};

struct resolver {
    struct resolver_inquiry *inquiries; /* the newest first */
    char used[200];
};

static struct resolver *the_resolver;
static size_t asked;

struct resolver *resolver_new(uv_loop_t *loop)
{
    assert_non_null(loop);
    assert_null(the_resolver);
    asked = 0;
    return the_resolver = mem_zalloc(1, sizeof *the_resolver);
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    assert_null(resolver->inquiries); /* hosts forget what they asked */
    free(resolver);
    the_resolver = NULL;
}

void resolver_use(struct resolver *resolver, const struct addr *servers, size_t cnt)
{
    resolver->used[0] = '\0';
    for (size_t i = 0; i < cnt; i++) {
        char text[ADDR_TEXT_MAX];
        strcat(strcat(resolver->used, i ? " " : ""), addr_port_to_text(text, &servers[i]));
    }
}

const char *fake_resolvers(void) { return the_resolver->used; }

struct resolver_inquiry *resolver_ask(struct resolver *resolver, const uint8_t *name, enum addr_family family,
                                      resolver_fn *fn, void *arg)
{
    struct resolver_inquiry *inquiry = mem_zalloc(1, sizeof *inquiry);
    inquiry->resolver = resolver;
    inquiry->next = resolver->inquiries;
    inquiry->fn = fn;
    inquiry->arg = arg;
    inquiry->family = family;
    name_to_text_bare(inquiry->name, name);
    resolver->inquiries = inquiry;
    asked++;
    return inquiry;
}

static void take_out(struct resolver_inquiry *inquiry)
{
    struct resolver_inquiry **at = &inquiry->resolver->inquiries;
    while (*at != inquiry)
        at = &(*at)->next;
    *at = inquiry->next;
}

void resolver_forget(struct resolver_inquiry *inquiry)
{
    take_out(inquiry);
    free(inquiry);
}

size_t fake_asked(void) { return asked; }

static struct resolver_inquiry *find(const char *name, enum addr_family family)
{
    struct resolver_inquiry *inquiry = the_resolver->inquiries;
    while (inquiry && (strcmp(inquiry->name, name) != 0 || inquiry->family != family))
        inquiry = inquiry->next;
    return inquiry;
}

bool fake_is_asked(const char *name, enum addr_family family) { return find(name, family) != NULL; }

static void answer(const char *name, enum addr_family family, struct resolution_answer *given)
{
    struct resolver_inquiry *inquiry = find(name, family);
    if (!inquiry)
        fail_msg("nobody asks for %s", name);
    take_out(inquiry);
    inquiry->fn(inquiry->arg, given);
    free(inquiry);
}

void fake_resolve(const char *name, enum addr_family family, uint32_t ttl_sec, const char *numbers)
{
    struct addr addresses[1100];
    struct resolution_answer given = {.ttl_sec = ttl_sec, .addresses = addresses};
    char *end = NULL;
    for (const char *at = numbers; *at; at = end) {
        unsigned long number = strtoul(at, &end, 10);
        struct addr *address = &addresses[given.cnt++];
        *address = (struct addr){.family = ADDR_V4, .bytes = {192, 0, (uint8_t)(2 + number / 256), (uint8_t)number}};
        if (family == ADDR_V6)
            *address = (struct addr){.family = ADDR_V6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)number}};
    }
    resolution_sift(&given);
    answer(name, family, &given);
}

void fake_resolve_fails(const char *name, enum addr_family family, bool is_denied)
{
    struct resolution_answer given = {.outcome = is_denied ? RESOLUTION_NONE : RESOLUTION_FAILED,
                                      .problem = is_denied ? "no such name" : "SERVFAIL"};
    answer(name, family, &given);
}
