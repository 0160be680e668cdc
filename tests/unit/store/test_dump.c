/* A version as zone text: it is read back as the same zone, equal versions give equal bytes, and a file is replaced
 * whole or not at all. */
#include "history_rig.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "ldnsx/zonefile.h"
#include "store/dump.h"

static bool collect(void *arg, const char *text, size_t len)
{
    FILE *out = arg;
    assert_int_equal(text[len - 1], '\n');
    assert_int_equal(fwrite(text, 1, len, out), len);
    return true;
}

/* To be freed. */
static char *text_of(const struct zone_version *version, const char *header)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_true(store_dump_text(collect, out, version, header));
    fclose(out);
    return text;
}

static bool add_read(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    (void)file;
    (void)line;
    zone_records_add(arg, rr, NULL, 0);
    return true;
}

static void expect_reads_back(const struct zone *zone, const char *text)
{
    struct diag *diag = diag_new(10);
    struct zone_records *read = zone_records_new(zone->name, &test_key), *want = rig_records_of(zone->current);
    assert_int_equal(zonefile_read_text("text", text, strlen(text), (const uint8_t *)"", add_read, read, diag), ERR_OK);
    zone_records_sort(read);
    rig_expect_same(read, want);
    zone_records_free(read);
    zone_records_free(want);
    diag_free(diag);
}

static void test_order(void **state)
{
    struct zone *zone = zone_of("@ 3600 A 1\n@ 3600 NS b\n@ 3600 NS a.example.net.\n@ 300 SOA 7 60\nb 60 AAAA 1\n"
                                "*.b 60 TXT x\nz.a 60 MX 10 B.example.com.\nz.a 60 MX 2 @\n_balance.b 1 TXT x\n"
                                "B.example.com. 61 A 2\n");
    char *text = text_of(zone->current, "one\n\ntwo; three");
    (void)state;
    assert_string_equal(text,
                        "; one\n; \n; two; three\n$ORIGIN example.com.\n$TTL 300\n"
                        "@\t\t\t300\tIN\tSOA\tns host.example.net. 7 3600 600 86400 60\n"
                        "\t\t\t3600\tIN\tNS\ta.example.net.\n"
                        "\t\t\t3600\tIN\tNS\tb\n"
                        "\t\t\t3600\tIN\tA\t192.0.2.1\n"
                        "z.a\t\t\t60\tIN\tMX\t2 @\n"
                        "\t\t\t60\tIN\tMX\t10 B\n"
                        "b\t\t\t61\tIN\tA\t192.0.2.2\n"
                        "\t\t\t60\tIN\tAAAA\t2001:db8::1\n"
                        "*.b\t\t\t60\tIN\tTXT\t\"x\"\n"
                        "_balance.b\t\t1\tIN\tTXT\t\"x\"\n");
    expect_reads_back(zone, text);
    free(text);
    zone_free(zone);
}

/* Whatever way a version came about. */
static void test_equal_versions(void **state)
{
    struct random_state rng = {{5, 6}};
    struct rig_zone states = {.serial = 1};
    struct zone *zone = rig_build(&states);
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct zone *fresh = rig_build(&states);
        char *text = text_of(zone->current, NULL), *again = text_of(fresh->current, NULL);
        assert_string_equal(text, again);
        expect_reads_back(zone, text);
        free(text);
        free(again);
        zone_free(fresh);
        rig_change(&states, &rng, random_below(&rng, 50));
        changeset_free(rig_advance(zone, &states));
    }
    zone_free(zone);
}

/* Many pieces, lines of every length on their borders; and `fn` that has enough of them. */
struct some {
    unsigned pieces;
    size_t bytes;
};

static bool take_two(void *arg, const char *text, size_t len)
{
    struct some *some = arg;
    (void)text;
    some->bytes += len;
    return ++some->pieces < 2;
}

static void test_pieces(void **state)
{
    struct zone *zone = large_zone();
    struct some some = {0, 0};
    char *text = text_of(zone->current, NULL);
    (void)state;
    assert_true(strlen(text) > 7000000);
    expect_reads_back(zone, text);
    assert_false(store_dump_text(take_two, &some, zone->current, NULL));
    assert_int_equal(some.pieces, 2);
    assert_true(some.bytes < 1000000);
    free(text);
    zone_free(zone);
}

