/* tmpl_part.h -- inside of a compiled template; users take tmpl.h. */
#ifndef TEXT_TMPL_PART_H
#define TEXT_TMPL_PART_H

#include "text/tmpl.h"

#define PARTS_MAX (2 * TMPL_FIELDS_MAX + 1)
#define NOT_FIELD TMPL_FIELD_NR

struct part {
    enum tmpl_field field; /* NOT_FIELD: words of the template */
    size_t at, len;        /* of the words, in `words` */
};

struct tmpl {
    char *words; /* every literal, braces undone */
    size_t n;
    struct part part[PARTS_MAX];
    unsigned uses[TMPL_FIELD_NR];
};

/* White space of ASCII. */
static inline int tmpl_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
