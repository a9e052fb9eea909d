#include "prov/sf.h"

#include <string.h>

#define INTEGER_DIGITS 15 /* RFC 8941 3.3.1 */
#define DECIMAL_DIGITS 12

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_key(char c)
{
    return is_lower(c) || is_digit(c) || (c && strchr("_-.*", c));
}

static bool is_token(char c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

static bool is_base64(char c)
{
    return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

static bool read_number(const char **at, struct sf_value *v)
{
    const char *s = *at;
    int64_t n = 0, sign = 1;
    int digits = 0, after = 0;

    if (*s == '-') {
        sign = -1;
        s++;
    }
    for (; is_digit(*s) && digits <= INTEGER_DIGITS; s++, digits++)
        n = n * 10 + (*s - '0');
    v->type = SF_INTEGER;
    if (digits == 0 || digits > INTEGER_DIGITS)
        return false;
    if (*s == '.') {
        v->type = SF_DECIMAL;
        for (s++; is_digit(*s) && after <= 3; s++)
            after++;
        if (digits > DECIMAL_DIGITS || after == 0 || after > 3)
            return false;
    }
    v->n = sign * n;
    *at = s;
    return true;
}

static bool read_string(const char **at, struct sf_value *v)
{
    const char *s = *at + 1;

    v->type = SF_STRING;
    v->text = s;
    for (; *s != '"'; s++) {
        if (*s == '\\') {
            s++;
            if (*s != '"' && *s != '\\')
                return false;
        } else if (*s < 0x20 || *s > 0x7e) { /* the end of the field as well */
            return false;
        }
    }
    v->len = (size_t)(s - v->text);
    *at = s + 1;
    return true;
}

/* From *at on as long as the characters are of the kind. */
static void read_run(
    const char **at, bool (*is_kind)(char), enum sf_type type, struct sf_value *v)
{
    v->type = type;
    v->text = *at;
    while (is_kind(**at))
        (*at)++;
    v->len = (size_t)(*at - v->text);
}

static bool read_value(const char **at, struct sf_value *v)
{
    *v = (struct sf_value){.type = SF_NONE};
    if (**at == '-' || is_digit(**at))
        return read_number(at, v);
    if (**at == '"')
        return read_string(at, v);
    if (is_alpha(**at) || **at == '*') {
        read_run(at, is_token, SF_TOKEN, v);
        return true;
    }
    if (**at == ':') {
        (*at)++;
        read_run(at, is_base64, SF_BYTES, v);
        if (**at != ':')
            return false;
        (*at)++;
        return true;
    }
    if (**at == '?' && ((*at)[1] == '0' || (*at)[1] == '1')) {
        v->type = SF_BOOLEAN;
        v->n = (*at)[1] - '0';
        *at += 2;
        return true;
    }
    return false;
}

/* key, or key=value */
static bool read_param(const char **at, struct sf_param *p)
{
    if (!is_lower(**at) && **at != '*')
        return false;
    p->key = *at;
    while (is_key(**at))
        (*at)++;
    p->key_len = (size_t)(*at - p->key);
    p->value = (struct sf_value){.type = SF_BOOLEAN, .n = 1};
    if (**at != '=')
        return true;
    (*at)++;
    return read_value(at, &p->value);
}

/* Does a key and its '=' stand here? Then it is a dictionary. */
static bool is_keyed(const char *s)
{
    if (!is_lower(*s) && *s != '*')
        return false;
    while (is_key(*s))
        s++;
    return *s == '=';
}

static const char *skip_blanks(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

static bool read_member(const char **at, struct sf_member *m)
{
    if (is_keyed(*at)) {
        if (!read_param(at, &m->key))
            return false;
        m->value = m->key.value;
    } else if (!read_value(at, &m->value)) {
        return false;
    }
    while (**at == ';') {
        do
            (*at)++;
        while (**at == ' ');
        if (m->params == SF_PARAMS_MAX || !read_param(at, &m->param[m->params++]))
            return false;
    }
    return true;
}

enum sf_step sf_next(const char **at, struct sf_member *ret)
{
    const char *s = skip_blanks(*at);

    *ret = (struct sf_member){.params = 0};
    if (!*s)
        return SF_END;
    if (!read_member(&s, ret))
        return SF_BROKEN;
    s = skip_blanks(s);
    if (*s == ',') {
        s = skip_blanks(s + 1);
        if (!*s)
            return SF_BROKEN; /* a comma promises another one */
    } else if (*s) {
        return SF_BROKEN;
    }
    *at = s;
    return SF_MEMBER;
}

const struct sf_value *sf_param(const struct sf_member *m, const char *key)
{
    const struct sf_value *found = NULL;

    for (size_t i = 0; i < m->params; i++)
        if (m->param[i].key_len == strlen(key) && !memcmp(m->param[i].key, key, strlen(key)))
            found = &m->param[i].value; /* the last one counts, RFC 8941 3.1.2 */
    return found;
}
