/* decl.h -- the tensors that a model declares in its metadata (Open Inference Protocol v2). */
#ifndef PROV_DECL_H
#define PROV_DECL_H

#include "prov/prov.h"

#define DECL_MAX 128 /* tensors on one side of a model; TensorRT-LLM declares 62 inputs */
#define DECL_RANK_MAX 8

/* One declared tensor. A dimension of -1 is any. Texts are lent from the metadata. */
struct decl {
    const char *name;
    enum prov_type type;
    const char *type_name;
    long long shape[DECL_RANK_MAX];
    size_t rank;
};

struct decl_list {
    struct decl t[DECL_MAX];
    const char *names[DECL_MAX];
    size_t n;
};

/* Appends the tensors of root[member] ("inputs", "outputs") to an empty list, which lends from
 * `root`. BBT_CORRUPT where they are not what the protocol says. */
enum bbt_rc decl_read(const json_t *root, const char *member, struct decl_list *ret,
    struct bbt_err *err);

/* The declaration of that name, or NULL. */
const struct decl *decl_named(const struct decl_list *all, const char *name);

/* The declaration that the configured `name` stands for, or by default `fallback`; `name` is
 * filled in. Not declared: BBT_INVALID with a suggestion where the configuration named it
 * (as `what`), else BBT_OK with *ret NULL. */
enum bbt_rc decl_pick(const struct decl_list *all, const char *what,
    char name[PROV_TENSOR_MAX], const char *fallback, const struct decl **ret,
    struct bbt_err *err);

/* BBT_INVALID with the declaration and `want` in the sentence. */
enum bbt_rc decl_refuse(const struct decl *d, const char *want, struct bbt_err *err);

#endif
