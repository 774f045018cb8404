/* recording_test.c: what is in the file is an exchange file at any time: sessions, a next file, a disk that is full. */
#include "support.h" /* first: it says what it needs of the system */

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "../recording.h"

static char folder[] = "/tmp/recording-XXXXXX";

static const char *path_of(const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct collected read_file(const char *name) {
    struct collected collected = {0};
    FILE *file = fopen(path_of(name), "rb");
    assert_non_null(file);
    char data[4096];
    for (size_t size; (size = fread(data, 1, sizeof data, file)) > 0;)
        collect(&collected, data, size);
    fclose(file);
    unlink(path_of(name));
    return collected;
}

static void expect_file(const char *name, const char *text) {
    struct collected collected = read_file(name);
    assert_string_equal(collected.text, text);
    exchange_file_free(parsed(collected.text, collected.size));
    free(collected.text);
}

static int write_exchange(struct recording *recording, struct recording_connection *connection, const char *name) {
    char text[200];
    snprintf(text, sizeof text, "exchange %s\n", name);
    struct dialogue_text parts = {.parts = {{text, strlen(text)}, {NULL, 0}, {"send\n+ x\n", 9}, {"end next\n", 9}}};
    return recording_write(recording, connection, &parts);
}

#define SESSION(name) "\nsession connection-" name "\norigin: a test\n\n"
#define EXCHANGE(name) "exchange " name "\nsend\n+ x\nend next\n"

static void sessions_test(void **state) {
    (void)state;
    struct recording recording;
    struct recording_connection one = {.number = 1}, two = {.number = 2};
    char path[200];
    strcpy(path, path_of("sessions.exchange"));
    assert_int_equal(recording_open(&recording, path, false, "a test", 0), 0);
    assert_int_equal(write_exchange(&recording, &one, "a"), 0);
    assert_int_equal(write_exchange(&recording, &one, "b"), 0);
    assert_int_equal(write_exchange(&recording, &two, "c"), 0);
    assert_int_equal(write_exchange(&recording, &one, "d"), 0);
    assert_int_equal(recording.exchanges, 4);
    recording_close(&recording);
    struct recording_connection three = {.number = 3};
    assert_int_equal(recording_open(&recording, path, false, "a test", 0), -EEXIST);
    assert_int_equal(recording_open(&recording, path, true, "a test", 0), 0);
    assert_int_equal(write_exchange(&recording, &three, "e"), 0);
    recording_close(&recording);
    expect_file("sessions.exchange", HEAD SESSION("1") EXCHANGE("a") "\n" EXCHANGE("b") SESSION("2") EXCHANGE("c") SESSION("1.2")
                                         EXCHANGE("d") SESSION("3") EXCHANGE("e"));
}

static void next_file_test(void **state) {
    (void)state;
    struct recording recording;
    struct recording_connection one = {.number = 1};
    char path[200];
    strcpy(path, path_of("next.exchange"));
    fclose(fopen(path_of("next.2.exchange"), "w")); /* an earlier run's */
    assert_int_equal(recording_open(&recording, path, false, "a test",
                                    sizeof HEAD SESSION("1") EXCHANGE("a") EXCHANGE("b") + 2 * RECORDING_ORIGIN_MAX + 10),
                     0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(write_exchange(&recording, &one, (char[]){(char)('a' + i), '\0'}), 0);
    assert_int_equal(recording.files, 3);
    recording_close(&recording);
    expect_file("next.exchange", HEAD SESSION("1") EXCHANGE("a") "\n" EXCHANGE("b"));
    expect_file("next.3.exchange", HEAD SESSION("1.2") EXCHANGE("c") "\n" EXCHANGE("d"));
    struct collected empty = read_file("next.2.exchange");
    assert_int_equal(empty.size, 0);
}

/* A full disk, played by the limit of a file's size: at each place of an exchange, what was written before stays whole. */
static void full_disk_test(void **state) {
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    const size_t first = sizeof HEAD SESSION("1") EXCHANGE("a") - 1, second = first + sizeof "\n" EXCHANGE("b") - 1;
    char path[200];
    strcpy(path, path_of("full.exchange"));
    for (size_t limit = first; limit < second; limit++) {
        struct recording recording;
        struct recording_connection one = {.number = 1};
        assert_int_equal(recording_open(&recording, path, false, "a test", 0), 0);
        assert_int_equal(write_exchange(&recording, &one, "a"), 0);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max});
        assert_int_equal(write_exchange(&recording, &one, "b"), -1);
        assert_in_range(-recording.error, 1, 200);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(write_exchange(&recording, &one, "c"), -1); /* an error stays */
        recording_close(&recording);
        expect_file("full.exchange", HEAD SESSION("1") EXCHANGE("a"));
    }
    /* Not even the first line. */
    struct recording recording;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 5, .rlim_max = before.rlim_max});
    assert_int_not_equal(recording_open(&recording, path, false, "a test", 0), 0);
    setrlimit(RLIMIT_FSIZE, &before);
    unlink(path);
}

static void what_cannot_be_opened_test(void **state) {
    (void)state;
    struct recording recording;
    assert_int_equal(recording_open(&recording, path_of("none/x.exchange"), false, "a test", 0), -ENOENT);
    char *path = malloc(2 * RECORDING_PATH_MAX);
    assert_non_null(path);
    memset(path, 'x', 2 * RECORDING_PATH_MAX);
    path[2 * RECORDING_PATH_MAX - 1] = '\0';
    assert_int_equal(recording_open(&recording, path, false, "a test", 0), -ENAMETOOLONG);
    free(path);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_test),
        cmocka_unit_test(next_file_test),
        cmocka_unit_test(full_disk_test),
        cmocka_unit_test(what_cannot_be_opened_test),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
