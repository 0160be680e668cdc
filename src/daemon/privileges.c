#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

enum err privileges_find(struct privileges *privileges, const char *user)
{
    size_t cap = 16384; /* an entry; members of groups are not in it */
    char *text = mem_zalloc(cap, 1);
    struct passwd entry, *found = NULL;
    int e = getpwnam_r(user, &entry, text, cap, &found);
    if (!e && found)
        *privileges = (struct privileges){.uid = found->pw_uid, .gid = found->pw_gid};
    free(text);
    return !e && found ? ERR_OK : ERR_NOT_FOUND;
}

static enum err refuse(struct diag *diag, const char *user, const char *step)
{
    diag_error(diag, NULL, 0, "cannot become user \"%s\": %s: %s", user, step, strerror(errno));
    return ERR_DENIED;
}

/* Real, effective and saved ids alike, and root out of reach. */
static bool is_final(const struct privileges *p)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    if (getresuid(&ruid, &euid, &suid) || getresgid(&rgid, &egid, &sgid))
        return false;
    if (ruid != p->uid || euid != p->uid || suid != p->uid || rgid != p->gid || egid != p->gid || sgid != p->gid)
        return false;
    return p->uid == 0 || setuid(0) != 0;
}

/* Of those that the change of the user id was told to keep, raw sockets alone stay, for this thread and all that it
 * starts; nothing is inheritable. 0, or -1 and errno. (libcap's one call is not worth a library.) */
static int keep_raw_alone(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    data[CAP_TO_INDEX(CAP_NET_RAW)].permitted = CAP_TO_MASK(CAP_NET_RAW);
    data[CAP_TO_INDEX(CAP_NET_RAW)].effective = CAP_TO_MASK(CAP_NET_RAW);
    return (int)syscall(SYS_capset, &header, data);
}

/* A container's root may lack it: then there is nothing to keep. */
static bool has_raw(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return !syscall(SYS_capget, &header, data) &&
           data[CAP_TO_INDEX(CAP_NET_RAW)].permitted & CAP_TO_MASK(CAP_NET_RAW);
}

enum err privileges_drop(const struct privileges *privileges, const char *user, struct diag *diag)
{
    if (geteuid() != 0) {
        if (privileges->uid == geteuid() && privileges->uid == getuid())
            return ERR_OK;
        errno = EPERM;
        return refuse(diag, user, "not started as root");
    }
    bool keeps_raw = privileges->keeps_raw && privileges->uid != 0 && has_raw();
    if (keeps_raw && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        return refuse(diag, user, "prctl");
    if (initgroups(user, privileges->gid))
        return refuse(diag, user, "initgroups");
    if (setresgid(privileges->gid, privileges->gid, privileges->gid))
        return refuse(diag, user, "setresgid");
    if (setresuid(privileges->uid, privileges->uid, privileges->uid))
        return refuse(diag, user, "setresuid");
    if (keeps_raw && keep_raw_alone())
        return refuse(diag, user, "capset");
    if (!is_final(privileges)) {
        errno = EPERM;
        return refuse(diag, user, "the way back stayed open");
    }
    return ERR_OK;
}

void privileges_no_new(void)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* Linux 3.5; cannot fail with these arguments */
}
