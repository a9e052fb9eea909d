#!/usr/bin/python3
"""Golden traces of CMA-ES from pycma itself (not in Debian; github.com/CMA-ES/pycma).

    PYTHONPATH=PYCMA /usr/bin/python3 tools/golden_pycma.py > tests/golden/num/pycma_trace.txt

The committed file is from pycma 4.4.0. The candidates are in the file, because pycma draws
them: the C side puts them and must come to the same mean, sigma and paths. A case is
    case NAME DIM POPSIZE GENERATIONS TPA
and then per generation POPSIZE lines of a candidate, and one of sigma, mean, pc. Up to six
dimensions pycma's expected length of a normal vector is exact, above it is off by up to 7e-5.
"""
import cma
import numpy as np


def ellipsoid(x):
    n = len(x)
    return sum(1e6 ** (i / (n - 1)) * (x[i] - 1.0) ** 2 for i in range(n))


def rosenbrock(x):
    return sum(100.0 * (x[i] ** 2 - x[i + 1]) ** 2 + (x[i] - 1.0) ** 2
               for i in range(len(x) - 1))


def line(values):
    print(*('%.17g' % v for v in values))


def trace(name, f, n, lam, generations, tpa):
    opts = {'verbose': -9, 'seed': 4711, 'popsize': lam}
    if tpa:
        opts['AdaptSigma'] = cma.sigma_adaptation.CMAAdaptSigmaTPA
    es = cma.CMAEvolutionStrategy(n * [0.1], 0.3, opts)
    print('case', name, n, lam, generations, int(tpa))
    for _ in range(generations):
        x = es.ask()
        es.tell(x, [f(v) for v in x])
        for v in x:
            line(v)
        line([es.sigma, *es.mean, *es.pc])


def fixed_steps():
    """The case of three dimensions with given random numbers."""
    z = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, .5, 0], [.5, -1, .25],
                  [.25, .25, -1.5]])
    todo = [z, 1.1 * z]
    es = cma.CMAEvolutionStrategy(3 * [0], 0.5, {
        'verbose': -9, 'popsize': 6, 'seed': np.nan, 'randn': lambda *a: todo.pop(0)})
    print('case fixed 3 6 2 0')
    for _ in range(2):
        x = es.ask()
        es.tell(x, [(v[0] - 1) ** 2 + 10 * (v[1] + .5) ** 2 + 100 * (v[2] - .25) ** 2
                    for v in x])
        for v in x:
            line(v)
        line([es.sigma, *es.mean, *es.pc])


fixed_steps()
trace('rosenbrock', rosenbrock, 6, 9, 30, False)
trace('ellipsoid', ellipsoid, 5, 12, 30, False)
trace('tpa', ellipsoid, 8, 10, 25, True)
