#include "fused.h"

#include <stdbool.h>
#include <string.h>

/* What the compiled variant needs; keep in step with meson.build. */
static bool has_avx2(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool has_avx512(void)
{
#if defined __x86_64__
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw");
#else
    return false;
#endif
}

const struct fused *fused_pick(void)
{
#if defined __x86_64__
    if (has_avx512())
        return &fused_avx512;
    if (has_avx2())
        return &fused_avx2;
#endif
    return &fused_plain;
}

const struct fused *fused_find(const char *name)
{
#if defined __x86_64__
    if (!strcmp(name, "avx512"))
        return has_avx512() ? &fused_avx512 : NULL;
    if (!strcmp(name, "avx2"))
        return has_avx2() ? &fused_avx2 : NULL;
#endif
    return strcmp(name, "plain") ? NULL : &fused_plain;
}
