/* rondoctl: sends one command to a running rondod and shows the answer. Exit status: 0 done, 1 failed, 2 usage, or
 * rondod not reached. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/opt.h"
#include "ctl/commands.h"
#include "tools/client.h"
#include "tools/human.h"
#include "tools/show.h"
#include "tools/show_zones.h"
#include "tools/table.h"

enum { USAGE_COLUMNS = 18 };

/* What getopt_long gives for options that are the command's: COMMAND_OPTION and an index. */
enum { COMMAND_OPTION = 256 };
static const char *const command_options[] = {"--client", "--if-down", "--if-up", "--for", "--reason"};
/* Others: without a value, or of this side alone. */
enum { FORCE_OPTION = 512, MERGE_OPTION, OUTPUT_OPTION };

struct order {
    enum ctl_command_id command;
    const char **args; /* in room for all words of the command line */
    size_t arg_cnt;
    /* "--for 10m": options that are the command's, to come behind its other arguments. */
    const char **options;
    size_t option_cnt;
    const char *flag; /* "--force", "--merge"; NULL: none */
    const char *output; /* NULL: standard output */
    struct client client;
    bool json;
};

static void complain(const char *fmt, ...) ATTR_PRINTF(1, 2);
static void complain(const char *fmt, ...)
{
    char *text, *clean;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    clean = table_clean(text);
    fprintf(stderr, "rondoctl: %s\n", clean);
    free(clean);
    free(text);
}

/* ==== the command line ==== */

static void help(void)
{
    printf("usage: rondoctl [-j] [-s PATH] [-t TIME] COMMAND [ARGUMENT...]\n\n"
           "Controls a running rondod through its control socket.\n\ncommands:\n");
    for (size_t i = 0; i < CTL_COMMAND_CNT; i++) {
        char usage[160];
        int len = snprintf(usage, sizeof usage, "%s %s", ctl_commands[i].name, ctl_commands[i].usage);
        if (len > USAGE_COLUMNS)
            printf("  %s\n  %*s %s\n", usage, USAGE_COLUMNS, "", ctl_commands[i].help);
        else
            printf("  %-*s %s\n", USAGE_COLUMNS, usage, ctl_commands[i].help);
    }
    printf("\noptions:\n"
           "  -j, --json         print the answer as JSON, for programs\n"
           "  -s, --control PATH the control socket; default: $RONDO_CONTROL, else\n"
           "                     " CONTROL_SOCKET "\n"
           "  -t, --timeout TIME give up after so long (\"500ms\", \"5s\", \"2m\", or seconds; 0: never)\n"
           "  -h, --help         show this\n"
           "  -V, --version      show the version\n\n"
           "exit status: 0 done, 1 the command failed, 2 usage, or rondod was not reached\n");
}

static int usage_error(void)
{
    fprintf(stderr,
            "usage: rondoctl [-j] [-s PATH] [-t TIME] COMMAND [ARGUMENT...]; \"rondoctl --help\" lists the commands\n");
    return CTL_STATUS_USAGE;
}

static bool has_option(const struct ctl_command *command, const char *option)
{
    if (strstr(command->usage, option))
        return true;
    complain("%s is no option of %s", option, command->name);
    return false;
}

static bool command_take(struct order *order, char **words, size_t word_cnt)
{
    if (!word_cnt) {
        complain("no command");
        return false;
    }
    order->command = ctl_command_find(words[0]);
    if (order->command == CTL_COMMAND_CNT) {
        complain("unknown command \"%s\"", words[0]);
        return false;
    }
    const struct ctl_command *command = &ctl_commands[order->command];
    for (size_t i = 0; i < order->option_cnt; i += 2)
        if (!has_option(command, order->options[i]))
            return false;
    if ((order->flag && !has_option(command, order->flag)) || (order->output && !has_option(command, "--output")))
        return false;
    if (order->command == CTL_COMMAND_dump && order->json && !order->output) {
        complain("--json is not for zone text: --output says where that goes");
        return false;
    }
    for (size_t i = 1; i < word_cnt; i++)
        order->args[order->arg_cnt++] = words[i];
    for (size_t i = 0; i < order->option_cnt; i++)
        order->args[order->arg_cnt++] = order->options[i];
    if (order->flag)
        order->args[order->arg_cnt++] = order->flag;
    if (order->arg_cnt >= command->args_least && order->arg_cnt <= command->args_most)
        return true;
    complain("%s arguments for %s; usage: rondoctl %s%s%s",
             order->arg_cnt < command->args_least ? "too few" : "too many", command->name, command->name,
             *command->usage ? " " : "", command->usage);
    return false;
}

