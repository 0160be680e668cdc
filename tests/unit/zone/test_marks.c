/* Which names of a zone are pools, and which of other zones it points to. */
#include "version_help.h"

#include "base/diag.h"

/* The pools of a zone as text, and what its version tells of them. */
static void add_pool_name(void *arg, const struct zone_node *node)
{
    char name[NAME_TEXT_MAX], *text = arg;
    if (node->flags & NODE_POOL)
        sprintf(text + strlen(text), "%.*s ", (int)strcspn(name_to_text(name, zone_node_name(node)), "."), name);
}

static const char *pools_of(const struct zone_version *v)
{
    static const char *const known[] = {"@", "www", "mail", "cut", "below", "dn", "deep", "ns", "*"};
    static char text[1000], all[1000];
    text[0] = all[0] = '\0';
    trie_each(v->root, add_pool_name, all);
    size_t found = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char word[20];
        snprintf(word, sizeof(word), "%s ", strcmp(known[i], "@") ? known[i] : "example");
        if (strstr(all, word)) {
            strcat(text, word);
            found++;
        }
    }
    assert_int_equal(found, v->pool_cnt);
    return text;
}

static enum zone_mark match_all(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)zone;
    (void)lower;
    return *(const enum zone_mark *)arg;
}

static void test_only_authoritative_names_are_pools(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_BELOW;
    struct zone_marks marks = {.match = match_all, .arg = &mark};
    struct zone_records *records =
        records_of(APEX "@ 60 A 1\nwww 60 A 1\nmail 60 AAAA 1\n@ 60 MX 10 Mail\nalone 60 TXT x\n*.w 60 A 1\n"
                        "cut 60 NS ns.cut\ncut 60 A 1\nns.cut 60 A 1\nbelow.cut 60 A 1\n"
                        "dn 60 DNAME www\ndn 60 A 1\ndeep.dn 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    assert_int_equal(v->fresh_pool_cnt, 4);
    give_handles(v);
    assert_null(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "@ 60 MX 10 mail\n", "", &marks); /* nothing points to it any more */
    assert_string_equal(pools_of(zone->current), "example www mail dn * ");
    change(zone, "", "www 60 MX 10 mail\n", &marks);
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "cut 60 NS ns.cut\n", "", &marks); /* no cut any more, and nothing points to ns.cut */
    assert_string_equal(pools_of(zone->current), "example www cut below dn ns * ");
    change(zone, "dn 60 DNAME www\n", "", &marks);
    assert_string_equal(pools_of(zone->current), "example www cut below dn deep ns * ");
    change(zone, "", "cut 60 NS ns.example.net.\ndn 60 DNAME www\n", &marks);
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "www 60 A 1\n", "", &marks);
    assert_string_equal(pools_of(zone->current), "example dn * ");
    v = zone_remark(zone->current, &marks);
    assert_null(v);
    v = zone_remark(zone->current, NULL);
    assert_int_equal(v->lost_pool_cnt, 3);
    zone_version_put(zone_publish(zone, v));
    zone_version_forget_pools(v);
    assert_string_equal(pools_of(zone->current), "");
    zone_free(zone);
}

static void test_mail_servers_are_pools_by_name_alone(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_NAME;
    struct diag *diag = diag_new(10);
    struct zone_marks marks = {.match = match_all, .arg = &mark, .diag = diag};
    struct zone_records *records = records_of(APEX "www 60 A 1\nmail 60 A 1\nwww 60 MX 10 mail\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    give_handles(v);
    assert_null(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "www mail ");
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    assert_string_equal(diag_at(diag, 0)->text,
                        "\"mail.example.com.\" is balanced although NS or MX records point to it");
    mark = ZONE_MARK_BY_BELOW;
    v = zone_remark(zone->current, &marks);
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "www ");
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    diag_free(diag);
    zone_free(zone);
}

static void note_all_asked(void *arg, const struct zone *zone, struct diag *diag)
{
    (void)arg;
    diag_warning(diag, NULL, 0, "%u", zone->depth);
}

static enum zone_mark match_by_name(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)arg;
    (void)zone;
    return lower[0] == 4 ? ZONE_MARK_BY_NAME : ZONE_MARK_BY_BELOW;
}

/* Whoever marks hears which names of other zones a version points to, is warned of those that
 * stay balanced, and hears when all was asked. */
