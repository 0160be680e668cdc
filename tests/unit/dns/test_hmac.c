#include "dns/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static void to_text(char out[2 * HMAC_LEN_MAX + 1], const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* Test case 2 of RFC 2202 and of RFC 4231. */
static void test_published(void **state)
{
    static const char *const codes[HMAC_HASHES] = {
        [HMAC_MD5] = "750c783e6ab0b503eaa86e310a5db738",
        [HMAC_SHA1] = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        [HMAC_SHA224] = "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
        [HMAC_SHA256] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        [HMAC_SHA384] = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                        "8e2240ca5e69e2c78b3239ecfab21649",
        [HMAC_SHA512] = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    };
    static const char data[] = "what do ya want for nothing?";
    (void)state;
    for (enum hmac_hash hash = 0; hash < HMAC_HASHES; hash++) {
        struct hmac_key key;
        struct hmac hmac;
        uint8_t code[HMAC_LEN_MAX];
        char text[2 * HMAC_LEN_MAX + 1];
        hmac_key_init(&key, hash, (const uint8_t *)"Jefe", 4);
        hmac_begin(&hmac, &key);
        hmac_add(&hmac, data, strlen(data));
        hmac_end(&hmac, code);
        to_text(text, code, hmac_len(hash));
        assert_string_equal(text, codes[hash]);
    }
}

/* Secrets of every length around the blocks', data in pieces, libcrypto's own HMAC says the same. */
static void test_every_length(void **state)
{
    const EVP_MD *const mds[HMAC_HASHES] = {EVP_md5(),    EVP_sha1(),   EVP_sha224(),
                                            EVP_sha256(), EVP_sha384(), EVP_sha512()};
    (void)state;
    uint8_t secret[300], data[300];
    for (unsigned i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)(i * 7 + 3);
        data[i] = (uint8_t)(i * 13 + 1);
    }
    for (enum hmac_hash hash = 0; hash < HMAC_HASHES; hash++) {
        for (unsigned len = 0; len < sizeof secret; len++) {
            struct hmac_key key;
            struct hmac hmac;
            uint8_t code[HMAC_LEN_MAX], wanted[HMAC_LEN_MAX];
            unsigned wanted_len;
            hmac_key_init(&key, hash, secret, len);
            hmac_begin(&hmac, &key);
            hmac_add(&hmac, data, 9); /* thrown away */
            hmac_begin(&hmac, &key);
            hmac_add(&hmac, data, len / 3);
            hmac_add(&hmac, data + len / 3, len - len / 3);
            hmac_end(&hmac, code);
            assert_non_null(HMAC(mds[hash], secret, (int)len, data, len, wanted, &wanted_len));
            assert_int_equal(hmac_len(hash), wanted_len);
            assert_memory_equal(code, wanted, wanted_len);
            assert_true(hmac_equal(code, wanted, wanted_len));
            code[len % wanted_len] ^= 0x80;
            assert_false(hmac_equal(code, wanted, wanted_len));
        }
    }
}

static void test_wipe(void **state)
{
    (void)state;
    uint8_t bytes[] = {1, 2, 3, 4};
    hmac_wipe(bytes + 1, 2);
    assert_memory_equal(bytes, "\1\0\0\4", 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
