#include "base/hint.h"

#include <string.h>

#define WORD_MAX 48

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Optimal string alignment distance of two short words. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[3][WORD_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = min3(
                up[j] + 1, now[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < now[j])
                now[j] = up2[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

const char *hint_nearest(const char *typed, const char *const *words, size_t n)
{
    size_t len = strlen(typed), best_d = WORD_MAX;
    const char *best = NULL;

    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t wl = strlen(words[i]), d;

        if (wl > WORD_MAX)
            continue;
        d = distance(typed, len, words[i], wl);
        if (d < best_d) {
            best_d = d;
            best = words[i];
        }
    }
    /* a third of the letters may be wrong, two at most in short words */
    return best && best_d <= (len < 6 ? 2 : len / 3) && best_d < len ? best : NULL;
}
