/* corpus_test.c: the fuzz function of the exchange file over its corpus. Runs in the project's root folder, as make does. */
#include "support.h"

#include <dirent.h>

#include "../../../fuzz/fuzz_exchange.c"

#define CORPUS "fuzz/corpus/exchange"

static void corpus_test(void **state) {
    (void)state;
    DIR *folder = opendir(CORPUS);
    if (!folder)
        fail_msg("no folder " CORPUS " from here");
    struct guarded guarded = guarded_new(1 << 20);
    const struct dirent *entry;
    unsigned files = 0;
    while ((entry = readdir(folder))) {
        char path[sizeof CORPUS + sizeof entry->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", CORPUS, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file)
            continue;
        size_t size = fread(guarded.room, 1, guarded.size, file);
        assert_true(size < guarded.size);
        fclose(file);
        char *data = guarded.room + guarded.size - size;
        memmove(data, guarded.room, size);
        LLVMFuzzerTestOneInput((const uint8_t *)data, size);
        files++;
    }
    closedir(folder);
    guarded_free(&guarded);
    assert_true(files >= 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus_test)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
