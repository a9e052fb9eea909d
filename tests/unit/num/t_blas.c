#include "golden.h"

#include "num/blas.h"

#include <string.h>

static void threads(void **state)
{
    (void)state;
    blas_threads(2);
    assert_int_equal(blas_threads_now(), 2);
    assert_non_null(strstr(blas_name(), "2 threads"));
    blas_threads(-3);
    assert_int_equal(blas_threads_now(), 1);
    assert_non_null(strstr(blas_name(), "OpenBLAS"));
    assert_non_null(strstr(blas_name(), "1 thread"));
    assert_null(strstr(blas_name(), "threads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