/* False: the program is over, with *status. */
static bool order_read(struct order *order, int argc, char **argv, int *status)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},          {"control", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},       {"client", required_argument, NULL, COMMAND_OPTION},
        {"if-down", required_argument, NULL, COMMAND_OPTION + 1},
        {"if-up", required_argument, NULL, COMMAND_OPTION + 2},
        {"for", required_argument, NULL, COMMAND_OPTION + 3},
        {"reason", required_argument, NULL, COMMAND_OPTION + 4},
        {"force", no_argument, NULL, FORCE_OPTION}, {"merge", no_argument, NULL, MERGE_OPTION},
        {"output", required_argument, NULL, OUTPUT_OPTION},
        {NULL, 0, NULL, 0}};
    const char *told = getenv("RONDO_CONTROL"), *timeout = NULL;
    order->client.path = told && *told ? told : CONTROL_SOCKET;
    *status = CTL_STATUS_DONE;
    for (int c; (c = getopt_long(argc, argv, "js:t:hV", options, NULL)) != -1;) {
        switch (c) {
        case 'j':
            order->json = true;
            break;
        case 's':
            order->client.path = optarg;
            break;
        case 't':
            timeout = optarg;
            break;
        case 'h':
            help();
            return false;
        case 'V':
            printf("rondoctl %s\n", RONDO_VERSION);
            return false;
        case FORCE_OPTION:
        case MERGE_OPTION:
            if (order->flag) {
                complain("--force and --merge exclude each other");
                *status = usage_error();
                return false;
            }
            order->flag = c == FORCE_OPTION ? "--force" : "--merge";
            break;
        case OUTPUT_OPTION:
            order->output = optarg;
            break;
        default:
            if (c >= COMMAND_OPTION) {
                order->options[order->option_cnt++] = command_options[c - COMMAND_OPTION];
                order->options[order->option_cnt++] = optarg;
                break;
            }
            *status = usage_error();
            return false;
        }
    }
    if (timeout && opt_duration_from_text(&order->client.timeout_ms, timeout)) {
        complain("\"%s\" is no time; expected \"500ms\", \"5s\", \"2m\" or seconds", timeout);
        *status = CTL_STATUS_USAGE;
        return false;
    }
    if (!command_take(order, argv + optind, (size_t)(argc - optind))) {
        *status = usage_error();
        return false;
    }
    if (!timeout)
        order->client.timeout_ms = ctl_commands[order->command].timeout_sec * 1000ull;
    return true;
}

/* ==== the answer ==== */

static void answer_print(const struct order *order, const json_t *data)
{
    if (!order->json && order->command == CTL_COMMAND_zones && order->arg_cnt == 1) {
        show_zone(data);
    } else if (!order->json && order->command == CTL_COMMAND_dump && !order->output) {
        return; /* nothing but zone text */
    } else if (!order->json) {
        show_answer(order->command, data);
    } else if (data) {
        json_dumpf(data, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    }
}

/* A table of ten thousand zones on a full disk must not end with status 0. */
static int output_end(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    complain("cannot write the answer");
    return status ? status : CTL_STATUS_FAILED;
}

static int stop_wait(const struct order *order, int pidfd)
{
    if (pidfd < 0 || !client_wait_end(&order->client, pidfd))
        return CTL_STATUS_DONE;
    complain("rondod has begun to stop, but still runs");
    return CTL_STATUS_FAILED;
}

static bool copy(int to, int from)
{
    enum { PIECE = 64 * 1024 };
    char *piece = mem_zalloc(1, PIECE);
    ssize_t len, sent = 0;
    while ((len = read(from, piece, PIECE)) != 0) {
        if (len < 0 && errno == EINTR)
            continue;
        for (ssize_t at = 0; at < len && sent >= 0; at += sent > 0 ? sent : 0) {
            sent = write(to, piece + at, (size_t)(len - at));
            if (sent < 0 && errno == EINTR)
                sent = 0;
        }
        if (len < 0 || sent < 0)
            break;
    }
    free(piece);
    return len == 0;
}

/* The file that came with the answer goes where it was wanted. */
static int text_write(const struct order *order)
{
    if (order->client.attached < 0) {
        complain("rondod sent no text");
        return CTL_STATUS_FAILED;
    }
    int fd = order->output ? open(order->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
    bool is_done = fd >= 0 && copy(fd, order->client.attached);
    int problem = errno;
    if (order->output && fd >= 0 && close(fd) && is_done) {
        is_done = false;
        problem = errno;
    }
    if (is_done)
        return CTL_STATUS_DONE;
    complain("cannot write %s%s%s: %s", order->output ? "\"" : "", order->output ? order->output : "the text",
             order->output ? "\"" : "", strerror(problem));
    return CTL_STATUS_FAILED;
}

static int order_do(struct order *order)
{
    struct ctl_answer answer;
    char *why = NULL;
    int pidfd, status;
    enum err err = client_ask(&order->client, ctl_commands[order->command].name, order->args, order->arg_cnt, &answer,
                              &pidfd, &why);
    if (err) {
        complain("%s", why);
        free(why);
        status = CTL_STATUS_USAGE;
    } else {
        status = answer.status;
        if (order->command == CTL_COMMAND_stop && status == CTL_STATUS_DONE)
            status = stop_wait(order, pidfd);
        if (order->command == CTL_COMMAND_dump && status == CTL_STATUS_DONE)
            status = text_write(order);
        bool is_ours = order->command == CTL_COMMAND_stop || order->command == CTL_COMMAND_dump;
        if (!is_ours || status == CTL_STATUS_DONE) /* that rondod has done its part is not all */
            answer_print(order, answer.data);
        status = output_end(status);
        if (answer.error)
            complain("%s: %s", ctl_commands[order->command].name, answer.error);
        ctl_answer_fini(&answer);
    }
    if (pidfd >= 0)
        close(pidfd);
    if (order->client.attached >= 0)
        close(order->client.attached);
    return status;
}

int main(int argc, char **argv)
{
    struct order order = {.command = CTL_COMMAND_CNT};
    int status;
    order.args = mem_zalloc((size_t)argc, 2 * sizeof *order.args);
    order.options = mem_zalloc((size_t)argc, 2 * sizeof *order.options);
    status = order_read(&order, argc, argv, &status) ? order_do(&order) : output_end(status);
    free(order.args);
    free(order.options);
    return status;
}
