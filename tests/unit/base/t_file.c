/* Files: whole or old, never half; caps; the class of every refusal. */
#include "base/file.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128], tmp[160];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/bbt-file-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof path, "%s/data", dir);
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(tmp);
    (void)rmdir(tmp);
    (void)unlink(path);
    return rmdir(dir);
}

static void write_then_read(void **state)
{
    static uint8_t bytes[100000];
    struct bbt_err err = {0};
    struct bbt_buf b;
    struct stat st;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    buf_init(&b, sizeof bytes + 3);
    assert_int_equal(buf_puts(&b, "pre"), BBT_OK);
    assert_int_equal(file_write(path, bytes, sizeof bytes, 0600, &err), BBT_OK);
    assert_int_equal(file_read(path, &b, &err), BBT_OK);
    assert_int_equal(b.len, sizeof bytes + 3); /* appended */
    assert_memory_equal(b.data + 3, bytes, sizeof bytes);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(access(tmp, F_OK), -1);
    buf_fini(&b);
    assert_int_equal(file_write(path, "", 0, 0600, &err), BBT_OK);
    buf_init(&b, 10);
    assert_int_equal(file_read(path, &b, &err), BBT_OK);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void failed_write_leaves_the_old(void **state)
{
    struct bbt_err err = {0};
    struct bbt_buf b;

    (void)state;
    assert_int_equal(file_write(path, "old", 3, 0644, NULL), BBT_OK);
    assert_int_equal(mkdir(tmp, 0700), 0); /* PATH.tmp cannot be opened */
    assert_int_equal(file_write(path, "new", 3, 0644, &err), BBT_IO);
    assert_non_null(strstr(err.msg, "data.tmp"));
    assert_int_equal(rmdir(tmp), 0);
    assert_int_equal(symlink("/dev/full", tmp), 0); /* opens, and then the disk is full */
    assert_int_equal(file_write(path, "new", 3, 0644, &err), BBT_IO);
    assert_int_equal(access(tmp, F_OK), -1); /* the remains are swept */
    (void)bbt_alloc_fault(0, 0);
    assert_int_equal(file_write(path, "new", 3, 0644, &err), BBT_NOMEM);
    (void)bbt_alloc_fault(-1, 0);
    buf_init(&b, 10);
    assert_int_equal(file_read(path, &b, &err), BBT_OK);
    assert_string_equal(b.data, "old");
    buf_fini(&b);
}

static void refusals_have_their_class(void **state)
{
    struct bbt_err err = {0};
    struct bbt_buf b;
    char name[200];

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_puts(&b, "kept"), BBT_OK);
    (void)snprintf(name, sizeof name, "%s/none", dir);
    assert_int_equal(file_read(name, &b, &err), BBT_NOTFOUND);
    assert_non_null(strstr(err.msg, name));
    assert_int_equal(file_read(dir, &b, &err), BBT_INVALID);
    assert_int_equal(file_write(path, "12345", 5, 0600, NULL), BBT_OK);
    assert_int_equal(file_read(path, &b, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "larger"));
    assert_string_equal(b.data, "kept"); /* what was there is there */
    assert_int_equal(file_read("/dev/zero", &b, &err), BBT_INVALID); /* ends at the cap */
    (void)snprintf(name, sizeof name, "%s/none/data", dir);
    assert_int_equal(file_write(name, "x", 1, 0600, &err), BBT_NOTFOUND);
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(file_read(path, &b, &err), BBT_DENIED);
    }
    buf_fini(&b);
    buf_init(&b, 100000);
    unit_oom(file_read("/proc/self/maps", &b, NULL));
    buf_fini(&b);
}

static void beside(void **state)
{
    static const char *const cases[][3] = {{"/a/b/job.yaml", "data.tsv", "/a/b/data.tsv"},
        {"job.yaml", "data.tsv", "data.tsv"}, {"/a/job.yaml", "/x/y", "/x/y"},
        {"x/job.yaml", "../d", "x/../d"}, {"/job.yaml", "d", "/d"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = file_beside(cases[i][0], cases[i][1]);

        assert_string_equal(got, cases[i][2]);
        bbt_free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_then_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_write_leaves_the_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_have_their_class, set_up, tear_down),
        cmocka_unit_test(beside),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
