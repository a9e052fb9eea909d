/* verdict.c -- the policy: which outcome is worth another attempt, and who has to act. */
#include "prov/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EARLY_WAIT_US 1000000u

/* What a status means before its headers and body have been looked at. */
struct rule {
    int status; /* 0 ends the table */
    enum verdict_class class;
    const char *outcome;
    unsigned tries_max;
    bool hold, throttled;
};

static const struct rule rules[] = {
    {401, VERDICT_PAUSE_AUTH, "auth", 0, true, false},
    {402, VERDICT_PAUSE_QUOTA, "quota", 0, true, false},
    {403, VERDICT_PAUSE_AUTH, "auth", 0, true, false},
    {407, VERDICT_PAUSE_AUTH, "auth", 0, true, false},
    {408, VERDICT_RETRY, "timeout", 0, false, false},
    {409, VERDICT_RETRY, "server_error", 0, false, false},
    {413, VERDICT_SHRINK, "client_error", 0, false, false},
    {424, VERDICT_RETRY, "server_error", 3, false, false},
    {425, VERDICT_RETRY, "server_error", 2, false, false},
    {429, VERDICT_RETRY, "rate_limited", 0, true, true},
    {500, VERDICT_RETRY, "server_error", 3, false, false},
    {501, VERDICT_REFUSED, "client_error", 0, false, false},
    {502, VERDICT_RETRY, "server_error", 0, false, false},
    {503, VERDICT_RETRY, "server_error", 0, true, true},
    {504, VERDICT_RETRY, "timeout", 0, false, false},
    {505, VERDICT_REFUSED, "client_error", 0, false, false},
    /* Cloudflare's for "the server behind me is away": as 502 and 504. */
    {521, VERDICT_RETRY, "server_error", 0, false, false},
    {522, VERDICT_RETRY, "timeout", 0, false, false},
    {523, VERDICT_RETRY, "server_error", 0, false, false},
    {524, VERDICT_RETRY, "timeout", 0, false, false},
    {529, VERDICT_RETRY, "server_error", 0, true, true},
    {0, VERDICT_REFUSED, NULL, 0, false, false},
};

/* Do providers' codes or words say that money, not pace, is the matter? Codes are of one word
 * and each provider has its own: what they have in common decides. "You exceeded your current
 * quota" does not, as some say it of a minute's. */
static bool is_money(const char *code, const char *text)
{
    static const char *const in_code[] = {"insufficient_quota", "exceeded_current_quota",
        "billing", "credit", "insufficient_balance", "spend_limit", "spending_limit",
        "payment_required", "arrearage"};
    static const char *const in_text[] = {"credit balance is too low", "insufficient balance",
        "insufficient credits", "run out of credits", "used all available credits",
        "monthly spending limit", "monthly spend limit"};

    for (size_t i = 0; i < sizeof in_code / sizeof in_code[0]; i++)
        if (strcasestr(code, in_code[i]))
            return true;
    for (size_t i = 0; i < sizeof in_text / sizeof in_text[0]; i++)
        if (strcasestr(text, in_text[i]))
            return true;
    return false;
}

static const struct rule *rule_of(int status)
{
    static const struct rule good = {200, VERDICT_ANSWERED, "ok", 0, false, false};
    static const struct rule server = {599, VERDICT_RETRY, "server_error", 3, false, false};
    static const struct rule client = {499, VERDICT_REFUSED, "client_error", 0, false, false};

    if (status >= 200 && status < 300)
        return &good;
    for (const struct rule *r = rules; r->status; r++)
        if (r->status == status)
            return r;
    return status >= 500 && status < 600 ? &server : &client;
}