static void test_what_a_zone_points_to(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_BELOW;
    struct diag *diag = diag_new(10);
    struct zone_marks marks = {.match_foreign = match_by_name, .arg = &mark, .diag = diag, .all_asked = note_all_asked};
    struct zone_records *records = records_of(APEX "@ 60 MX 10 Mail.B.org.\nwww 60 MX 10 mail.b.org.\nwww 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    assert_int_equal(count_names(&v->fresh_foreign), 2); /* and the name server */
    assert_non_null(listed(&v->fresh_foreign, (const uint8_t *)"\4mail\1b\3org"));
    assert_int_equal(v->pool_cnt, 0);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    assert_string_equal(diag_at(diag, 0)->text,
                        "\"mail.b.org.\" is balanced although NS or MX records of zone \"example.com\" point to it");
    give_handles(v);
    assert_null(zone_publish(zone, v));
    change(zone, "www 60 MX 10 mail.b.org.\n", "", &marks);
    assert_ptr_not_equal(zone->current->foreign, v); /* one points to it still */
    assert_int_equal(zone->current->foreign->cnt, 2);
    change(zone, "@ 60 MX 10 mail.b.org.\n", "x 60 MX 5 y.b.org.\n", &marks);
    assert_non_null(listed(foreign_of(zone->current), (const uint8_t *)"\1y\1b\3org"));
    assert_null(listed(foreign_of(zone->current), (const uint8_t *)"\4mail\1b\3org"));
    const struct zone_foreign *shared = zone->current->foreign;
    change(zone, "", "x 60 A 5\n", &marks);
    assert_ptr_equal(zone->current->foreign, shared);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 2); /* the second time with the first change */
    marks.match = match_all;
    assert_non_null(v = zone_remark(zone->current, &marks));
    assert_int_equal(v->fresh_foreign.len + v->lost_foreign.len, 0);
    assert_string_equal(diag_at(diag, 2)->text, "2");
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    marks.match = NULL;
    marks.match_foreign = NULL;
    marks.foreign_anew = true;
    assert_non_null(v = zone_remark(zone->current, &marks));
    assert_null(v->foreign);
    assert_int_equal(count_names(&v->lost_foreign), 2);
    assert_int_equal(v->pool_cnt, 0);
    zone_discard(v);
    diag_free(diag);
    zone_free(zone);
}

static bool match_bare(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)arg;
    (void)zone;
    return lower[1] != 'm';
}

/* Addresses come from elsewhere: any name with a record will do, but no alias. */
static void test_names_without_addresses(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_NAME;
    struct diag *diag = diag_new(10);
    struct zone_marks marks = {.match = match_all, .match_bare = match_bare, .arg = &mark, .diag = diag};
    struct zone_records *records =
        records_of(APEX "www 60 TXT x\nmail 60 TXT x\nalias 60 CNAME www\nbelow.deep 60 A 1\n"
                        "cut 60 NS ns.example.net.\nglue.cut 60 A 1\n* 60 TXT x\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    give_handles(v);
    assert_null(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "example www below * ");
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    assert_non_null(strstr(diag_at(diag, 0)->text, "\"alias.example.com.\" is not balanced: it has a CNAME record"));
    marks.diag = NULL;
    change(zone, "www 60 TXT x\n", "alias.www 60 CNAME mail\n", &marks); /* an empty non-terminal by now */
    assert_string_equal(pools_of(zone->current), "example below * ");
    change(zone, "", "www 60 CNAME mail\n", &marks);
    assert_string_equal(pools_of(zone->current), "example below * ");
    change(zone, "www 60 CNAME mail\n", "www 60 A 1\nmail 60 A 1\n", &marks);
    assert_string_equal(pools_of(zone->current), "example www mail below * ");
    marks.match_bare = NULL;
    v = zone_remark(zone->current, &marks);
    zone_version_put(zone_publish(zone, v));
    zone_version_forget_pools(v);
    assert_string_equal(pools_of(zone->current), "www mail below ");
    zone_free(zone);
    diag_free(diag);
}

/* What got no handle is offered again with the next annotations, and nothing else is copied. */
static void test_a_pool_without_handle(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_NAME;
    struct zone_marks marks = {.match = match_all, .arg = &mark};
    struct zone_records *records = records_of(APEX "www 60 A 1\nmail 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    ((struct zone_node *)(uintptr_t)node_of(v, "www"))->pool = 7;
    zone_version_forget_pools(v);
    assert_null(zone_publish(zone, v));
    v = zone_remark(zone->current, &marks);
    assert_int_equal(v->fresh_pool_cnt, 1);
    assert_int_equal(v->lost_pool_cnt, 0);
    assert_int_equal(v->pool_cnt, 2);
    assert_ptr_equal(v->fresh_pools[0], node_of(v, "mail"));
    assert_ptr_equal(node_of(v, "www"), node_of(zone->current, "www"));
    zone_version_put(zone_publish(zone, v));
    struct zone_records *again = records_of(APEX "www 60 A 1\n");
    v = zone_build(zone, again, NULL);
    assert_int_equal(v->lost_pool_cnt, 1);
    assert_int_equal(v->lost_pools[0], 7);
    assert_int_equal(v->pool_cnt, 0);
    zone_records_free(again);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_authoritative_names_are_pools),
        cmocka_unit_test(test_mail_servers_are_pools_by_name_alone),
        cmocka_unit_test(test_what_a_zone_points_to),
        cmocka_unit_test(test_names_without_addresses),
        cmocka_unit_test(test_a_pool_without_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