/* ---- files */

struct fixture {
    struct folder folder;
    char *path;
    struct zone *zone;
    char *text;
    char why[STORE_DUMP_WHY_MAX];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    folder_make(&f->folder);
    f->path = mem_printf("%s/example.com.zone", f->folder.path);
    f->zone = zone_of(APEX "a 60 A 1\n");
    f->text = text_of(f->zone->current, "head");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->folder.path);
    free(f->path);
    free(f->text);
    zone_free(f->zone);
    free(f);
    return 0;
}

static enum err dump(struct fixture *f, const char *path, mode_t mode)
{
    f->why[0] = '\0';
    const struct store_dump_to to = {.path = path, .header = "head", .mode = mode};
    return store_dump_file(&to, f->zone->current, f->why);
}

static void expect_file(const char *path, const char *text, mode_t mode)
{
    size_t len;
    struct stat st;
    uint8_t *bytes = file_read(path, &len);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
    free(bytes);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void a_new_file_has_the_mode(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(077);
    assert_int_equal(dump(f, f->path, 0640), ERR_OK);
    umask(before);
    expect_file(f->path, f->text, 0640);
    assert_int_equal(folder_cnt(f->folder.path, ""), 1);
}

static void a_replaced_one_keeps_its_mode_and_owner(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    file_write(f->path, "old", 3);
    assert_int_equal(chmod(f->path, 0604), 0);
    bool given = !chown(f->path, 4321, 4322); /* root's alone */
    assert_int_equal(dump(f, f->path, 0640), ERR_OK);
    expect_file(f->path, f->text, 0604);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, given ? 4321 : getuid());
    assert_int_equal(st.st_gid, given ? 4322 : getgid());
    assert_int_equal(folder_cnt(f->folder.path, ""), 1);
}

static void a_link_stays_one(void **state)
{
    struct fixture *f = *state;
    char *link = mem_printf("%s/link", f->folder.path);
    struct stat st;
    file_write(f->path, "old", 3);
    assert_int_equal(symlink("example.com.zone", link), 0);
    assert_int_equal(dump(f, link, 0640), ERR_OK);
    expect_file(f->path, f->text, 0600);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(folder_cnt(f->folder.path, ""), 2);
    free(link);
}

static void a_path_may_be_relative(void **state)
{
    struct fixture *f = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f->folder.path), 0);
    enum err first = dump(f, "example.com.zone", 0644), second = dump(f, "example.com.zone", 0644);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(first, ERR_OK);
    assert_int_equal(second, ERR_OK);
    expect_file(f->path, f->text, 0644);
}

static void the_old_one_outlives_every_failure(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, limit;
    file_write(f->path, "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){50, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    enum err err = dump(f, f->path, 0644);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err, ERR_IO);
    char *want = mem_printf("it can't be written: %s", strerror(EFBIG));
    assert_string_equal(f->why, want);
    free(want);
    expect_file(f->path, "old", 0600);
    assert_int_equal(folder_cnt(f->folder.path, ""), 1);
}

static void what_is_no_file_is_told(void **state)
{
    struct fixture *f = *state;
    char *in_file = mem_printf("%s/x", f->path);
    assert_int_equal(dump(f, f->folder.path, 0644), ERR_IO);
    assert_string_equal(f->why, "what is there is no regular file");
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(dump(f, f->path, 0644), ERR_IO);
    assert_string_equal(f->why, "what is there is no regular file");
    assert_int_equal(dump(f, "/nowhere/at/all", 0644), ERR_IO);
    assert_string_equal(f->why, "no file can be made beside it: No such file or directory");
    assert_int_equal(dump(f, in_file, 0644), ERR_IO);
    assert_string_equal(f->why, "it can't be looked at: Not a directory");
    assert_int_equal(folder_cnt(f->folder.path, ""), 1);
    free(in_file);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_equal_versions),
        cmocka_unit_test(test_pieces),
        CASE(a_new_file_has_the_mode),
        CASE(a_replaced_one_keeps_its_mode_and_owner),
        CASE(a_link_stays_one),
        CASE(a_path_may_be_relative),
        CASE(the_old_one_outlives_every_failure),
        CASE(what_is_no_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
