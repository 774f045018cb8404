/* ports_test.c: which client ports are taken, in what order, and when they come back. */
#include "../../exchange/tests/support.h"

#include "../ports.h"

static void test_the_range_lies_outside_the_kernels(void **state) {
    (void)state;
    static const struct {
        unsigned low, high, first, last;
    } cases[] = {
        {32768, 60999, 10000, 32767},                              /* usual */
        {20000, 60999, 10000, 19999}, {1024, 50000, 50001, 65000}, /* nothing below */
        {12000, 40000, 40001, 65000},                              /* too little below */
        {1024, 65535, 10000, 32000},                               /* nothing anywhere: then as good as any */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ports ports;
        assert_int_equal(ports_init(&ports, cases[i].low, cases[i].high, 0, NULL), 0);
        assert_int_equal(ports.first, cases[i].first);
        assert_int_equal(ports.last, cases[i].last);
        ports_free(&ports);
    }
}

static void test_ports_rotate_and_rest(void **state) {
    (void)state;
    struct ports ports;
    assert_int_equal(ports_init(&ports, 32768, 60999, 22767, NULL), 0);
    assert_int_equal(ports_take(&ports, 5), 32767); /* the last of them */
    assert_int_equal(ports_take(&ports, 5), 10000);
    ports_give_back(&ports, 10000, 0);
    assert_int_equal(ports_take(&ports, 5), 10001); /* not the one that was just used */
    ports_give_back(&ports, 10001, 100);
    for (unsigned port = 10002; port < 32767; port++)
        assert_int_equal(ports_take(&ports, 5), port);
    assert_int_equal(ports_take(&ports, 5), 10000);
    assert_int_equal(ports_take(&ports, 99), 0); /* 10001 rests, all others are in use */
    assert_int_equal(ports_take(&ports, 100), 10001);
    assert_int_equal(ports_take(&ports, 100), 0);
    ports_free(&ports);
}

static void test_no_memory(void **state) {
    (void)state;
    struct failing failing = {.failing = 1};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct ports ports;
    assert_int_equal(ports_init(&ports, 32768, 60999, 0, &allocator), -1);
    assert_int_equal(failing.live, 0);
}

static void test_the_kernel_tells_its_range(void **state) {
    (void)state;
    unsigned low = 0, high = 0;
    ports_kernel_range(&low, &high);
    assert_true(low > 0 && low <= high && high <= 65535);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_range_lies_outside_the_kernels),
        cmocka_unit_test(test_ports_rotate_and_rest),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_the_kernel_tells_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
