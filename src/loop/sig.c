#include "loop/sig.h"

#include "base/alloc.h"
#include "base/op.h"
#include "loop/loop.h"

#include <uv.h>

struct sig {
    uv_signal_t uv;
    bool *fired;
    struct op *wake;
};

static void on_signal(uv_signal_t *h, int signum)
{
    struct sig *s = h->data;

    (void)signum;
    *s->fired = true;
    if (s->wake)
        op_wake(s->wake);
}

static void on_closed(uv_handle_t *h)
{
    bbt_free(h->data);
}

enum bbt_rc sig_new(struct loop *l, int signum, bool *fired, struct op *wake,
    struct sig **ret, struct bbt_err *err)
{
    struct sig *s = bbt_calloc(1, sizeof(*s));
    int e;

    if (!s)
        return bbt_fail(err, BBT_NOMEM, "no memory for a signal");
    e = uv_signal_init(loop_uv(l), &s->uv);
    if (e) {
        bbt_free(s);
        return bbt_fail(err, BBT_IO, "signal %d: %s", signum, uv_strerror(e));
    }
    s->uv.data = s;
    s->fired = fired;
    s->wake = wake;
    e = uv_signal_start(&s->uv, on_signal, signum);
    if (e) {
        uv_close((uv_handle_t *)&s->uv, on_closed);
        return bbt_fail(err, BBT_INVALID, "signal %d: %s", signum, uv_strerror(e));
    }
    uv_unref((uv_handle_t *)&s->uv);
    *ret = s;
    return BBT_OK;
}

void sig_free(struct sig *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->uv, on_closed);
}
