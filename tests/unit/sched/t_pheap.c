/* The heap against a plain array: any mix of pushes, pops and removals. */
#include "sched/pheap.h"
#include "unit.h"

#include "bits.h"

#define N 200

struct model {
    struct pheap h;
    struct pheap_node node[N];
    bool in[N];
    size_t n;
};

/* Index of the smallest by search. */
static size_t smallest(const struct model *m)
{
    size_t best = N;

    for (size_t i = 0; i < N; i++)
        if (m->in[i] && (best == N || m->node[i].key < m->node[best].key ||
                            (m->node[i].key == m->node[best].key &&
                                m->node[i].tie < m->node[best].tie)))
            best = i;
    return best;
}

static void any_mix_keeps_the_order(void **state)
{
    static struct model m;
    uint64_t tie = 0;

    (void)state;
    for (int step = 0; step < 100000; step++) {
        size_t i = bits() % N;

        if (!m.in[i]) {
            pheap_push(&m.h, &m.node[i], bits() % 20, tie++);
            m.in[i] = true;
            m.n++;
        } else {
            if (bits() % 2) /* as often the root as any */
                i = smallest(&m);
            pheap_remove(&m.h, &m.node[i]);
            m.in[i] = false;
            m.n--;
        }
        if (m.n)
            assert_ptr_equal(m.h.root, &m.node[smallest(&m)]);
        else
            assert_null(m.h.root);
    }
}

/* Sorted input builds the longest lists of children; popping them all must not recurse. */
static void a_million_in_order(void **state)
{
    size_t n = 1000000;
    struct pheap_node *node = test_calloc(n, sizeof *node);
    struct pheap h = {0};

    (void)state;
    for (size_t i = 0; i < n; i++)
        pheap_push(&h, &node[i], i, 0);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(h.root, &node[i]);
        pheap_remove(&h, h.root);
    }
    assert_null(h.root);
    test_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_mix_keeps_the_order),
        cmocka_unit_test(a_million_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
