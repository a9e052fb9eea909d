/* row.h -- inside of src/spec: rows of a key table (table.h), short enough to be read as one. The
 * struct that a row fills is `struct OF`; a table defines OF before its rows. */
#ifndef SPEC_ROW_H
#define SPEC_ROW_H

#include <stddef.h>

#define ROW(path_, type_, field_, min_, max_, fallback_, help_)                        \
    {                                                                                  \
        .path = path_, .type = type_, .at = offsetof(struct OF, field_), .min = min_,  \
        .max = max_, .fallback = fallback_, .help = help_                              \
    }
/* The same, without a default: it must be there. */
#define MUST(path_, type_, field_, min_, max_, help_)                                  \
    {                                                                                  \
        .path = path_, .type = type_, .at = offsetof(struct OF, field_), .min = min_,  \
        .max = max_, .needed = true, .help = help_                                     \
    }
#define WORD(path_, field_, words_, fallback_, help_)                                  \
    {                                                                                  \
        .path = path_, .type = KEY_ENUM, .at = offsetof(struct OF, field_),            \
        .words = words_, .fallback = fallback_, .help = help_                          \
    }
#define FIXED(path_, value_, help_)                                                    \
    {                                                                                  \
        .path = path_, .type = KEY_CONST, .fallback = value_, .help = help_            \
    }

#endif
