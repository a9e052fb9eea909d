#include "base/civil.h"

int64_t civil_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t civil_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = civil_floor(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t civil_year(int64_t days)
{
    int64_t z = days + 719468, era = civil_floor(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);

    return era * 400 + yoe + (doy >= 306); /* its years begin in March */
}

unsigned civil_weekday(int64_t days)
{
    int64_t d = days + 3; /* 1970-01-01 was a Thursday */

    return (unsigned)(d - civil_floor(d, 7) * 7);
}

bool civil_valid(const struct civil *t)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (t->year % 4 == 0 && t->year % 100) || t->year % 400 == 0;

    if (t->year < 1 || t->year > 9999 || t->month < 1 || t->month > 12)
        return false;
    return t->day >= 1 && t->day <= days[t->month - 1] + (leap && t->month == 2) &&
           t->hour >= 0 && t->hour < 24 && t->minute >= 0 && t->minute < 60 &&
           t->second >= 0 && t->second <= 60;
}

int64_t civil_seconds(const struct civil *t)
{
    return civil_days(t->year, t->month, t->day) * 86400 + t->hour * 3600 +
           t->minute * 60 + t->second;
}
