/* f_unit.c -- the small words of a configuration: durations, sizes, money, hours, zones.
 * What is taken prints as something that is read back as the same. */
#include "base/hours.h"
#include "base/money.h"
#include "base/zone.h"
#include "base/zone_rule.h"
#include "spec/unit.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool law)
{
    if (!law)
        abort();
}

static void units(const char *text)
{
    static const enum unit_kind kinds[] = {UNIT_TIME, UNIT_SIZE};

    for (int i = 0; i < 2; i++) {
        uint64_t v, back;
        char out[64];

        if (!unit_parse(kinds[i], text, &v))
            continue;
        unit_print(kinds[i], v, out, sizeof out);
        expect(unit_parse(kinds[i], out, &back) && back == v);
    }
}

static void money(const char *text)
{
    char out[MONEY_TEXT];
    uint64_t v, back;

    if (!money_parse(text, &v))
        return;
    expect(v <= MONEY_MAX);
    money_print(v, out);
    expect(money_parse(out, &back) && back == v);
}

static void hours(const char *text)
{
    struct hours h, back;
    char out[12];

    if (!hours_parse(text, &h))
        return;
    expect(h.from_min < HOURS_DAY_MIN && h.to_min <= HOURS_DAY_MIN && h.from_min != h.to_min);
    hours_print(h, out, sizeof out);
    expect(hours_parse(out, &back) && back.from_min == h.from_min && back.to_min == h.to_min);
}

static void zones(const char *text)
{
    struct zone_rule r;

    if (zone_name_ok(text))
        expect(!strstr(text, "..") && text[0] != '/' && strlen(text) < ZONE_NAME_MAX);
    if (zone_rule_parse(text, strlen(text), &r))
        for (int64_t at = 0; at < 4000000000; at += 87654321) {
            int64_t next = zone_rule_next(&r, at);

            expect(next > at);
            expect(next == INT64_MAX || zone_rule_offset(&r, next) != zone_rule_offset(&r, at));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    units(text);
    money(text);
    hours(text);
    zones(text);
    free(text);
    return 0;
}
