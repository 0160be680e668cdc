/* What a check costs, and how soon its verdict is told: runs the prober against a server in the same process, 2,000
 * checks a second of a thousand targets on loopback addresses, and prints the processor time of the probe thread a
 * check. Beside it what a blocking client takes that does nothing but the needful, in turns with it: on loopback the
 * sender does most of what the peer's kernel does, so the difference is what is ours.
 *
 * https and tls cost what a handshake does: a thousand targets every five seconds, with a chain of two RSA
 * certificates; and how long an http check beside them takes, at that pace, and while the thousand begin within half a
 * second, which is more than a processor can do.
 *
 *     probe-bench [ROUNDS [SECONDS]]
 */
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe/probe.h"
#include "probe/trust.h"
#include "unit/probe/server.h"
#include "unit/probe/tls_server.h"

enum { TARGETS = 1000, INTERVAL_MS = 500, SECURE_INTERVAL_MS = 5000, SECURE_SECONDS = 10 };
enum { ROUNDS_MAX = 100, TURNS = 100 };

static int wake_fd;
static uint64_t woken_us; /* atomic */

static void on_wake(void *arg)
{
    uint64_t one = 1;
    (void)arg;
    __atomic_store_n(&woken_us, now_us(), __ATOMIC_RELEASE);
    if (write(wake_fd, &one, sizeof one) != sizeof one)
        abort();
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values, unsigned cnt)
{
    qsort(values, cnt, sizeof *values, compare);
    return values[cnt / 2];
}

/* ---- what the prober takes ---- */

/* Nanoseconds that the task of this number has run, if it has that name; 0 else. */
static uint64_t task_ns(const char *task, const char *name)
{
    char path[300], text[64];
    unsigned long long ns = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task);
    FILE *file = fopen(path, "r");
    bool is_it = file && fgets(text, sizeof text, file) && strcspn(text, "\n") == strlen(name) &&
                 !strncmp(text, name, strlen(name));
    if (file)
        fclose(file);
    if (!is_it)
        return 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task);
    if ((file = fopen(path, "r")) != NULL) {
        if (fscanf(file, "%llu", &ns) != 1)
            ns = 0;
        fclose(file);
    }
    return ns;
}

static uint64_t thread_ns(const char *name)
{
    uint64_t ns = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && !ns && (task = readdir(tasks)) != NULL;)
        ns = task_ns(task->d_name, name);
    if (tasks)
        closedir(tasks);
    return ns;
}

static struct probe_spec spec_of(enum probe_type type, unsigned nth, uint16_t port, uint64_t interval_ms)
{
    return (struct probe_spec){
        .options.type = type,
        .address = {.bytes = {127, 1, (uint8_t)(nth / 250), (uint8_t)(1 + nth % 250)}, .family = ADDR_V4, .port = port},
        .timing = {.interval_ms = interval_ms,
                   .fast_interval_ms = interval_ms,
                   .timeout_ms = interval_ms,
                   .rise = 1,
                   .fall = 1},
    };
}

/* Microseconds a check. */
static double measure(struct probe *probe, enum probe_type type, unsigned seconds)
{
    struct server server;
    static uint32_t targets[TARGETS];
    server_start(&server, 0, SERVER_ANSWERS);
    for (unsigned i = 0; i < TARGETS; i++) {
        struct probe_spec spec = spec_of(type, i, server.port, INTERVAL_MS);
        targets[i] = probe_subscribe(probe, &spec);
    }
    sleep_ms(2 * INTERVAL_MS); /* until they are spread */
    uint64_t ns = thread_ns("probe");
    uint32_t cnt = server_accepted(&server);
    sleep_ms(1000 * seconds);
    ns = thread_ns("probe") - ns;
    cnt = server_accepted(&server) - cnt;
    for (unsigned i = 0; i < TARGETS; i++)
        probe_unsubscribe(probe, targets[i]);
    server_stop(&server);
    return cnt ? (double)ns / 1000 / cnt : 0;
}

/* ---- what it can't be below ---- */

