#include "spec/vlist.h"

#include "base/alloc.h"
#include "base/json.h"
#include "spec/reader.h"

#include <stdio.h>

#define ITEMS_MAX 1024 /* of one list or map */

void vlist_fini_list(struct key_list *l)
{
    for (size_t i = 0; i < l->nr; i++)
        bbt_free(l->item[i]);
    bbt_free(l->item);
    *l = (struct key_list){0};
}

void vlist_fini_pairs(struct key_pairs *p)
{
    for (size_t i = 0; i < p->nr; i++) {
        bbt_free(p->item[i].name);
        bbt_free(p->item[i].value);
    }
    bbt_free(p->item);
    *p = (struct key_pairs){0};
}

void vlist_fini_items(const struct key *k, struct key_items *items)
{
    for (size_t i = 0; i < items->nr; i++)
        table_fini(k->items, (char *)items->item + i * k->items->size);
    bbt_free(items->item);
    *items = (struct key_items){0};
}

/* Does the row allow so many? Notes the problem otherwise. */
static bool number_ok(const struct reader *r, size_t n, const char *things)
{
    char section[120];

    if ((double)n >= r->k->min && (double)n <= r->k->max && n <= ITEMS_MAX)
        return true;
    reader_section(r->pointer, section, sizeof section);
    problem_add(r->problems, r->pointer, false, NULL,
        "%s: must have %.0f to %.0f %s, not %zu", section, r->k->min, r->k->max, things,
        n);
    return false;
}

void vlist_read_list(const struct reader *r, const json_t *v, struct key_list *at)
{
    struct key_list l = {0};
    size_t n = json_array_size(v);

    if (!json_is_array(v)) {
        reader_wrong(r, "a list", v, "like [a, b]");
        return;
    }
    if (!number_ok(r, n, "items"))
        return;
    l.item = bbt_calloc(n, sizeof *l.item);
    r->problems->nomem |= !l.item;
    for (size_t i = 0; l.item && i < n; i++) {
        static const struct key one = {.type = KEY_NAME, .min = 1, .max = 200};
        char step[24], pointer[160];

        (void)snprintf(step, sizeof step, "%zu", i);
        reader_join(r->pointer, step, pointer, sizeof pointer);
        reader_text(&(struct reader){&one, pointer, r->problems}, json_array_get(v, i),
            &l.item[l.nr++]);
    }
    vlist_fini_list(at);
    *at = l;
}

/* Texts, and what YAML takes for a number or a truth value: `yes: true` means the
 * words. */
static void add_pair(const struct reader *r, const char *pointer, const char *name,
    const json_t *v, struct key_pairs *to)
{
    struct key_pair *pair = &to->item[to->nr];
    char *text;

    if (json_is_object(v) || json_is_array(v) || json_is_null(v)) {
        reader_wrong(&(struct reader){r->k, pointer, r->problems}, "a text", v, NULL);
        return;
    }
    text = json_is_string(v) ? bbt_strdup(json_string_value(v)) : json_print(v);
    pair->name = bbt_strdup(name);
    pair->value = text;
    to->nr++;
    r->problems->nomem |= !pair->name || !pair->value;
}

static void add_pairs(const struct reader *r, const char *pointer, const json_t *obj,
    struct key_pairs *to)
{
    void *at = json_object_iter((json_t *)(size_t)obj);

    for (; at; at = json_object_iter_next((json_t *)(size_t)obj, at)) {
        char below[160];

        reader_join(pointer, json_object_iter_key(at), below, sizeof below);
        add_pair(r, below, json_object_iter_key(at), json_object_iter_value(at), to);
    }
}

/* How many pairs a value has; 0 with a problem noted where it is no map. */
static size_t count_pairs(const struct reader *r, const json_t *v)
{
    size_t n = json_object_size(v);

    if (json_is_array(v) && r->k->type == KEY_ORDERED) {
        n = json_array_size(v);
        for (size_t i = 0; i < n; i++)
            if (json_object_size(json_array_get(v, i)) != 1)
                n = 0;
    } else if (!json_is_object(v)) {
        n = 0;
    }
    if (n == 0 && !(json_is_object(v) && r->k->min <= 0))
        reader_wrong(r, "lines of \"name: text\"", v, NULL);
    else if (!number_ok(r, n, "pairs"))
        n = 0;
    return n;
}

void vlist_read_pairs(const struct reader *r, const json_t *v, struct key_pairs *at)
{
    struct key_pairs p = {0};
    size_t n = count_pairs(r, v);

    if (n == 0)
        return;
    p.item = bbt_calloc(n, sizeof *p.item);
    if (!p.item) {
        r->problems->nomem = true;
        return;
    }
    if (json_is_object(v))
        add_pairs(r, r->pointer, v, &p);
    for (size_t i = 0; i < json_array_size(v); i++) {
        char step[24], below[160];

        (void)snprintf(step, sizeof step, "%zu", i);
        reader_join(r->pointer, step, below, sizeof below);
        add_pairs(r, below, json_array_get(v, i), &p);
    }
    vlist_fini_pairs(at);
    *at = p;
}

/* A bare word stands for a section: "manual" for {manual: true}, or as the row says. */
static void read_item(const struct reader *r, const json_t *v, const char *pointer, void *to)
{
    const char *key = r->k->words ? r->k->words[0] : NULL;
    json_t *word = NULL;

    if (json_is_string(v)) {
        word = key ? json_pack("{s:O}", key, v) : json_pack("{s:b}", json_string_value(v), 1);
        r->problems->nomem |= !word;
    }
    table_read(r->k->items, word ? word : v, pointer, to, r->problems);
    json_decref(word);
}

void vlist_read_items(const struct reader *r, const json_t *v, struct key_items *at)
{
    const struct key_table *t = r->k->items;
    size_t n = json_array_size(v);
    struct key_items items = {0};

    if (!json_is_array(v)) {
        reader_wrong(r, "a list", v, "one \"- name: ...\" for each");
        return;
    }
    if (!number_ok(r, n, "items"))
        return;
    items.item = bbt_calloc(n, t->size);
    if (!items.item) {
        r->problems->nomem = true;
        return;
    }
    for (; items.nr < n; items.nr++) {
        char step[24], below[160];

        (void)snprintf(step, sizeof step, "%zu", items.nr);
        reader_join(r->pointer, step, below, sizeof below);
        read_item(r, json_array_get(v, items.nr), below,
            (char *)items.item + items.nr * t->size);
    }
    vlist_fini_items(r->k, at);
    *at = items;
}
