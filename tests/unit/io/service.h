/* For the tests of io: a running io with a small real zone, and a client's bytes.
 *
 * The zone is "example.": www has eight A records 10.G.G.n (n = 0..7), G the generation that was published, as 16
 * bits; big has a TXT rrset of about 51,000 bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "io/io.h"

enum { SERVICE_MESSAGE_MAX = 65535, SERVICE_ADDR_MAX = 4, SERVICE_BIG_MIN = 51000 };

struct service {
    struct answer_shared shared;
    struct io *io;
    struct addr addrs[SERVICE_ADDR_MAX];
    size_t addr_cnt;
    uint16_t port; /* of all addresses */
};

/* One worker, tcp_max 1000, per client 1000, idle 10 s: what a test changes it changes here. */
struct io_options service_options(void);
/* Starts on these addresses ("127.0.0.1", NULL-terminated), all on one free port. */
void service_start(struct service *service, const struct io_options *options, const char *const *addrs);
void service_stop(struct service *service);
/* Replaces catalogue and zone by new ones. */
void service_publish(struct service *service, uint16_t generation);

/* A query for LABEL.example. into `out` (at least 64 bytes); returns its length. */
size_t query_make(uint8_t *out, uint16_t id, const char *label, uint16_t type);
/* True when it answers query `id` with NOERROR. */
bool answer_is_good(const uint8_t *answer, size_t len, uint16_t id);
/* The generation that all its eight A records tell; fails the test when they don't agree. */
uint16_t answer_generation(const uint8_t *answer, size_t len);

/* Until what does not come is a failure: long, as a busy machine is none. */
enum { SERVICE_PATIENCE_SEC = 20 };
/* For main: a program that hangs in what can't be waited for with patience (a thread that does not end) is killed. */
enum { SERVICE_ALARM_SEC = 600 };

/* Sockets bound to `from` (NULL: any) and connected to `to` at the service's port. Reads end after that patience. */
int client_udp(const struct service *service, const char *from, const char *to);
int client_tcp(const struct service *service, const char *from, const char *to);
/* Sends all bytes, or fails the test. */
void client_send(int fd, const void *bytes, size_t len);
/* A query with its length before it. */
void client_send_query(int fd, uint16_t id, const char *label, uint16_t type);
/* Reads a message; returns its length, 0 when the connection ended before it, by a reset too. */
size_t client_read(int fd, uint8_t out[SERVICE_MESSAGE_MAX]);
/* True when the service has closed this connection, or does so while there is patience. */
bool client_is_closed_now(int fd);
bool client_is_closed(int fd);

uint64_t service_count(const struct service *service, size_t offset);
/* One of io's counters. */
#define SERVICE_COUNT(service, name) service_count((service), offsetof(struct io_counters, name))
/* Waits until io_tcp_open is `cnt`; fails the test when patience ends. */
void service_wait_open(const struct service *service, size_t cnt);
void sleep_ms(unsigned ms);
/* Monotonic. Only for what may not come too early; how late it comes says more about the machine. */
uint64_t now_ms(void);
