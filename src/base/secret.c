#include "base/secret.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#define FORMS 3
/* Three times the bytes where every one is percent-encoded. */
#define FORM_MAX (3u * SECRET_LEN_MAX + 1u)
/* What the end of a text must hold of a secret to be taken for its beginning. */
#define PART_MIN 6u

struct secret {
    char form[FORMS][FORM_MAX]; /* as it is, percent-encoded, with "\/" */
    size_t len[FORMS];          /* 0: the same as the first */
    struct secret *next;
};

static struct secret *known; /* under `lock` */
static atomic_size_t known_nr;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void secret_wipe(void *bytes, size_t len)
{
    explicit_bzero(bytes, len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Unreserved in a URL (RFC 3986, 2.3). */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        c == '-' || c == '.' || c == '_' || c == '~';
}

static void write_forms(struct secret *s, const char *bytes, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t url = 0, json = 0;

    memcpy(s->form[0], bytes, len);
    for (size_t i = 0; i < len; i++) {
        if (is_plain(bytes[i])) {
            s->form[1][url++] = bytes[i];
        } else {
            s->form[1][url++] = '%';
            s->form[1][url++] = hex[(unsigned char)bytes[i] >> 4];
            s->form[1][url++] = hex[(unsigned char)bytes[i] & 15];
        }
        if (bytes[i] == '/' || bytes[i] == '"' || bytes[i] == '\\')
            s->form[2][json++] = '\\';
        s->form[2][json++] = bytes[i];
    }
    s->len[0] = len;
    s->len[1] = url > len ? url : 0;
    s->len[2] = json > len ? json : 0;
}

static enum bbt_rc check(
    const char *what, const char *bytes, size_t len, struct bbt_err *err)
{
    if (len < SECRET_LEN_MIN || len > SECRET_LEN_MAX)
        return bbt_fail(err, BBT_INVALID, "%s: a key has %u to %u bytes, this one %zu", what,
            SECRET_LEN_MIN, SECRET_LEN_MAX, len);
    for (size_t i = 0; i < len; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return bbt_fail(err, BBT_INVALID,
                "%s: byte %zu of the key is a blank or not printable ASCII", what, i + 1);
    return BBT_OK;
}

/* Pages of its own: kept out of core files, and out of swap where that is allowed. */
static struct secret *make(void)
{
    void *asked = bbt_alloc(1); /* so that a test can refuse this one, too */
    struct secret *s;

    if (!asked)
        return NULL;
    bbt_free(asked);
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return NULL;
    (void)madvise(s, sizeof *s, MADV_DONTDUMP);
    (void)mlock(s, sizeof *s);
    return s;
}

enum bbt_rc secret_new(const char *what, const char *bytes, size_t len, struct secret **ret,
    struct bbt_err *err)
{
    struct secret *s;
    enum bbt_rc rc;

    for (; len && is_blank(bytes[len - 1]); len--)
        ;
    for (; len && is_blank(*bytes); len--)
        bytes++;
    rc = check(what, bytes, len, err);
    if (rc != BBT_OK)
        return rc;
    s = make();
    if (!s)
        return bbt_fail(err, BBT_NOMEM, "%s: no memory for a key", what);
    write_forms(s, bytes, len);
    (void)pthread_mutex_lock(&lock);
    s->next = known;
    known = s;
    (void)pthread_mutex_unlock(&lock);
    atomic_fetch_add(&known_nr, 1);
    *ret = s;
    return BBT_OK;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&lock);
    for (struct secret **at = &known; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    (void)pthread_mutex_unlock(&lock);
    atomic_fetch_sub(&known_nr, 1);
    secret_wipe(s, sizeof *s);
    (void)munmap(s, sizeof *s);
}

const char *secret_reveal(const struct secret *s)
{
    return s->form[0];
}

/* Longest match at `s` of one secret in any of its forms. */
static size_t match(const struct secret *k, const char *s, size_t len)
{
    size_t most = 0;

    for (size_t i = 0; i < FORMS; i++) {
        size_t n = k->len[i] < len ? k->len[i] : len;

        if (n > most && (n == k->len[i] || n >= PART_MIN) &&
            strncasecmp(k->form[i], s, n) == 0 &&
            (i == 1 || memcmp(k->form[i], s, n) == 0)) /* %2f is %2F */
            most = n;
    }
    return most;
}

size_t secret_at(const char *s, size_t len)
{
    size_t most = 0;

    if (atomic_load_explicit(&known_nr, memory_order_relaxed) == 0)
        return 0;
    (void)pthread_mutex_lock(&lock);
    for (const struct secret *k = known; k; k = k->next) {
        size_t n = match(k, s, len);

        most = n > most ? n : most;
    }
    (void)pthread_mutex_unlock(&lock);
    return most;
}

void secret_redact(char *text)
{
    size_t len, to = 0;

    if (atomic_load_explicit(&known_nr, memory_order_relaxed) == 0)
        return;
    len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t n = secret_at(text + at, len - at);

        if (n) {
            memcpy(text + to, SECRET_MARK, sizeof SECRET_MARK - 1);
            to += sizeof SECRET_MARK - 1;
            at += n;
        } else {
            text[to++] = text[at++];
        }
    }
    text[to] = '\0';
}
