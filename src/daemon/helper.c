#include "daemon/helper.h"

#include <linux/prctl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/diag.h"
#include "daemon/on_change.h"
#include "daemon/privileges.h"

/* Commands can have no use for these, and might do harm with them: speak to systemd in our name, take our log's stream
 * or sockets for theirs. */
static const char *const ours_alone[] = {
    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
    "MAINPID",
};

static void set_environment(const char *user)
{
    const struct passwd *entry = *user ? getpwnam(user) : NULL;
    for (size_t i = 0; i < sizeof ours_alone / sizeof *ours_alone; i++)
        (void)unsetenv(ours_alone[i]);
    (void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
    if (!entry)
        return;
    (void)setenv("HOME", entry->pw_dir, 1);
    (void)setenv("SHELL", entry->pw_shell, 1);
    (void)setenv("USER", user, 1);
    (void)setenv("LOGNAME", user, 1);
}

/* As the daemon does it itself; and what capabilities a service manager has given it to bind ports with are no
 * command's. */
static bool become(const char *user)
{
    struct diag *diag = diag_new(8);
    struct privileges privileges;
    enum err err = ERR_OK;
    if (*user)
        err = privileges_find(&privileges, user);
    if (*user && !err)
        err = privileges_drop(&privileges, user, diag);
    diag_log(diag);
    diag_free(diag);
    privileges_no_new();
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    set_environment(user);
    return !err;
}

enum err helper_fork(struct spawn_helper *helper)
{
    static const unsigned most[HELPER_CHANNEL_CNT] = {
        [HELPER_CHECKS] = HELPER_CHECKS_AT_ONCE, [HELPER_CHANGES] = ON_CHANGE_AT_ONCE};
    static const struct spawn_helper_setup setup = {most, HELPER_CHANNEL_CNT, become};
    return spawn_helper_fork(helper, &setup);
}
