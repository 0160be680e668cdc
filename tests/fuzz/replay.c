/* The main of a fuzzer where libFuzzer is not linked: feeds LLVMFuzzerTestOneInput every file of the folders and files
 * given, then a number of mutations of each, the same in every run. `make check` runs it over tests/fuzz/corpus/WHAT.
 *
 *   fuzz_WHAT [-n MUTATIONS] [-s SECONDS] [-t TOTAL] PATH…
 *
 * MUTATIONS of each input, as many as there is time for; or, so that it takes what it takes, TOTAL of all of them.
 *
 * An input is a heap block of exactly its size, so that a sanitizer sees one byte too many. What was fed last when the
 * process dies is left in ./crash-fuzz_WHAT, to be given as PATH. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 20, MUTATIONS_DEFAULT = 300, SECONDS_DEFAULT = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

struct input {
    uint8_t *bytes;
    size_t len;
};

static struct input *inputs;
static size_t input_cnt;

/* What dies last. */
static struct {
    char path[256];
    const uint8_t *bytes;
    size_t len;
} fed;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(2);
}

static void *take_memory(size_t len)
{
    void *memory = malloc(len ? len : 1);
    if (!memory)
        die("malloc", "out of memory");
    return memory;
}

/* Async-signal-safe: also called from a signal handler. */
static void leave_crash(void)
{
    int fd = open(fed.path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return;
    ssize_t done = write(fd, fed.bytes, fed.len);
    (void)done;
    close(fd);
    static const char text[] = "the input is in ./crash-…\n";
    done = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)done;
}

static void on_abort(int number)
{
    leave_crash();
    signal(number, SIG_DFL);
    raise(number);
}

static void feed(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = take_memory(len);
    memcpy(exact, bytes, len);
    fed.bytes = exact;
    fed.len = len;
    LLVMFuzzerTestOneInput(exact, len);
    fed.bytes = NULL;
    fed.len = 0;
    free(exact);
}

/* ---- the corpus */

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path, strerror(errno));
    struct input input = { .bytes = take_memory(INPUT_MAX) };
    input.len = fread(input.bytes, 1, INPUT_MAX, file);
    if (ferror(file))
        die(path, "cannot be read");
    fclose(file);
    inputs = realloc(inputs, (input_cnt + 1) * sizeof(*inputs));
    uint8_t *fitting = realloc(input.bytes, input.len ? input.len : 1);
    if (!inputs || !fitting)
        die("realloc", "out of memory");
    input.bytes = fitting;
    inputs[input_cnt++] = input;
}

static void add_path(const char *path);

static void add_folder(const char *path)
{
    struct dirent **entries;
    int cnt = scandir(path, &entries, NULL, alphasort); /* sorted: every run does the same */
    if (cnt < 0)
        die(path, strerror(errno));
    for (int i = 0; i < cnt; i++) {
        if (entries[i]->d_name[0] != '.') {
            char below[4096];
            if (snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name) >= (int)sizeof(below))
                die(path, "path too long");
            add_path(below);
        }
        free(entries[i]);
    }
    free(entries);
}

static void add_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) < 0)
        die(path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        add_folder(path);
    else
        add_file(path);
}

/* ---- mutations */

static uint64_t random_state;

/* xorshift64*; quality is of no concern, being the same everywhere is. */
static uint32_t draw(uint32_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return below ? (uint32_t)((random_state * 0x2545F4914F6CDD1Dull) >> 33) % below : 0;
}

static void flip_bit(uint8_t *bytes, size_t len)
{
    if (len)
        bytes[draw((uint32_t)len)] ^= (uint8_t)(1u << draw(8));
}

/* Values at the borders of what length and pointer bytes may be. */
static void set_byte(uint8_t *bytes, size_t len)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xbf,
                                      0xc0, 0xff, '"',  '\\', '(',  '\n', '$',  ';'};
    if (len)
        bytes[draw((uint32_t)len)] = draw(2) ? telling[draw(sizeof(telling))] : (uint8_t)draw(256);
}

static size_t cut(uint8_t *bytes, size_t len)
{
    if (!len)
        return 0;
    size_t from = draw((uint32_t)len);
    size_t cnt = draw(2) ? 1 : 1 + draw((uint32_t)(len - from));
    memmove(bytes + from, bytes + from + cnt, len - from - cnt);
    return len - cnt;
}

/* Copies a stretch of some input into the middle. */
static size_t insert_some(uint8_t *bytes, size_t len)
{
    const struct input *other = &inputs[draw((uint32_t)input_cnt)];
    if (!other->len)
        return len;
    size_t from = draw((uint32_t)other->len);
    size_t cnt = 1 + draw((uint32_t)(other->len - from));
    size_t at = draw((uint32_t)len + 1);
    if (cnt > INPUT_MAX - len)
        cnt = INPUT_MAX - len;
    memmove(bytes + at + cnt, bytes + at, len - at);
    memcpy(bytes + at, other->bytes + from, cnt);
    return len + cnt;
}

static size_t mutate(uint8_t *bytes, size_t len)
{
    for (uint32_t rounds = 1 + draw(4); rounds; rounds--) {
        switch (draw(5)) {
        case 0: flip_bit(bytes, len); break;
        case 1: set_byte(bytes, len); break;
        case 2: len = cut(bytes, len); break;
        case 3: len = insert_some(bytes, len); break;
        default: len = draw(8) ? len : draw((uint32_t)len + 1); break;
        }
    }
    return len;
}

static double now_sec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Round by round over all inputs, so that the time limit cuts none off. Returns how many were fed. */
static size_t feed_mutations(size_t most, double seconds)
{
    uint8_t *bytes = take_memory(INPUT_MAX);
    double deadline = now_sec() + seconds;
    size_t done = 0;
    for (; done < most && (seconds < 0 || now_sec() < deadline); done++) {
        size_t round = done / input_cnt, i = done % input_cnt;
        random_state = 0x9E3779B97F4A7C15ull * (round + 1) ^ (i + 1);
        memcpy(bytes, inputs[i].bytes, inputs[i].len);
        feed(bytes, mutate(bytes, inputs[i].len));
    }
    free(bytes);
    return done;
}

int main(int argc, char **argv)
{
    size_t mutations = MUTATIONS_DEFAULT, total = 0;
    double seconds = SECONDS_DEFAULT;
    const char *name = strrchr(argv[0], '/');
    snprintf(fed.path, sizeof(fed.path), "crash-%s", name ? name + 1 : argv[0]);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(leave_crash);
    signal(SIGABRT, on_abort);
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);

    int opt;
    while ((opt = getopt(argc, argv, "n:s:t:")) != -1) {
        if (opt == 'n')
            mutations = strtoul(optarg, NULL, 10);
        else if (opt == 't')
            total = strtoul(optarg, NULL, 10);
        else if (opt == 's')
            seconds = strtod(optarg, NULL);
        else
            die("usage", "[-n MUTATIONS] [-s SECONDS] [-t TOTAL] PATH…");
    }
    for (int i = optind; i < argc; i++)
        add_path(argv[i]);
    if (!input_cnt)
        die(argv[0], "no input: give files or folders that hold some");
    for (size_t i = 0; i < input_cnt; i++)
        feed(inputs[i].bytes, inputs[i].len);
    size_t mutated = total ? feed_mutations(total, -1) : feed_mutations(mutations * input_cnt, seconds);
    printf("%zu inputs, %zu mutations\n", input_cnt, mutated);
    for (size_t i = 0; i < input_cnt; i++)
        free(inputs[i].bytes);
    free(inputs);
    return 0;
}