static uint64_t own_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool ask(uint16_t port, unsigned nth)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f010001 + nth)};
    char answer[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
                send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1 &&
                recv(fd, answer, sizeof answer, 0) > 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* At about the same pace: a thread that sleeps between pays for waking up. */
static double measure_least(unsigned seconds)
{
    struct server server;
    unsigned cnt = 0;
    server_start(&server, 0, SERVER_ANSWERS);
    uint64_t begin_ns = own_ns(), end_us = now_us() + seconds * UINT64_C(1000000);
    for (; now_us() < end_us; cnt++) {
        if (!ask(server.port, cnt % TARGETS))
            printf("the blocking client got no answer\n");
        usleep(350);
    }
    double us = (double)(own_ns() - begin_ns) / 1000 / cnt;
    server_stop(&server);
    return us;
}

/* ---- how soon it tells ---- */

static void wait_event(struct probe *probe)
{
    struct probe_event event;
    uint64_t cnt;
    while (!probe_next(probe, &event))
        if (read(wake_fd, &cnt, sizeof cnt) != sizeof cnt)
            abort();
}

/* From the moment the target speaks to the call of `wake`: every check changes the verdict. */
static void measure_events(struct probe *probe)
{
    struct server server;
    static double took[TURNS];
    server_start(&server, 0, SERVER_ANSWERS);
    struct probe_spec spec = spec_of(PROBE_HTTP, 0, server.port, 50);
    uint32_t target = probe_subscribe(probe, &spec);
    for (unsigned i = 0; i < TURNS; i++) {
        wait_event(probe);
        took[i] = (double)__atomic_load_n(&woken_us, __ATOMIC_ACQUIRE) -
                  (double)__atomic_load_n(&server.answered_us, __ATOMIC_ACQUIRE);
        server_behave(&server, SERVER_ANSWERS, i % 2 ? server_200 : server_500);
    }
    probe_unsubscribe(probe, target);
    server_stop(&server);
    double middle = median(took, TURNS);
    printf("from the answer to the event: median %.0f us, worst %.0f us\n", middle, took[TURNS - 1]);
}

/* ---- by TLS ---- */

struct secure {
    struct pki root, leaf;
    char ca_file[64];
    struct tls_server server;
    struct server beside;
    uint32_t targets[TARGETS], beside_target;
};

static struct probe_spec secure_spec(struct secure *s, enum probe_type type, unsigned nth)
{
    struct probe_spec spec = spec_of(type, nth, s->server.port, SECURE_INTERVAL_MS);
    char problem[TRUST_PROBLEM_MAX];
    spec.host = "www.example.com";
    spec.options.verify = true;
    spec.options.ca_file = s->ca_file;
    if (!trust_check_file(spec.options.ca_digest, problem, s->ca_file))
        abort();
    return spec;
}

/* The longest that the http check beside took; its server answers at once. */
static double watch_beside(const struct probe *probe, const struct secure *s, unsigned ms)
{
    uint64_t end_us = now_us() + ms * UINT64_C(1000);
    uint32_t most_us = 0;
    while (now_us() < end_us) {
        struct probe_event state;
        probe_state(probe, s->beside_target, &state);
        most_us = state.duration_us > most_us ? state.duration_us : most_us;
        sleep_ms(2);
    }
    return (double)most_us / 1000;
}

static void measure_secure_type(struct probe *probe, struct secure *s, enum probe_type type)
{
    for (unsigned i = 0; i < TARGETS; i++) {
        struct probe_spec spec = secure_spec(s, type, i);
        s->targets[i] = probe_subscribe(probe, &spec);
    }
    double burst_ms = watch_beside(probe, s, 3000);
    sleep_ms(SECURE_INTERVAL_MS); /* until they are spread */
    uint64_t ns = thread_ns("probe");
    uint32_t cnt = tls_server_accepted(&s->server);
    double usual_ms = watch_beside(probe, s, 1000 * SECURE_SECONDS);
    ns = thread_ns("probe") - ns;
    cnt = tls_server_accepted(&s->server) - cnt;
    printf("%s: %.0f us of CPU a check, %.0f checks/s; http beside takes at most %.1f ms, while all begin %.1f ms\n",
           type == PROBE_TLS ? "tls" : "https", (double)ns / 1000 / cnt, (double)cnt / SECURE_SECONDS, usual_ms,
           burst_ms);
    for (unsigned i = 0; i < TARGETS; i++)
        probe_unsubscribe(probe, s->targets[i]);
}

static void measure_secure(struct probe *probe)
{
    static struct secure s;
    const struct pki_wish root = {.name = "root", .to_days = 100, .is_rsa = 1};
    const struct pki_wish leaf = {.host = "www.example.com", .to_days = 100, .is_rsa = 1, .issuer = &s.root};
    signal(SIGPIPE, SIG_IGN);
    pki_make(&s.root, &root);
    pki_make(&s.leaf, &leaf);
    pki_save(&s.root, s.ca_file);
    tls_server_start(&s.server, &s.leaf, NULL);
    server_start(&s.beside, 0, SERVER_ANSWERS);
    struct probe_spec spec = spec_of(PROBE_HTTP, 0, s.beside.port, 10);
    s.beside_target = probe_subscribe(probe, &spec);
    measure_secure_type(probe, &s, PROBE_HTTPS);
    measure_secure_type(probe, &s, PROBE_TLS);
    probe_unsubscribe(probe, s.beside_target);
    server_stop(&s.beside);
    tls_server_stop(&s.server);
    unlink(s.ca_file);
    pki_fini(&s.leaf);
    pki_fini(&s.root);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3;
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
    double tcp[ROUNDS_MAX], http[ROUNDS_MAX], least[ROUNDS_MAX];
    if (rounds < 1 || rounds > ROUNDS_MAX || seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: probe-bench [ROUNDS, 1 to 100 [SECONDS, 1 to 3600]]\n");
        return 2;
    }
    wake_fd = eventfd(0, EFD_CLOEXEC);
    struct probe *probe = probe_new(on_wake, NULL);
    if (probe_start(probe, INTERVAL_MS) != ERR_OK)
        return 1;
    for (unsigned i = 0; i < rounds; i++) {
        tcp[i] = measure(probe, PROBE_TCP, seconds);
        http[i] = measure(probe, PROBE_HTTP, seconds);
        least[i] = measure_least(seconds);
        printf("round %u: tcp %.1f, http %.1f, blocking http client %.1f us of CPU a check\n", i + 1, tcp[i], http[i],
               least[i]);
    }
    double tcp_us = median(tcp, rounds), http_us = median(http, rounds), least_us = median(least, rounds);
    printf("median: tcp %.1f, http %.1f, blocking http client %.1f us; http / client %.2f\n", tcp_us, http_us, least_us,
           http_us / least_us);
    measure_events(probe);
    measure_secure(probe);
    probe_free(probe);
    close(wake_fd);
    return 0;
}
