/* trace_reader_test.c: folders of trace files, honest, growing, spoilt at every byte, cut at every length. */
#include "../../exchange/tests/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../trace_reader.h"

/* A folder of its own for each test, and what was read of it. */
struct fixture {
    char folder[64];
    struct trace_reader *reader;
    struct trace_reader_error error;
    struct told told;
    int stop; /* what the callback returns, after as many records */
    unsigned stop_after;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture)
        return -1;
    strcpy(fixture->folder, "/tmp/trace-reader-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    fixture->reader = trace_reader_open(fixture->folder, NULL);
    *state = fixture;
    return fixture->reader ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    trace_reader_free(fixture->reader);
    DIR *folder = opendir(fixture->folder);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    if (folder)
        closedir(folder);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* A trace file as bytes. */
struct file {
    _Alignas(8) char bytes[2048];
    uint64_t size;
};

static void start(struct file *file, uint32_t pid) {
    struct trace_header header = {.pid = pid};
    memcpy(header.magic, TRACE_MAGIC, sizeof header.magic);
    memset(file, 0, sizeof *file);
    file->size = sizeof header;
    memcpy(file->bytes, &header, sizeof header);
}

static void commit(struct file *file) { atomic_store(&((struct trace_header *)(void *)file->bytes)->committed, file->size); }

static void add(struct file *file, enum trace_kind kind, uint32_t call, const char *payload) {
    size_t size = strlen(payload);
    struct trace_record record = {.kind = (uint16_t)kind, .call = call, .payload = (uint32_t)size};
    record.size = (uint32_t)(sizeof record + (size + 7) / 8 * 8);
    assert_true(record.size <= sizeof file->bytes - file->size);
    memcpy(file->bytes + file->size, &record, sizeof record);
    memcpy(file->bytes + file->size + sizeof record, payload, size);
    file->size += record.size;
    commit(file);
}

/* Put it into the folder as a writer would: sparse, much longer than what is in it, and changed in place when it is there. */
static void put(const struct fixture *fixture, const char *name, const struct file *file) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    int descriptor = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(pwrite(descriptor, file->bytes, sizeof file->bytes, 0), sizeof file->bytes);
    assert_int_equal(ftruncate(descriptor, 1 << 20), 0);
    close(descriptor);
}

static void cut(const struct fixture *fixture, const char *name, off_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    assert_int_equal(truncate(path, size), 0);
}

static int tell_record(void *context, uint32_t pid, const struct trace_record *record, const char *payload) {
    struct fixture *fixture = context;
    tell(&fixture->told, "%u.%u:%u ", pid, record->call, record->kind);
    tell_bytes(&fixture->told, payload, record->payload);
    tell(&fixture->told, "\n");
    return fixture->stop_after > 0 && --fixture->stop_after == 0 ? fixture->stop : 0;
}

static int look(struct fixture *fixture) {
    fixture->told.size = 0;
    fixture->told.text[0] = '\0';
    return trace_reader_read(fixture->reader, tell_record, fixture, &fixture->error);
}

static void scan(struct fixture *fixture) { assert_int_equal(trace_reader_scan(fixture->reader, &fixture->error), 0); }

/* Scan and read, both without fault. */
static void expect(struct fixture *fixture, const char *expected) {
    scan(fixture);
    assert_int_equal(look(fixture), 0);
    assert_string_equal(fixture->told.text, expected);
}

static void test_only_what_is_new(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    expect(fixture, "");
    start(&file, 7);
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect(fixture, "");
    add(&file, TRACE_CALL, 1, "scope");
    add(&file, TRACE_RECEIVED, 1, "");
    put(fixture, "7-1.trace", &file);
    expect(fixture, "7.1:1 scope\n7.1:2 \n");
    expect(fixture, "");
    add(&file, TRACE_MARKED, 0, "token");
    put(fixture, "7-1.trace", &file);
    expect(fixture, "7.0:10 token\n");
}

