#include "engine/like.h"

#include <math.h>

double like_apart(const struct like *a, const struct like *b)
{
    double most = 0;

    if (a->answers == 0 || b->answers == 0)
        return NAN;
    if (a->answers != b->answers || a->hidden != b->hidden || a->answers > LIKE_ANSWERS)
        return INFINITY;
    for (size_t i = 0; i < a->answers; i++) {
        double apart = fabs(a->answer[i] - b->answer[i]);

        if (!(apart <= most)) /* also where one is no number */
            most = isnan(apart) ? INFINITY : apart;
    }
    return most;
}

bool like_same(const struct like *a, const struct like *b)
{
    return like_apart(a, b) <= LIKE_DRIFT_MAX; /* not of NaN */
}
