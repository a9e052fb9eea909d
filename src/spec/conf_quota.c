#include "spec/conf_quota.h"

#include "spec/row.h"

#include <stddef.h>


#define OF conf_quota
static const struct key quota_keys[] = {
    MUST("name", KEY_NAME, name, 1, 128, "as providers say it"),
    ROW("requests_per_minute", KEY_MANY, requests_per_minute, 1, 1e9, NULL,
        "in any 60 seconds; absent: no limit of our own"),
    ROW("tokens_per_minute", KEY_MANY, tokens_per_minute, 1, 1e12, NULL, "the same"),
    ROW("concurrency", KEY_COUNT, concurrency, 1, 4096, NULL,
        "requests in flight at once; absent: those of its providers together"),
    ROW("adaptive", KEY_BOOL, adaptive, 0, 0, "true",
        "fewer at once after a \"too many requests\", more again when it goes well"),
    ROW("headroom", KEY_SHARE, headroom, 0, 0.5, "1%",
        "share of the limits per minute that is left unused"),
    ROW("honour_headers", KEY_BOOL, honour_headers, 0, 0, "true",
        "keep the limits that the server's answers tell, too"),
};
const struct key_table conf_quota_table = {
    "quota", quota_keys, sizeof quota_keys / sizeof quota_keys[0], sizeof(struct OF)};
#undef OF
