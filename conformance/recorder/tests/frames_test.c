/* frames_test.c: frames are counted by their lengths, in every form and cut anywhere. */
#include "support.h" /* first: it says what it needs of the system */

#include "../frames.h"

static void every_form_test(void **state) {
    (void)state;
    char data[2 + 2 + 126 + 2 + 8 + 4 + 70000 + 2 + 6 + 3];
    size_t size = 0;
    memset(data, 'x', sizeof data);
    const struct {
        const char *head;
        size_t size, payload;
    } frames[] = {
        {"\x81\x7e\x00\x7e", 4, 126}, {"\x82\xff\0\0\0\0\0\x01\x11\x70mask", 14, 70000}, {"\x88\x00", 2, 0}, {"\x8a\x83mask", 6, 3}};
    for (size_t i = 0; i < 4; i++) {
        memcpy(data + size, frames[i].head, frames[i].size);
        size += frames[i].size + frames[i].payload;
    }
    assert_in_range(size, 1, sizeof data);
    for (size_t portion = 1; portion <= size; portion = portion < 20 ? portion + 1 : portion * 3) {
        struct frames counted = {0};
        for (size_t at = 0; at < size; at += portion)
            frames_feed(&counted, data + at, size - at < portion ? size - at : portion);
        assert_int_equal(counted.count, 4);
        assert_int_equal(counted.left + counted.head_size, 0);
    }
    struct frames cut = {0};
    frames_feed(&cut, data, size - 1);
    assert_int_equal(cut.count, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_form_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