static void test_nothing_beyond_what_is_committed(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    add(&file, TRACE_CALL, 1, "one");
    uint64_t committed = file.size;
    add(&file, TRACE_CALL, 2, "two");
    uint64_t all = file.size;
    file.size = committed;
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect(fixture, "7.1:1 one\n");
    file.size = all;
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect(fixture, "7.2:1 two\n");
}

static void test_files_of_a_process_in_order(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *name, *payload;
        uint32_t pid;
    } files[] = {{"12-10.trace", "e", 12},
                 {"12-9.trace", "d", 12},
                 {"3-1.trace", "b", 3},
                 {"12-1.trace", "c", 12},
                 {"4294967295-0.trace", "f", UINT32_MAX},
                 {"3-0.trace", "a", 3}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct file file;
        start(&file, files[i].pid);
        add(&file, TRACE_CALL, 1, files[i].payload);
        put(fixture, files[i].name, &file);
    }
    expect(fixture, "3.1:1 a\n3.1:1 b\n12.1:1 c\n12.1:1 d\n12.1:1 e\n4294967295.1:1 f\n");
}

static void test_names(void **state) {
    struct fixture *fixture = *state;
    static const char *const others[] = {"7-1.opening", "7-1.trace.bak", "7.trace",   "7-.trace",    "-1.trace",  "07-1.trace",
                                         "7-01.trace",  "a-1.trace",     "7-1trace",  "7-1-1.trace", "7-1.trac",  "4294967296-1.trace",
                                         "7-1",         " 7-1.trace",    "7-1.Trace", "7 -1.trace",  "+7-1.trace"};
    struct file file;
    start(&file, 7);
    add(&file, TRACE_CALL, 1, "other");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        put(fixture, others[i], &file);
    expect(fixture, "");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(trace_reader_knows(fixture->reader, others[i], strlen(others[i])));
    assert_false(trace_reader_knows(fixture->reader, "7-1.trace", 9));
    put(fixture, "7-1.trace", &file);
    assert_false(trace_reader_knows(fixture->reader, "7-1.trace", 9)); /* only a scan finds it */
    expect(fixture, "7.1:1 other\n");
    assert_true(trace_reader_knows(fixture->reader, "7-1.trace", 9));
    assert_false(trace_reader_knows(fixture->reader, "7-2.trace", 9));
    assert_false(trace_reader_knows(fixture->reader, "7-1.trace", 8));
    assert_false(trace_reader_knows(fixture->reader, "", 0));
}

static void test_callback_stops(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    for (uint32_t pid = 7; pid <= 8; pid++) {
        char name[16];
        start(&file, pid);
        add(&file, TRACE_CALL, 1, "a");
        add(&file, TRACE_CALL, 2, "b");
        snprintf(name, sizeof name, "%u-1.trace", pid);
        put(fixture, name, &file);
    }
    scan(fixture);
    fixture->stop = 42;
    fixture->stop_after = 1;
    assert_int_equal(look(fixture), 42);
    assert_string_equal(fixture->told.text, "7.1:1 a\n");
    expect(fixture, "7.2:1 b\n8.1:1 a\n8.2:1 b\n");
}

struct sizes {
    uint64_t total;
    unsigned count;
};

static int add_size(void *context, uint32_t pid, const struct trace_record *record, const char *payload) {
    struct sizes *sizes = context;
    assert_int_equal(pid, 7);
    for (uint32_t i = 0; i < record->payload; i++)
        if (payload[i] != 'p')
            fail_msg("byte %u", i);
    sizes->total += record->payload;
    sizes->count++;
    return 0;
}

