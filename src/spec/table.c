#include "spec/table.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "base/money.h"
#include "spec/reader.h"
#include "spec/value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 96 /* rows of one table */

/* One object of the table being read, at any depth of sections. */
struct walk {
    const struct key_table *t;
    struct spec_problems *problems;
    void *out;
    bool seen[KEYS_MAX];
};

static void *place_of(const struct key *k, void *out)
{
    return (char *)out + k->at;
}

/* The rows below a section ("stop.") share its path. */
static bool is_below(const struct key *k, const char *prefix)
{
    return strncmp(k->path, prefix, strlen(prefix)) == 0;
}

/* The nearest name that may stand in this section; NULL if none is near. `word` gets
 * it. */
static const char *suggest(const struct key_table *t, const char *prefix,
    const char *typed, char *word, size_t room)
{
    static const size_t name_max = 32;
    char names[KEYS_MAX][32];
    const char *list[KEYS_MAX], *near;
    size_t n = 0;

    for (size_t i = 0; i < t->nr; i++) {
        const char *rest = t->key[i].path + strlen(prefix);
        size_t len;

        if (!is_below(&t->key[i], prefix))
            continue;
        len = strcspn(rest, ".");
        assert(len < name_max);
        (void)snprintf(names[n], name_max, "%.*s", (int)len, rest);
        list[n] = names[n];
        n++;
    }
    near = hint_nearest(typed, list, n);
    if (near)
        (void)snprintf(word, room, "%s", near);
    return near ? word : NULL;
}

/* Every key that this section may have, for a reader who is far off. */
static void all_keys(
    const struct key_table *t, const char *prefix, char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "there are");
    const char *before = "";
    size_t before_len = 0;

    for (size_t i = 0; i < t->nr && at < room; i++) {
        const char *rest = t->key[i].path + strlen(prefix);
        size_t len;

        if (!is_below(&t->key[i], prefix))
            continue;
        len = strcspn(rest, ".");
        if (len == before_len && strncmp(rest, before, len) == 0)
            continue; /* another row of the same section */
        at += (size_t)snprintf(out + at, room - at, " %.*s", (int)len, rest);
        before = rest;
        before_len = len;
    }
}

static void unknown_key(struct walk *w, const char *prefix, const char *pointer,
    const char *below, const char *key)
{
    char section[120], word[40], fix[160];

    reader_section(pointer, section, sizeof section);
    if (suggest(w->t, prefix, key, word, sizeof word))
        (void)snprintf(fix, sizeof fix, "did you mean \"%s\"?", word);
    else
        all_keys(w->t, prefix, fix, sizeof fix);
    problem_add(w->problems, below, true, fix, "%s: unknown key \"%.60s\"",
        section[0] ? section : w->t->name, key);
}

static void walk(
    struct walk *w, const json_t *tree, const char *prefix, const char *pointer);

static void not_a_section(
    struct walk *w, char path[static 96], size_t len, const char *pointer)
{
    char section[120], fix[160];

    path[len] = '.';
    path[len + 1] = '\0';
    all_keys(w->t, path, fix, sizeof fix);
    reader_section(pointer, section, sizeof section);
    problem_add(w->problems, pointer, false, fix,
        "%s: must be a section of \"key: value\"", section);
}

/* One key of a section: a row's value, a section of its own, or a mistake. */
static void member(struct walk *w, const char *prefix, const char *pointer,
    const char *key, const json_t *v)
{
    char path[96], below[160];
    size_t len = (size_t)snprintf(path, sizeof path, "%s%s", prefix, key);
    bool section = false;

    reader_join(pointer, key, below, sizeof below);
    for (size_t i = 0; len + 1 < sizeof path && !strchr(key, '.') && i < w->t->nr;
         i++) {
        const struct key *k = &w->t->key[i];

        if (strcmp(k->path, path) == 0 && k->type == KEY_WORD && json_is_object(v))
            continue; /* the rows below it are meant */
        if (strcmp(k->path, path) == 0) {
            /* "key:" with nothing behind it means the default */
            if (!json_is_null(v)) {
                w->seen[i] = true;
                value_read(k, v, below, place_of(k, w->out), w->problems);
            }
            return;
        }
        section = section || (is_below(k, path) && k->path[len] == '.');
    }
    if (!section) {
        unknown_key(w, prefix, pointer, below, key);
    } else if (json_is_object(v)) {
        path[len] = '.';
        path[len + 1] = '\0';
        walk(w, v, path, below);
    } else if (!json_is_null(v)) {
        /* what stands there is not repeated: it may be a key that belongs into a file */
        not_a_section(w, path, len, below);
    }
}

static void walk(
    struct walk *w, const json_t *tree, const char *prefix, const char *pointer)
{
    void *at = json_object_iter((json_t *)(size_t)tree);

    for (; at; at = json_object_iter_next((json_t *)(size_t)tree, at))
        member(
            w, prefix, pointer, json_object_iter_key(at), json_object_iter_value(at));
}

static void set_defaults(struct walk *w)
{
    for (size_t i = 0; i < w->t->nr; i++) {
        const struct key *k = &w->t->key[i];
        json_t *v;

        if (k->type == KEY_REAL || k->type == KEY_AUTO || k->type == KEY_SHARE)
            *(double *)place_of(k, w->out) = (double)__builtin_nan("");
        if (k->type == KEY_MONEY)
            *(uint64_t *)place_of(k, w->out) = MONEY_NONE;
        if (!k->fallback || k->type == KEY_CONST)
            continue;
        v = value_fallback(k);
        if (v)
            value_read(k, v, "", place_of(k, w->out), w->problems);
        else
            w->problems->nomem = true;
        json_decref(v);
    }
}

static void note_missing(struct walk *w, const char *pointer)
{
    for (size_t i = 0; i < w->t->nr; i++) {
        const struct key *k = &w->t->key[i];
        char section[120];

        if (!k->needed || w->seen[i])
            continue;
        reader_section(pointer, section, sizeof section);
        problem_add(w->problems, pointer, false, k->help, "%s: \"%s\" is missing",
            section[0] ? section : w->t->name, k->path);
    }
}

void table_read(const struct key_table *t, const json_t *tree, const char *pointer,
    void *out, struct spec_problems *problems)
{
    struct walk w = {.t = t, .problems = problems, .out = out};

    assert(t->nr <= KEYS_MAX);
    set_defaults(&w);
    if (!json_is_object(tree)) {
        char section[120];

        reader_section(pointer, section, sizeof section);
        problem_add(problems, pointer, false, "it is lines of \"key: value\"",
            "%s: must be a section", section[0] ? section : t->name);
        return;
    }
    walk(&w, tree, "", pointer);
    note_missing(&w, pointer);
}

void table_fini(const struct key_table *t, void *out)
{
    for (size_t i = 0; i < t->nr; i++)
        value_fini(&t->key[i], place_of(&t->key[i], out));
}
