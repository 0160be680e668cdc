#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "dns/nsec3.h"

static struct nsec3_hasher *hasher;

static void hash_of(char text[NSEC3_LABEL_LEN + 1], const char *name, const struct nsec3_params *params)
{
    uint8_t wire[NAME_MAX_LEN], hash[NSEC3_HASH_LEN], label[1 + NSEC3_LABEL_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    nsec3_hash(hash, hasher, wire, len, params);
    nsec3_label_write(label, hash);
    assert_int_equal(label[0], NSEC3_LABEL_LEN);
    memcpy(text, label + 1, NSEC3_LABEL_LEN);
    text[NSEC3_LABEL_LEN] = '\0';
}

struct vector {
    const char *name, *hash;
};

static void check(const struct vector *vectors, size_t cnt, const struct nsec3_params *params)
{
    for (size_t i = 0; i < cnt; i++) {
        char text[NSEC3_LABEL_LEN + 1];
        hash_of(text, vectors[i].name, params);
        assert_string_equal(text, vectors[i].hash);
    }
}

/* RFC 5155, Appendix A: salt aabbccdd, 12 additional iterations. */
static void test_vectors_of_rfc_5155(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        {"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},       {"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
        {"ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"},    {"ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
        {"ns2.example", "q04jkcevqvmu85r014c7dkba38o0ji5r"},   {"w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
        {"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},   {"x.w.example", "b4um86eghhds6nea196smvmlo4ors995"},
        {"y.w.example", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"},   {"x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"},
        {"xx.example", "t644ebqk9bibcna874givr6joj62mlhv"},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"},
    };
    check(vectors, sizeof vectors / sizeof *vectors,
          &(struct nsec3_params){NSEC3_SHA1, 4, 12, {0xaa, 0xbb, 0xcc, 0xdd}});
}

/* What ldns-nsec3-hash -t 0, -t 1 and -t 100 -s (255 × ff) say. */
static void test_parameters_at_their_ends(void **state)
{
    (void)state;
    static const struct vector bare[] = {
        {"example", "3msev9usmd4br9s97v51r2tdvmr9iqo1"},
        {"www.example.com", "mifdndt3nff3od53o7tla1hrff95jkuk"},
        {".", "bekjp7dgpvsjukll47bk43i3urmq4u2f"},
    };
    static const struct vector once[] = {{"example", "c1kgc91hrn9nqi2qjh1ms78ki8p7s75o"}};
    static const struct vector salted[] = {{"example", "vjlvblicinido2jk2i37e91ta7rr1i8v"}};
    struct nsec3_params params = {.algorithm = NSEC3_SHA1};
    check(bare, sizeof bare / sizeof *bare, &params);
    params.iterations = 1;
    check(once, 1, &params);
    params.iterations = 100;
    params.salt_len = 255;
    memset(params.salt, 0xff, sizeof(params.salt));
    check(salted, 1, &params);
}

static void test_labels_read_back(void **state)
{
    (void)state;
    uint8_t hash[NSEC3_HASH_LEN], back[NSEC3_HASH_LEN], label[2 + NSEC3_LABEL_LEN] = {0};
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < NSEC3_HASH_LEN; i++)
            hash[i] = (uint8_t)(round * 167 + i * i * 31 + (round >> 3) * i);
        nsec3_label_write(label, hash);
        for (unsigned i = 1; round & 1 && i <= NSEC3_LABEL_LEN; i++) /* as other signers write it */
            label[i] = label[i] >= 'a' ? (uint8_t)(label[i] - 32) : label[i];
        assert_true(nsec3_label_read(back, label));
        assert_memory_equal(hash, back, sizeof hash);
    }
    assert_false(nsec3_label_read(back, (const uint8_t *)"\0370p9mhaveqvm6t7vbl5lop2u3t2rp3to"));
    assert_false(nsec3_label_read(back, (const uint8_t *)"\0410p9mhaveqvm6t7vbl5lop2u3t2rp3tomm"));
    static const char others[] = "w/:@`{-\xff";
    for (const char *other = others; *other; other++) {
        nsec3_label_write(label, hash);
        label[1 + (other - others) * 4] = (uint8_t)*other;
        assert_false(nsec3_label_read(back, label));
    }
}

static void test_parameters_are_read(void **state)
{
    (void)state;
    static const uint8_t rdata[] = {1, 1, 0x01, 0x02, 3, 7, 8, 9, 20};
    struct nsec3_params a, b;
    uint8_t flags;
    assert_int_equal(nsec3_params_read(&a, &flags, rdata, sizeof rdata), 8);
    assert_int_equal(a.algorithm, 1);
    assert_int_equal(flags, NSEC3_OPT_OUT);
    assert_int_equal(a.iterations, 0x102);
    assert_int_equal(a.salt_len, 3);
    assert_memory_equal(a.salt, "\7\10\11", 3);
    for (unsigned len = 0; len < 8; len++)
        assert_int_equal(nsec3_params_read(&b, &flags, rdata, len), 0);
    assert_int_equal(nsec3_params_read(&b, &flags, rdata, 8), 8);
    assert_true(nsec3_params_equal(&a, &b));
    b.salt[2]++;
    assert_false(nsec3_params_equal(&a, &b));
    b = a;
    b.salt_len--;
    assert_false(nsec3_params_equal(&a, &b));
    b = a;
    b.iterations++;
    assert_false(nsec3_params_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_rfc_5155),
        cmocka_unit_test(test_parameters_at_their_ends),
        cmocka_unit_test(test_labels_read_back),
        cmocka_unit_test(test_parameters_are_read),
    };
    hasher = nsec3_hasher_new();
    if (!hasher)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nsec3_hasher_free(hasher);
    return failed;
}