static void test_large_records(void **state) {
    struct fixture *fixture = *state;
    /* From no payload to the largest, more than any buffer together. */
    char path[128];
    snprintf(path, sizeof path, "%s/7-1.trace", fixture->folder);
    int descriptor = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(descriptor >= 0);
    struct file file;
    start(&file, 7);
    uint64_t end = file.size;
    char *payload = malloc(TRACE_VALUE_MAX);
    assert_non_null(payload);
    memset(payload, 'p', TRACE_VALUE_MAX);
    for (uint32_t i = 0; i <= 8; i++) {
        uint32_t size = i * (TRACE_VALUE_MAX / 8);
        struct trace_record record = {.size = (uint32_t)sizeof record + size, .kind = TRACE_SEND, .call = 1, .payload = size};
        assert_int_equal(pwrite(descriptor, &record, sizeof record, (off_t)end), sizeof record);
        assert_int_equal(pwrite(descriptor, payload, size, (off_t)(end + sizeof record)), size);
        end += record.size;
    }
    file.size = end;
    commit(&file);
    assert_int_equal(pwrite(descriptor, file.bytes, sizeof(struct trace_header), 0), sizeof(struct trace_header));
    close(descriptor);
    free(payload);

    scan(fixture);
    struct sizes sizes = {0};
    assert_int_equal(trace_reader_read(fixture->reader, add_size, &sizes, &fixture->error), 0);
    assert_int_equal(sizes.count, 9);
    assert_int_equal(sizes.total, 36u * (TRACE_VALUE_MAX / 8));
}

/* The file is cut when its first record has been handed out, and more is still to be copied. */
static int cut_it(void *context, uint32_t pid, const struct trace_record *record, const char *payload) {
    (void)pid, (void)record, (void)payload;
    const struct fixture *fixture = context;
    cut(fixture, "7-1.trace", 200);
    return 0;
}

static void test_cut_while_it_is_read(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    file.size = sizeof(struct trace_header) + (1 << 19);
    commit(&file);
    put(fixture, "7-1.trace", &file);
    char path[128];
    snprintf(path, sizeof path, "%s/7-1.trace", fixture->folder);
    int descriptor = open(path, O_RDWR);
    struct trace_record record = {.size = 1 << 16, .kind = TRACE_SEND, .call = 1};
    for (off_t i = 0; i < 8; i++)
        assert_int_equal(pwrite(descriptor, &record, sizeof record, (off_t)sizeof(struct trace_header) + i * (1 << 16)), sizeof record);
    close(descriptor);
    scan(fixture);
    assert_int_equal(trace_reader_read(fixture->reader, cut_it, fixture, &fixture->error), TRACE_READER_FAILED);
    assert_string_equal(fixture->error.message, "7-1.trace: was cut while it was read");
}

static void test_payload_beyond_the_bound(void **state) {
    (void)state;
    static const struct trace_record records[] = {
        {.size = sizeof(struct trace_record) + TRACE_VALUE_MAX + 8, .kind = TRACE_SEND, .call = 1, .payload = TRACE_VALUE_MAX + 1},
        {.size = sizeof(struct trace_record) + TRACE_VALUE_MAX + 16, .kind = TRACE_SEND, .call = 1, .payload = 1},
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        void *own;
        assert_int_equal(set_up(&own), 0);
        struct fixture *fixture = own;
        struct file file;
        start(&file, 7);
        memcpy(file.bytes + file.size, &records[i], sizeof records[i]);
        file.size += records[i].size;
        commit(&file);
        put(fixture, "7-1.trace", &file);
        cut(fixture, "7-1.trace", 2 << 20); /* longer, in fact */
        scan(fixture);
        assert_int_equal(look(fixture), TRACE_READER_FAILED);
        assert_string_equal(fixture->error.message, "7-1.trace: record at byte 64 has an impossible payload");
        tear_down(&own);
    }
}

/* Maps of this process that are of the folder's files. */
static unsigned maps(const struct fixture *fixture) {
    char line[4352];
    unsigned found = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        found += strstr(line, fixture->folder) != NULL;
    fclose(file);
    return found;
}

