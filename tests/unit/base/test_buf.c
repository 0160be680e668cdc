#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reader_reads_big_endian(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 9};
    struct reader r = reader_over(data, sizeof data);
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_int_equal(reader_u32(&r), 0xfffefdfc);
    assert_int_equal(reader_pos(&r), 7);
    assert_int_equal(reader_left(&r), 1);
    assert_false(r.failed);
}

static void reader_failure_sticks(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    struct reader r = reader_over(data, sizeof data);
    assert_int_equal(reader_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(reader_u8(&r), 0); /* although a byte would be there */
    assert_null(reader_take(&r, 0));
    assert_int_equal(reader_pos(&r), 0);
    r = reader_over(data, sizeof data);
    assert_null(reader_take(&r, SIZE_MAX));
    r = reader_over(data, sizeof data);
    assert_ptr_equal(reader_take(&r, 3), data);
    assert_non_null(reader_take(&r, 0));
    assert_null(reader_take(&r, 1));
}

static void writer_writes_what_reader_reads(void **state)
{
    (void)state;
    uint8_t data[10];
    struct writer w = writer_over(data, sizeof data);
    writer_u8(&w, 0x81);
    writer_u16(&w, 0x8283);
    writer_u32(&w, 0x84858687);
    writer_put(&w, "abc", 3);
    assert_false(w.failed);
    assert_int_equal(writer_len(&w), 10);
    assert_int_equal(writer_left(&w), 0);
    struct reader r = reader_over(data, sizeof data);
    assert_int_equal(reader_u8(&r), 0x81);
    assert_int_equal(reader_u16(&r), 0x8283);
    assert_int_equal(reader_u32(&r), 0x84858687);
    assert_memory_equal(reader_take(&r, 3), "abc", 3);
}

static void writer_never_passes_its_end(void **state)
{
    (void)state;
    uint8_t data[4] = {0, 0, 0, 0x55};
    struct writer w = writer_over(data, 3);
    writer_u32(&w, 0xffffffff);
    assert_true(w.failed);
    writer_u8(&w, 1); /* although there is room */
    assert_int_equal(writer_len(&w), 0);
    assert_int_equal(data[0], 0);
    assert_int_equal(data[3], 0x55);
    w = writer_over(data, 3);
    writer_put(&w, "abc", 3);
    writer_u16(&w, 0xffff);
    assert_true(w.failed);
    assert_int_equal(data[3], 0x55);
    w = writer_over(data, 0);
    writer_put(&w, data, 0);
    assert_false(w.failed);
    assert_null(writer_room(&w, SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_reads_big_endian),
        cmocka_unit_test(reader_failure_sticks),
        cmocka_unit_test(writer_writes_what_reader_reads),
        cmocka_unit_test(writer_never_passes_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
