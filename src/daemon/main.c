/* rondod: the command line. */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/daemon.h"
#include "daemon/validate.h"
#include "daemon/wiring.h"

static const char usage[] = "usage: rondod [-c FILE]          serve, in the foreground\n"
                            "       rondod [-c FILE] -t [-v]  validate configuration and zones; -v: show every pool\n"
                            "       rondod -V | -h            version, this help\n"
                            "       rondod --print-sample     a sample configuration with every option\n"
                            "       rondod --print-options    the option list of rondo.conf(5)\n";

enum { EXIT_USAGE = 2 };
enum action { ACTION_RUN = 'r', ACTION_VALIDATE = 't', ACTION_SAMPLE = 256, ACTION_OPTIONS };

/* A descriptor of 0 to 2 that is closed would become a socket's or a zone file's, and log lines would go there. */
static void fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* A client that leaves (SIGPIPE) or a full log file (SIGXFSZ) is an error of that write, no reason to end. */
static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* What a job took to read a zone must go back to the system when the zone is built. glibc raises the size from which it
 * maps memory (and unmaps it when freed) with every such block that it sees freed, to 32 MiB; the last zone's megabytes
 * then stay in the heap of whichever thread had them. Setting the size ends that. */
static void tune_malloc(void)
{
    enum { MAPPED_LEAST = 128 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_LEAST);
}

/* What was asked for must have arrived: a full disk behind standard output is a failure. */
static int flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("rondod: standard output");
    return EXIT_FAILURE;
}

static int print_text(char *text)
{
    fputs(text, stdout);
    free(text);
    return flushed(EXIT_SUCCESS);
}

static int run(int action, const char *conf_path, bool verbose)
{
    switch (action) {
    case ACTION_VALIDATE:
        return flushed(validate_run(conf_path, verbose));
    case ACTION_SAMPLE:
        return print_text(conf_sample_text(wiring_opt_tables, wiring_opt_table_cnt));
    case ACTION_OPTIONS:
        return print_text(conf_man_text(wiring_opt_tables, wiring_opt_table_cnt));
    default:
        return daemon_run(conf_path);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},       {"test", no_argument, NULL, ACTION_VALIDATE},
        {"version", no_argument, NULL, 'V'},            {"help", no_argument, NULL, 'h'},
        {"print-sample", no_argument, NULL, ACTION_SAMPLE}, {"print-options", no_argument, NULL, ACTION_OPTIONS},
        {"verbose", no_argument, NULL, 'v'},            {0},
    };
    const char *conf_path = SYSCONFDIR "/rondo/rondo.conf";
    int action = ACTION_RUN;
    bool verbose = false;
    fill_standard_files();
    ignore_signals();
    tune_malloc();
    for (int c; (c = getopt_long(argc, argv, "c:tvVh", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            conf_path = optarg;
            break;
        case 'v':
            verbose = true;
            break;
        case 'V':
            printf("rondod %s\n", RONDO_VERSION);
            return flushed(EXIT_SUCCESS);
        case 'h':
            fputs(usage, stdout);
            return flushed(EXIT_SUCCESS);
        case '?':
            fputs(usage, stderr);
            return EXIT_USAGE;
        default:
            action = c;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "rondod: unexpected argument \"%s\"\n%s", argv[optind], usage);
        return EXIT_USAGE;
    }
    if (verbose && action != ACTION_VALIDATE) {
        fprintf(stderr, "rondod: -v goes with -t\n%s", usage);
        return EXIT_USAGE;
    }
    return run(action, conf_path, verbose);
}