/* Descriptors of this process that are open on the folder's files. */
static unsigned descriptors(const struct fixture *fixture) {
    unsigned found = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char target[256] = "";
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) > 0)
            found += strstr(target, fixture->folder) != NULL;
    }
    closedir(folder);
    return found;
}

static void test_gives_back_maps_and_descriptors(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    commit(&file);
    put(fixture, "7-1.trace", &file);
    put(fixture, "7-2.trace", &file);
    scan(fixture);
    assert_int_equal(maps(fixture), 2);
    assert_int_equal(descriptors(fixture), 2);
    cut(fixture, "7-1.trace", 0);
    assert_int_equal(look(fixture), TRACE_READER_FAILED);
    assert_int_equal(maps(fixture), 1);
    assert_int_equal(descriptors(fixture), 1);
    trace_reader_free(fixture->reader);
    fixture->reader = NULL;
    assert_int_equal(maps(fixture), 0);
    assert_int_equal(descriptors(fixture), 0);
}

static void test_arm(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    commit(&file);
    put(fixture, "7-1.trace", &file);
    put(fixture, "7-2.trace", &file);
    scan(fixture);
    trace_reader_arm(fixture->reader);
    for (unsigned number = 1; number <= 2; number++) {
        char path[128];
        struct trace_header header;
        snprintf(path, sizeof path, "%s/7-%u.trace", fixture->folder, number);
        int descriptor = open(path, O_RDONLY);
        assert_int_equal(read(descriptor, &header, sizeof header), sizeof header);
        close(descriptor);
        assert_int_equal(atomic_load(&header.armed), 1);
    }
}

/* A spoilt file is told once; the other is read nevertheless, then and later. */
static void expect_given_up(struct fixture *fixture, const char *message) {
    struct file good;
    start(&good, 8);
    add(&good, TRACE_CALL, 1, "good");
    put(fixture, "8-1.trace", &good);
    char error[sizeof fixture->error.message] = "";
    if (trace_reader_scan(fixture->reader, &fixture->error) != 0)
        strcpy(error, fixture->error.message);
    int result = look(fixture);
    if (result != 0)
        strcpy(error, fixture->error.message);
    assert_string_equal(error, message);
    assert_string_equal(fixture->told.text, "8.1:1 good\n");
    trace_reader_arm(fixture->reader);
    expect(fixture, "");
    add(&good, TRACE_CALL, 2, "more");
    put(fixture, "8-1.trace", &good);
    expect(fixture, "8.2:1 more\n");
}

static void test_not_a_trace(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    file.bytes[0] = 'b';
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect_given_up(fixture, "7-1.trace: does not begin as a trace does");
}

static void test_anothers_trace(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 9);
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect_given_up(fixture, "7-1.trace: was written by another process than its name says");
}

static void test_shorter_than_a_header(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    put(fixture, "7-1.trace", &file);
    cut(fixture, "7-1.trace", sizeof(struct trace_header) - 1);
    expect_given_up(fixture, "7-1.trace: too short for a header, or no plain file");
}

static void test_folder_link_and_pipe(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {"5-1.trace", "6-1.trace", "7-1.trace"};
    static const char *const messages[] = {"5-1.trace: Is a directory", "6-1.trace: Too many levels of symbolic links",
                                           "7-1.trace: too short for a header, or no plain file"};
    for (unsigned i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", fixture->folder, names[i]);
        assert_int_equal(i == 0 ? mkdir(path, 0700) : i == 1 ? symlink("/dev/zero", path) : mkfifo(path, 0600), 0);
        assert_int_equal(trace_reader_scan(fixture->reader, &fixture->error), -1);
        assert_string_equal(fixture->error.message, messages[i]);
        scan(fixture); /* told once */
    }
}

static void test_no_folder(void **state) {
    struct fixture *fixture = *state;
    struct trace_reader *reader = trace_reader_open("/nonexistent/folder", NULL);
    assert_non_null(reader);
    assert_int_equal(trace_reader_scan(reader, &fixture->error), -1);
    assert_string_equal(fixture->error.message, "/nonexistent/folder: No such file or directory");
    trace_reader_free(reader);
    trace_reader_free(NULL);
}

