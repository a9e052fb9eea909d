#include "text/bpe.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "text/uni.h"
#include "text/utf8.h"

#include <string.h>

struct bpe_merge {
    int32_t left, right; /* left TOK_NONE: free slot */
    int32_t whole;
    uint32_t rank; /* line order; lower merges first */
};

static size_t hash(int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    key *= 0x9E3779B97F4A7C15u;
    return (size_t)(key ^ key >> 32);
}

static struct bpe_merge *slot_of(const struct bpe *b, int32_t left, int32_t right)
{
    size_t at = hash(left, right) & (b->slots - 1);

    while (b->slot[at].left != TOK_NONE &&
        (b->slot[at].left != left || b->slot[at].right != right))
        at = (at + 1) & (b->slots - 1);
    return &b->slot[at];
}

/* GPT-2's printable stand-in for a byte. */
static uint32_t byte_char(unsigned byte)
{
    unsigned extra = 0;

    for (unsigned i = 0; i <= byte; i++) {
        int printable = (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;

        if (i == byte)
            return printable ? byte : 256 + extra;
        extra += !printable;
    }
    return 0;
}

static enum bbt_rc read_line(struct bpe *b, const struct pieces *pieces,
    const uint8_t *line, size_t len, unsigned number, struct bbt_err *err)
{
    const uint8_t *space = memchr(line, ' ', len);
    int32_t left, right, whole;
    uint8_t both[1024];
    size_t a, z;

    if (!space || memchr(space + 1, ' ', len - (size_t)(space + 1 - line)))
        return bbt_fail(err, BBT_INVALID,
            "merges.txt:%u: not two pieces with one space between them", number);
    a = (size_t)(space - line);
    z = len - a - 1;
    if (a + z > sizeof both)
        return bbt_fail(err, BBT_INVALID, "merges.txt:%u: a piece over %zu bytes", number,
            sizeof both);
    memcpy(both, line, a);
    memcpy(both + a, space + 1, z);
    left = pieces_find(pieces, line, a);
    right = pieces_find(pieces, space + 1, z);
    whole = pieces_find(pieces, both, a + z);
    if (a == 0 || z == 0 || left < 0 || right < 0 || whole < 0)
        return bbt_fail(err, BBT_INVALID,
            "merges.txt:%u: \"%.*s\" is not in vocab.json (do both files belong together?)",
            number, (int)utf8_cut(line, len, 60), (const char *)line);
    *slot_of(b, left, right) = (struct bpe_merge){left, right, whole, number};
    return BBT_OK;
}

static enum bbt_rc read_merges(struct bpe *b, const struct pieces *pieces,
    const uint8_t *at, size_t len, struct bbt_err *err)
{
    const uint8_t *end = len ? at + len : at;
    enum bbt_rc rc = BBT_OK;

    for (unsigned number = 1; at < end && rc == BBT_OK; number++) {
        const uint8_t *nl = memchr(at, '\n', (size_t)(end - at)), *next;
        size_t n;

        next = nl ? nl + 1 : end;
        n = (size_t)((nl ? nl : end) - at);
        if (n && at[n - 1] == '\r')
            n--;
        if (n && !(n >= 8 && memcmp(at, "#version", 8) == 0))
            rc = read_line(b, pieces, at, n, number, err);
        at = next;
    }
    return rc;
}

enum bbt_rc bpe_init(struct bpe *b, const struct pieces *pieces, const void *merges,
    size_t len, int32_t unk, struct bbt_err *err)
{
    struct bpe fresh = {.slots = 16, .unk = unk};
    size_t lines = 1;
    enum bbt_rc rc;

    for (size_t i = 0; i < len; i++)
        lines += ((const uint8_t *)merges)[i] == '\n';
    if (lines > TOK_VOCAB_MAX)
        return bbt_fail(err, BBT_INVALID, "merges.txt: over %u merges", TOK_VOCAB_MAX);
    while (fresh.slots / 2 <= lines)
        fresh.slots *= 2;
    fresh.slot = bbt_alloc_array(fresh.slots, sizeof *fresh.slot);
    if (!fresh.slot)
        return bbt_fail(err, BBT_NOMEM, "no memory for merges");
    for (size_t i = 0; i < fresh.slots; i++)
        fresh.slot[i] = (struct bpe_merge){.left = TOK_NONE};
    for (unsigned i = 0; i < 256; i++) {
        uint8_t name[4];

        fresh.byte_id[i] = pieces_find(pieces, name, utf8_put(byte_char(i), name));
    }
    rc = read_merges(&fresh, pieces, merges, len, err);
    if (rc == BBT_OK)
        *b = fresh;
    else
        bpe_fini(&fresh);
    return rc;
}

void bpe_fini(struct bpe *b)
{
    bbt_free(b->slot);
    *b = (struct bpe){0};
}

/* Symbols of one part as a chained list, and the pairs that could be merged as a heap. Every
 * merge adds at most two pairs, so 3 n pairs are room enough. */
struct symbol {
    int32_t id;
    uint32_t prev, next; /* UINT32_MAX: none */
};

struct pair {
    uint32_t rank, at; /* `at`: the left symbol */
    int32_t left, right, whole;
};

struct work {
    const struct bpe *bpe;
    struct symbol *symbol;
    struct pair *heap;
    size_t heap_n;
    size_t room; /* symbols */
};

static int before(const struct pair *a, const struct pair *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_put(struct work *w, struct pair pair)
{
    size_t i = w->heap_n++;

    while (i > 0 && before(&pair, &w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = pair;
}

static struct pair heap_take(struct work *w)
{
    struct pair top = w->heap[0], last = w->heap[--w->heap_n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= w->heap_n)
            break;
        if (child + 1 < w->heap_n && before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* Offers the pair that starts at `at`, if the merges know it. */
static void offer(struct work *w, uint32_t at)
{
    const struct symbol *left, *right;
    const struct bpe_merge *m;

    if (at == UINT32_MAX || w->symbol[at].next == UINT32_MAX)
        return;
    left = &w->symbol[at];
    right = &w->symbol[left->next];
    if (left->id < 0 || right->id < 0)
        return;
    m = slot_of(w->bpe, left->id, right->id);
    if (m->left != TOK_NONE)
        heap_put(w, (struct pair){m->rank, at, m->left, m->right, m->whole});
}

static void merge_all(struct work *w)
{
    while (w->heap_n) {
        struct pair p = heap_take(w);
        struct symbol *left = &w->symbol[p.at];
        uint32_t gone = left->next;

        /* Stale where one of the two has been merged meanwhile. */
        if (left->id != p.left || gone == UINT32_MAX || w->symbol[gone].id != p.right)
            continue;
        left->id = p.whole;
        left->next = w->symbol[gone].next;
        if (left->next != UINT32_MAX)
            w->symbol[left->next].prev = p.at;
        w->symbol[gone].id = TOK_NONE;
        offer(w, left->prev);
        offer(w, p.at);
    }
}

static enum bbt_rc reserve(struct work *w, size_t n)
{
    size_t room = w->room ? w->room : 64;
    struct symbol *symbol;
    struct pair *heap;

    if (n <= w->room)
        return BBT_OK;
    while (room < n)
        room *= 2;
    symbol = bbt_alloc_array(room, sizeof *symbol);
    heap = bbt_alloc_array(room * 3, sizeof *heap);
    if (!symbol || !heap) {
        bbt_free(symbol);
        bbt_free(heap);
        return BBT_NOMEM;
    }
    bbt_free(w->symbol);
    bbt_free(w->heap);
    w->symbol = symbol;
    w->heap = heap;
    w->room = room;
    return BBT_OK;
}

static enum bbt_rc encode_part(
    struct work *w, const uint8_t *bytes, size_t n, struct tok_ids *ids)
{
    enum bbt_rc rc = reserve(w, n);

    if (rc != BBT_OK)
        return rc;
    for (uint32_t i = 0; i < n; i++)
        w->symbol[i] = (struct symbol){.id = w->bpe->byte_id[bytes[i]],
            .prev = i ? i - 1 : UINT32_MAX, .next = i + 1 < n ? i + 1 : UINT32_MAX};
    for (uint32_t i = 0; i < n; i++)
        offer(w, i);
    merge_all(w);
    for (uint32_t i = 0; i != UINT32_MAX && rc == BBT_OK; i = w->symbol[i].next) {
        int32_t id = w->symbol[i].id < 0 ? w->bpe->unk : w->symbol[i].id;

        if (id >= 0)
            rc = tok_ids_put(ids, id);
    }
    return rc;
}

/* Kinds that GPT-2's pattern tells apart. */
enum kind { LETTER, NUMBER, BLANK, OTHER };

static enum kind kind_of(const uint8_t *at, const uint8_t *end, const uint8_t **ret_next)
{
    uint32_t cp = utf8_next(at, end, ret_next, NULL);
    enum uni_class class;

    if (uni_white(cp))
        return BLANK;
    class = uni_class(cp);
    return class == UNI_LETTER ? LETTER : class == UNI_NUMBER ? NUMBER : OTHER;
}

static const uint8_t *contraction(const uint8_t *at, const uint8_t *end)
{
    static const char *const tails[] = {"s", "t", "re", "ve", "m", "ll", "d"};

    if (*at != '\'')
        return NULL;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        size_t n = strlen(tails[i]);

        if ((size_t)(end - at - 1) >= n && memcmp(at + 1, tails[i], n) == 0)
            return at + 1 + n;
    }
    return NULL;
}

/* End of the part that starts at `at`, by GPT-2's pattern:
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static const uint8_t *part_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *p = contraction(at, end), *next, *last;
    enum kind kind;

    if (p)
        return p;
    p = *at == ' ' && at + 1 < end ? at + 1 : at;
    kind = kind_of(p, end, &next);
    if (kind != BLANK) {
        do
            p = next;
        while (p < end && kind_of(p, end, &next) == kind);
        return p;
    }
    /* White space: all of it at the end of the text, else all but its last character,
     * which belongs to what follows (or stands alone). */
    p = last = at;
    while (p < end && kind_of(p, end, &next) == BLANK) {
        last = p;
        p = next;
    }
    return p == end || last == at ? p : last;
}

/* The text with one space in front where asked for, and all of it valid UTF-8. */
static enum bbt_rc clean(
    const char *utf8, size_t len, int space_before, struct bbt_buf *ret)
{
    const uint8_t *at = (const uint8_t *)utf8, *end = at + len;
    enum bbt_rc rc = space_before ? buf_puts(ret, " ") : BBT_OK;

    while (at < end && rc == BBT_OK) {
        size_t good = utf8_first_bad(at, (size_t)(end - at));

        rc = buf_put(ret, at, good);
        at += good;
        if (at < end && rc == BBT_OK) {
            (void)utf8_next(at, end, &at, NULL);
            rc = buf_put(ret, "\xEF\xBF\xBD", 3);
        }
    }
    return rc;
}

enum bbt_rc bpe_encode(const struct bpe *b, const char *utf8, size_t len, int space_before,
    struct tok_ids *ids)
{
    struct work w = {.bpe = b};
    const uint8_t *at, *end;
    struct bbt_buf text;
    enum bbt_rc rc;

    if (len == 0)
        return BBT_OK;
    buf_init(&text, 3 * (size_t)TOK_TEXT_MAX + 1);
    rc = clean(utf8, len, space_before, &text);
    at = text.data;
    end = at + text.len;
    while (rc == BBT_OK && at < end) {
        const uint8_t *stop = part_end(at, end);

        rc = encode_part(&w, at, (size_t)(stop - at), ids);
        at = stop;
    }
    buf_fini(&text);
    bbt_free(w.symbol);
    bbt_free(w.heap);
    return rc;
}
