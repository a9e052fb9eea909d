/* Log lines, read back through a pipe in the place of stderr. */
#include "base/log.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int ends[2], old_stderr;

static int set_up(void **state)
{
    (void)state;
    (void)unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_INFO);
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    old_stderr = dup(STDERR_FILENO);
    return dup2(ends[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)dup2(old_stderr, STDERR_FILENO);
    (void)close(old_stderr);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return unsetenv("JOURNAL_STREAM");
}

/* What was logged since the last call; NULL where nothing was. */
static const char *logged(void)
{
    static char text[8192];
    ssize_t n = read(ends[0], text, sizeof text - 1);

    if (n <= 0)
        return NULL;
    text[n] = '\0';
    return text;
}

static void a_line_for_people(void **state)
{
    const char *line;

    (void)state;
    log_warn("job-state", "job=%d paused", 7);
    line = logged();
    assert_non_null(line);
    assert_int_equal(strlen(line), strlen("2026-11-22T23:38:01Z warn job-state: job=7 paused\n"));
    assert_string_equal(line + 20, " warn job-state: job=7 paused\n");
    assert_int_equal(line[10], 'T');
}

static void a_line_for_the_journal(void **state)
{
    (void)state;
    assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
    log_set_level(LOG_DEBUG);
    log_error("a", "x");
    log_warn("b", "x");
    log_info("c", "x");
    log_debug("d", "x");
    assert_string_equal(logged(), "<3>a: x\n<4>b: x\n<6>c: x\n<7>d: x\n");
}

static void levels(void **state)
{
    (void)state;
    log_debug("x", "dropped");
    assert_null(logged());
    log_set_level(LOG_ERROR);
    log_warn("x", "dropped");
    assert_null(logged());
    log_error("x", "kept");
    assert_non_null(logged());
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse("error"), LOG_ERROR);
    assert_int_equal(log_level_parse("Error"), LOG_LEVEL_NR);
    assert_int_equal(log_level_parse(""), LOG_LEVEL_NR);
}

static void nobody_forges_a_line(void **state)
{
    char text[3000], id[1500];
    const char *line;

    (void)state;
    log_info("x", "a\nb\r\tc\x1b[31m\x7f");
    line = logged();
    assert_non_null(strstr(line, "a b  c [31m \n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(id, 'z', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    log_info("x", "%s", text);
    line = logged();
    assert_true(strlen(line) < 1300);
    assert_int_equal(line[strlen(line) - 1], '\n');
    log_info(id, "%s", text); /* too long even without the text */
    line = logged();
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_for_people, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_for_the_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_forges_a_line, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
