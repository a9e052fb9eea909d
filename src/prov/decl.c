#include "prov/decl.h"

#include "base/hint.h"
#include "base/json.h"
#include "prov/tensor.h"

#include <stdio.h>
#include <string.h>

static enum bbt_rc read_shape(const json_t *shape, struct decl *d, struct bbt_err *err)
{
    size_t i;
    json_t *v;

    if (!json_is_array(shape) || json_array_size(shape) > DECL_RANK_MAX)
        return bbt_fail(err, BBT_CORRUPT,
            "metadata: tensor \"%s\" has no shape of up to %d dimensions", d->name, DECL_RANK_MAX);
    json_array_foreach (shape, i, v) {
        if (!json_is_integer(v) || json_integer_value(v) < -1 ||
            json_integer_value(v) > INT32_MAX)
            return bbt_fail(err, BBT_CORRUPT,
                "metadata: tensor \"%s\" has a dimension that is no size", d->name);
        d->shape[d->rank++] = json_integer_value(v);
    }
    return BBT_OK;
}

enum bbt_rc decl_read(const json_t *root, const char *member, struct decl_list *ret,
    struct bbt_err *err)
{
    const json_t *list = json_object_get(root, member);
    size_t i;
    json_t *v;

    if (!json_is_array(list) || json_array_size(list) > DECL_MAX)
        return bbt_fail(err, BBT_CORRUPT,
            "metadata: \"%s\" is no list of up to %d tensors", member, DECL_MAX);
    json_array_foreach (list, i, v) {
        struct decl *d = &ret->t[ret->n];

        d->name = json_get_str(v, "name", NULL);
        d->type_name = json_get_str(v, "datatype", "");
        if (!d->name || strlen(d->name) >= PROV_TENSOR_MAX)
            return bbt_fail(
                err, BBT_CORRUPT, "metadata: a tensor of \"%s\" has no usable name", member);
        d->type = tensor_type_parse(d->type_name);
        if (read_shape(json_object_get(v, "shape"), d, err) != BBT_OK)
            return BBT_CORRUPT;
        ret->names[ret->n++] = d->name;
    }
    return BBT_OK;
}

const struct decl *decl_named(const struct decl_list *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->t[i].name, name))
            return &all->t[i];
    return NULL;
}

enum bbt_rc decl_pick(const struct decl_list *all, const char *what,
    char name[PROV_TENSOR_MAX], const char *fallback, const struct decl **ret,
    struct bbt_err *err)
{
    *ret = decl_named(all, name[0] ? name : fallback);
    if (!*ret && name[0]) {
        const char *near = hint_nearest(name, all->names, all->n);

        return bbt_fail(err, BBT_INVALID,
            "the model declares no tensor \"%s\" (configured as %s)%s%s%s", name, what,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    if (*ret)
        (void)snprintf(name, PROV_TENSOR_MAX, "%s", (*ret)->name);
    return BBT_OK;
}

enum bbt_rc decl_refuse(const struct decl *d, const char *want, struct bbt_err *err)
{
    char shape[160];
    size_t n = 0;

    shape[0] = '\0';
    for (size_t i = 0; i < d->rank; i++)
        n += (size_t)snprintf(
            shape + n, sizeof shape - n, "%s%lld", i ? "," : "", d->shape[i]);
    return bbt_fail(err, BBT_INVALID, "tensor \"%s\" is declared as %s [%s], but %s",
        d->name, d->type_name, shape, want);
}
