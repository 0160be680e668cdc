#include "loop/unix_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[96];

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rondo-unix-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sock", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static enum err open_at(struct unix_socket *sock, const char *where, const char *part_of_error)
{
    struct diag *diag = diag_new(4);
    enum err err = unix_socket_open(sock, where, 0660, diag);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), err ? 1 : 0);
    if (err) {
        assert_non_null(strstr(diag_at(diag, 0)->text, part_of_error));
        assert_int_equal(sock->fd, -1);
    }
    diag_free(diag);
    return err;
}

static int knock(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (!connect(fd, (struct sockaddr *)&sa, sizeof sa))
        return fd;
    close(fd);
    return -1;
}

static void the_mode_is_as_told_whatever_the_umask(void **state)
{
    (void)state;
    const mode_t umasks[] = {0, 022, 077};
    for (size_t i = 0; i < 3; i++) {
        struct unix_socket sock;
        struct stat st;
        mode_t was = umask(umasks[i]);
        assert_int_equal(open_at(&sock, path, ""), ERR_OK);
        umask(was);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
        unix_socket_close(&sock);
        assert_int_equal(access(path, F_OK), -1);
        unix_socket_close(&sock); /* nothing left to do */
    }
}

static void a_live_one_is_left_alone_a_dead_one_replaced(void **state)
{
    (void)state;
    struct unix_socket first, second;
    assert_int_equal(open_at(&first, path, ""), ERR_OK);
    assert_int_equal(open_at(&second, path, "another process listens there"), ERR_EXISTS);
    int fd = knock();
    assert_true(fd >= 0);
    close(fd);
    close(first.fd); /* dies, and leaves its file */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(open_at(&second, path, ""), ERR_OK);
    fd = knock();
    assert_true(fd >= 0);
    close(fd);
    unix_socket_close(&second);
    assert_int_equal(access(path, F_OK), -1);
    free(first.path);
}

/* The inode's number can't come back meanwhile: the bound socket holds its inode. */
static void anothers_file_stays(void **state)
{
    (void)state;
    struct unix_socket first, second;
    assert_int_equal(open_at(&first, path, ""), ERR_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_at(&second, path, ""), ERR_OK);
    unix_socket_close(&first);
    assert_int_equal(access(path, F_OK), 0);
    unix_socket_close(&second);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_live_one_with_a_full_backlog_lives(void **state)
{
    (void)state;
    struct unix_socket first, second;
    int held[400], cnt = 0;
    assert_int_equal(open_at(&first, path, ""), ERR_OK);
    while (cnt < 400 && (held[cnt] = knock()) >= 0)
        cnt++;
    assert_true(cnt < 400);
    assert_int_equal(open_at(&second, path, "another process listens there"), ERR_EXISTS);
    while (cnt)
        close(held[--cnt]);
    unix_socket_close(&first);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    struct unix_socket sock;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(open_at(&sock, path, "no socket"), ERR_INVALID);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(open_at(&sock, path, "no socket"), ERR_INVALID);
    assert_int_equal(unlink(path), 0);
}

static void its_folder_is_made(void **state)
{
    (void)state;
    struct unix_socket sock;
    struct diag *diag = diag_new(4);
    char dir[96], inside[128], deep[128];
    snprintf(dir, sizeof dir, "%s/run", folder);
    snprintf(inside, sizeof inside, "%s/run/sock", folder);
    snprintf(deep, sizeof deep, "%s/none/none/sock", folder);
    assert_int_equal(open_at(&sock, deep, "No such file"), ERR_IO);
    assert_int_equal(open_at(&sock, inside, ""), ERR_OK);
    assert_true(sock.made_dir);
    assert_int_equal(unix_socket_give_to(&sock, getuid(), getgid(), diag), ERR_OK);
    unix_socket_close(&sock);
    assert_int_equal(open_at(&sock, inside, ""), ERR_OK);
    assert_false(sock.made_dir);
    unix_socket_close(&sock);
    assert_int_equal(rmdir(dir), 0);
    diag_free(diag);
}

static void a_path_has_1_to_107_bytes(void **state)
{
    (void)state;
    struct unix_socket sock;
    char longest[120];
    assert_int_equal(open_at(&sock, "", "107"), ERR_INVALID);
    memset(longest, 'x', sizeof longest);
    memcpy(longest, folder, strlen(folder));
    longest[strlen(folder)] = '/';
    longest[108] = 0;
    assert_int_equal(open_at(&sock, longest, "107"), ERR_INVALID);
    longest[107] = 0;
    assert_int_equal(open_at(&sock, longest, ""), ERR_OK);
    unix_socket_close(&sock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_mode_is_as_told_whatever_the_umask, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_live_one_is_left_alone_a_dead_one_replaced, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(anothers_file_stays, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_live_one_with_a_full_backlog_lives, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(its_folder_is_made, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_path_has_1_to_107_bytes, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