static void test_too_many_files(void **state) {
    struct fixture *fixture = *state;
    char path[128];
    for (unsigned i = 0; i <= TRACE_READER_FILES_MAX; i++) {
        snprintf(path, sizeof path, "%s/7-%u.trace", fixture->folder, i);
        assert_int_equal(symlink("nowhere", path), 0);
    }
    assert_int_equal(trace_reader_scan(fixture->reader, &fixture->error), -1); /* the first link */
    assert_int_equal(trace_reader_scan(fixture->reader, &fixture->error), -1);
    assert_string_equal(fixture->error.message, "more than 1024 trace files");
}

/* Records that lie. WHERE in the second of two records a number is changed. */
static void lying_record(struct fixture *fixture, size_t where, size_t size, uint32_t number, const char *message) {
    struct file file;
    start(&file, 7);
    add(&file, TRACE_CALL, 1, "");
    uint64_t place = file.size;
    add(&file, TRACE_SEND, 1, "payload");
    memcpy(file.bytes + place + where, &number, size);
    put(fixture, "7-1.trace", &file);
    scan(fixture);
    assert_int_equal(look(fixture), TRACE_READER_FAILED);
    assert_string_equal(fixture->error.message, message);
    assert_string_equal(fixture->told.text, "7.1:1 \n");
    tear_down((void *[]){fixture});
}

