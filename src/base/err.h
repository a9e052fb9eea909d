/* err.h -- what went wrong: a class of action for the caller, a sentence for the human.
 *
 * Library code returns the class and fills the sentence once, where the failure is first
 * understood. The edge (daemon, ctl, lmserver) logs or prints it once. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define BBT_NODISCARD __attribute__((warn_unused_result))

/* What the caller should do next. A class exists only where it changes a decision. */
enum bbt_rc {
    BBT_OK = 0,
    BBT_AGAIN,    /* transient: the same request may succeed later */
    BBT_INVALID,  /* the input is wrong: tell the user, do not retry */
    BBT_NOTFOUND, /* no such thing; often not an error for the caller */
    BBT_CONFLICT, /* not allowed in this state, or somebody else holds it */
    BBT_DENIED,   /* permission or credential refused */
    BBT_CANCELED, /* somebody asked us to stop */
    BBT_NOMEM,    /* allocation refused */
    BBT_IO,       /* disk, database or socket refused: stop admitting work */
    BBT_CORRUPT,  /* stored or received bytes are not what they must be */
    BBT_RC_NR
};

struct bbt_err {
    enum bbt_rc rc;
    char msg[400];
};

/* Fills `err` (may be NULL) and returns `rc`, so that failing is one line. */
enum bbt_rc bbt_fail(struct bbt_err *err, enum bbt_rc rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "WHILE: " in front of the sentence and returns err->rc (BBT_INVALID where `err` is
 * NULL). A sentence that grows too long loses its end. */
enum bbt_rc bbt_err_ctx(struct bbt_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lower-case name of the class ("invalid"); never NULL. */
const char *bbt_rc_name(enum bbt_rc rc);

#endif