static void say(struct verdict *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct verdict *v, const char *fmt, ...)
{
    char text[VERDICT_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Once more through the cleaner: an error sentence may quote an outsider as well. */
    verdict_clean(text, strlen(text), v->text, sizeof v->text);
}

/* Server's words, or what stands in for them. */
static void say_status(struct verdict *v, const struct prov_reply *r, const char *said)
{
    const char *where = prov_reply_header(r, "Location");

    if (said[0])
        say(v, "the server answered %d: %s", r->status, said);
    else if (r->status >= 300 && r->status < 400)
        say(v, "the server answered %d and points to %s (set the provider's URL to it)",
            r->status, where ? where : "nowhere");
    else
        say(v, "the server answered %d without a reason", r->status);
}

/* x-should-retry beats the table, but neither a credential nor money comes from retrying. */
static void obey(struct verdict *v, const struct prov_reply *r)
{
    const char *wish = prov_reply_header(r, "x-should-retry");

    if (!wish || (v->class != VERDICT_RETRY && v->class != VERDICT_REFUSED))
        return;
    if (!strcmp(wish, "true") && v->class == VERDICT_REFUSED)
        v->class = VERDICT_RETRY;
    else if (!strcmp(wish, "false"))
        v->class = VERDICT_REFUSED;
}

static void of_status(struct verdict *v, const struct prov_reply *r, int64_t wall_us)
{
    const struct rule *rule = rule_of(r->status);
    char said[VERDICT_TEXT_MAX - 64], code[64];

    v->class = rule->class;
    v->outcome = rule->outcome;
    v->tries_max = rule->tries_max;
    v->hold = rule->hold;
    v->throttled = rule->throttled;
    if (v->class == VERDICT_ANSWERED)
        return;
    verdict_error_text(r->body, r->len, said, sizeof said, code, sizeof code);
    say_status(v, r, said);
    if ((r->status == 429 || r->status == 400 || r->status == 403) && is_money(code, said)) {
        v->class = VERDICT_PAUSE_QUOTA;
        v->outcome = "quota";
        v->hold = true;
        v->throttled = false;
    }
    obey(v, r);
    if (v->class != VERDICT_RETRY)
        return;
    if (v->throttled)
        v->hint_us = verdict_throttle_us(r, wall_us, said);
    else
        (void)verdict_retry_after_us(r, wall_us, &v->hint_us);
    if (r->status == 425 && v->hint_us < EARLY_WAIT_US)
        v->hint_us = EARLY_WAIT_US;
    /* Any explicit Retry-After of an overloaded or failing server is about the server. */
    v->hold = v->hold || (v->hint_us && r->status >= 500);
    if (v->hint_us > VERDICT_HINT_MAX_US) {
        v->class = VERDICT_PAUSE_WAIT;
        v->hold = true;
    }
}

void verdict_of(enum bbt_rc rc, const struct bbt_err *why, const struct prov_reply *r,
    int64_t wall_us, struct verdict *ret)
{
    const char *text = why && why->msg[0] ? why->msg : "no answer";

    *ret = (struct verdict){.class = VERDICT_RETRY, .outcome = "network"};
    switch (rc) {
    case BBT_OK:
        of_status(ret, r, wall_us);
        break;
    case BBT_CANCELED:
        ret->class = VERDICT_CANCELED;
        ret->outcome = "canceled";
        say(ret, "%s", text);
        break;
    case BBT_INVALID:
    case BBT_CORRUPT:
        ret->outcome = "bad_response";
        ret->tries_max = 2;
        say(ret, "%s", text);
        break;
    default:
        say(ret, "%s", text);
    }
}

void verdict_of_decode(const struct bbt_err *why, struct verdict *ret)
{
    *ret = (struct verdict){.class = VERDICT_RETRY, .outcome = "bad_response"};
    if (why->rc == BBT_INVALID) {
        ret->class = VERDICT_REFUSED;
    } else if (why->rc == BBT_DENIED) {
        ret->class = VERDICT_PAUSE_AUTH;
        ret->outcome = "auth";
    } else if (why->rc == BBT_AGAIN) {
        ret->outcome = "server_error"; /* a start-up step says: not ready yet */
    } else if (why->rc != BBT_NOMEM) {
        ret->tries_max = 2;
    }
    say(ret, "%s", why->msg);
}