static void test_records_that_lie(void **state) {
    (void)state;
    static const struct {
        size_t where, size;
        uint32_t number;
        const char *message;
    } cases[] = {
        {offsetof(struct trace_record, size), 4, 0, "7-1.trace: record at byte 104 has an impossible size"},
        {offsetof(struct trace_record, size), 4, 32, "7-1.trace: record at byte 104 has an impossible size"},
        {offsetof(struct trace_record, size), 4, 44, "7-1.trace: record at byte 104 has an impossible size"},
        {offsetof(struct trace_record, size), 4, 56, "7-1.trace: record at byte 104 is larger than what is left"},
        {offsetof(struct trace_record, size), 4, 0xfffffff8, "7-1.trace: record at byte 104 is larger than what is left"},
        {offsetof(struct trace_record, size), 4, 40, "7-1.trace: record at byte 104 has an impossible payload"},
        {offsetof(struct trace_record, payload), 4, 9, "7-1.trace: record at byte 104 has an impossible payload"},
        {offsetof(struct trace_record, payload), 4, UINT32_MAX, "7-1.trace: record at byte 104 has an impossible payload"},
        {offsetof(struct trace_record, kind), 2, 0, "7-1.trace: record at byte 104 is of an unknown kind"},
        {offsetof(struct trace_record, kind), 2, TRACE_MARKED + 1, "7-1.trace: record at byte 104 is of an unknown kind"},
        {offsetof(struct trace_record, kind), 2, TRACE_MARKED, "7-1.trace: record at byte 104 belongs to no call"},
        {offsetof(struct trace_record, call), 4, 0, "7-1.trace: record at byte 104 belongs to no call"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *own;
        assert_int_equal(set_up(&own), 0);
        lying_record(own, cases[i].where, cases[i].size, cases[i].number, cases[i].message);
    }
}

static void test_ends_that_lie(void **state) {
    (void)state;
    static const struct {
        uint64_t committed;
        const char *message;
    } cases[] = {
        {0, "7-1.trace: ends before what was read already"},
        {sizeof(struct trace_header) - 8, "7-1.trace: ends before what was read already"},
        {104 + 4, "7-1.trace: ends within a record"},
        {104 + 8, "7-1.trace: record at byte 104 has no room for its header"},
        {(1 << 20) + 8, "7-1.trace: was cut, or claims to be longer than it is"},
        {UINT64_MAX - 7, "7-1.trace: was cut, or claims to be longer than it is"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *fixture;
        void *own;
        assert_int_equal(set_up(&own), 0);
        fixture = own;
        struct file file;
        start(&file, 7);
        add(&file, TRACE_CALL, 1, "");
        file.size = cases[i].committed;
        commit(&file);
        put(fixture, "7-1.trace", &file);
        scan(fixture);
        assert_int_equal(look(fixture), TRACE_READER_FAILED);
        assert_string_equal(fixture->error.message, cases[i].message);
        tear_down(&own);
    }
}

static void test_end_that_goes_back(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    add(&file, TRACE_CALL, 1, "");
    uint64_t first = file.size;
    add(&file, TRACE_CALL, 2, "");
    put(fixture, "7-1.trace", &file);
    expect(fixture, "7.1:1 \n7.2:1 \n");
    file.size = first;
    commit(&file);
    put(fixture, "7-1.trace", &file);
    expect_given_up(fixture, "7-1.trace: ends before what was read already");
}

static void three_records(struct file *file) {
    start(file, 7);
    add(file, TRACE_CALL, 1, "scope and properties");
    add(file, TRACE_SEND, 1, "event");
    add(file, TRACE_SETTLED, 1, "");
}

static void test_cut_at_every_length(void **state) {
    (void)state;
    struct file file;
    three_records(&file);
    for (uint64_t size = 0; size < file.size; size++) {
        void *own;
        assert_int_equal(set_up(&own), 0);
        struct fixture *fixture = own;
        put(fixture, "7-1.trace", &file);
        scan(fixture);
        cut(fixture, "7-1.trace", (off_t)size);
        trace_reader_arm(fixture->reader);
        assert_int_equal(look(fixture), TRACE_READER_FAILED);
        assert_string_equal(fixture->told.text, "");
        assert_string_equal(fixture->error.message, size < sizeof(struct trace_header)
                                                        ? "7-1.trace: was cut: its header is gone"
                                                        : "7-1.trace: was cut, or claims to be longer than it is");
        assert_int_equal(look(fixture), 0); /* told once */
        tear_down(&own);
    }
}

static void test_spoilt_at_every_byte(void **state) {
    (void)state;
    struct file file;
    three_records(&file);
    unsigned failed = 0;
    for (uint64_t i = 0; i < file.size; i++) {
        for (unsigned change = 1; change < 256; change *= 2) {
            void *own;
            assert_int_equal(set_up(&own), 0);
            struct fixture *fixture = own;
            struct file spoilt = file;
            spoilt.bytes[i] ^= (char)change;
            put(fixture, "7-1.trace", &spoilt);
            int result = trace_reader_scan(fixture->reader, &fixture->error);
            if (result == 0)
                result = look(fixture);
            assert_true(result == 0 || result == TRACE_READER_FAILED);
            failed += result != 0;
            assert_int_equal(look(fixture), 0);
            assert_string_equal(fixture->told.text, "");
            tear_down(&own);
        }
    }
    assert_true(failed > 200);
}

static void test_each_allocation_fails(void **state) {
    struct fixture *fixture = *state;
    struct file file;
    start(&file, 7);
    add(&file, TRACE_CALL, 1, "seven");
    put(fixture, "7-1.trace", &file);
    start(&file, 8);
    add(&file, TRACE_CALL, 1, "eight");
    put(fixture, "8-1.trace", &file);
    size_t nth = 1;
    for (bool failed = true; failed; nth++) {
        struct failing failing = {.failing = nth};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct trace_reader *reader = trace_reader_open(fixture->folder, &allocator);
        if (reader) {
            int scanned = trace_reader_scan(reader, &fixture->error);
            if (scanned != 0)
                assert_string_equal(fixture->error.message, "out of memory");
            fixture->told.size = 0;
            int result = trace_reader_read(reader, tell_record, fixture, &fixture->error);
            if (result != 0)
                assert_string_equal(fixture->error.message, "7-1.trace: out of memory");
            failed = scanned != 0 || result != 0;
        }
        trace_reader_free(reader);
        assert_int_equal(failing.live, 0);
        assert_true(failed == (failing.asked >= nth));
    }
    assert_true(nth > 4);
    assert_string_equal(fixture->told.text, "7.1:1 seven\n8.1:1 eight\n");
}

/* A process that writes while it is read, and goes on in a second file. */
#define CONCURRENT 20000u

struct writing {
    const char *folder;
    atomic_bool over, whole;
};

static bool write_all(const char *folder) {
    uint32_t call = 0;
    for (unsigned number = 1; number <= 2; number++) {
        char path[128], opening[128];
        snprintf(path, sizeof path, "%s/7-%u.trace", folder, number);
        snprintf(opening, sizeof opening, "%s/7-%u.opening", folder, number);
        size_t size = 4u << 20;
        int descriptor = open(opening, O_RDWR | O_CREAT, 0600);
        if (descriptor < 0 || ftruncate(descriptor, (off_t)size) != 0)
            return false;
        char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        close(descriptor);
        if (map == MAP_FAILED)
            return false;
        struct trace_header *header = (void *)map;
        memcpy(header->magic, TRACE_MAGIC, sizeof header->magic);
        header->pid = 7;
        uint64_t end = sizeof *header;
        atomic_store(&header->committed, end);
        if (rename(opening, path) != 0)
            return false;
        for (unsigned i = 0; i < CONCURRENT; i++) {
            struct trace_record record = {.size = sizeof record + 8, .kind = TRACE_CALL, .call = ++call, .payload = sizeof call};
            memcpy(map + end, &record, sizeof record);
            memcpy(map + end + sizeof record, &call, sizeof call);
            end += record.size;
            atomic_store_explicit(&header->committed, end, memory_order_release);
        }
        munmap(map, size);
    }
    return true;
}

static void *write_on(void *context) {
    struct writing *writing = context;
    atomic_store(&writing->whole, write_all(writing->folder));
    atomic_store(&writing->over, true);
    return NULL;
}

static int check_next(void *context, uint32_t pid, const struct trace_record *record, const char *payload) {
    uint32_t *last = context, call;
    memcpy(&call, payload, sizeof call);
    return pid != 7 || record->call != *last + 1 || call != record->call || (*last = call, 0);
}

static void test_while_it_is_written(void **state) {
    struct fixture *fixture = *state;
    struct writing writing = {.folder = fixture->folder};
    pthread_t writer;
    uint32_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_on, &writing), 0);
    for (bool over = false; !over;) {
        over = atomic_load(&writing.over); /* then this reads all there is */
        scan(fixture);
        assert_int_equal(trace_reader_read(fixture->reader, check_next, &last, &fixture->error), 0);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_true(writing.whole);
    assert_int_equal(last, 2 * CONCURRENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_only_what_is_new),
        TEST(test_nothing_beyond_what_is_committed),
        TEST(test_files_of_a_process_in_order),
        TEST(test_names),
        TEST(test_callback_stops),
        TEST(test_large_records),
        TEST(test_cut_while_it_is_read),
        cmocka_unit_test(test_payload_beyond_the_bound),
        TEST(test_gives_back_maps_and_descriptors),
        TEST(test_arm),
        TEST(test_not_a_trace),
        TEST(test_anothers_trace),
        TEST(test_shorter_than_a_header),
        TEST(test_folder_link_and_pipe),
        TEST(test_no_folder),
        TEST(test_too_many_files),
        cmocka_unit_test(test_records_that_lie),
        cmocka_unit_test(test_ends_that_lie),
        TEST(test_end_that_goes_back),
        cmocka_unit_test(test_cut_at_every_length),
        cmocka_unit_test(test_spoilt_at_every_byte),
        TEST(test_each_allocation_fails),
        TEST(test_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
