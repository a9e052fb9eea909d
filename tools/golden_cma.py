#!/usr/bin/python3
"""Golden traces of CMA-ES, from the formulas, in numpy alone.

    /usr/bin/python3 tools/golden_cma.py > tests/golden/num/cma_trace.txt

Written from Hansen's tutorial (arXiv 1604.00772) with pycma's constants, without a look at
src/num. Candidates come from a small integer generator that the C test repeats, so that the
file holds results only. One line per generation:
    generation sigma |ps| |pc| sum(m^2) m[0] m[-1] frobenius(C) C[0,-1]
"""
import math

import numpy as np


class Lcg:
    """Sum of four uniforms: roughly normal, and exact in every language."""

    def __init__(self):
        self.s = 12345

    def z(self):
        t = 0.0
        for _ in range(4):
            self.s = (self.s * 1664525 + 1013904223) % 2**32
            t += self.s / 2.0**32
        return (t - 2.0) * math.sqrt(3.0)


def ellipsoid(x):
    n = len(x)
    return sum(1e6 ** (i / (n - 1)) * (x[i] - 1.0) ** 2 for i in range(n))


def rosenbrock(x):
    return sum(100.0 * (x[i] ** 2 - x[i + 1]) ** 2 + (x[i] - 1.0) ** 2
               for i in range(len(x) - 1))


def params(n, lam, active, sep):
    w = np.log((lam + 1) / 2) - np.log(np.arange(1, lam + 1))
    mu = lam // 2
    me = w[:mu].sum() ** 2 / (w[:mu] ** 2).sum()
    mn = w[mu:].sum() ** 2 / (w[mu:] ** 2).sum()
    cs = (me + 2) / (n + me + 3)
    ds = 1 + 2 * max(0, math.sqrt((me - 1) / (n + 1)) - 1) + cs
    if sep:
        cc = (1 + 1 / n + me / n) / (n ** 0.5 + 1 / n + 2 * me / n)
        c1 = 1 / (n + 2 * n ** 0.5 + me / n)
        cmu = min(1 - c1, (0.25 + me + 1 / me - 2) / (n + 4 * n ** 0.5 + me / 2))
    else:
        cc = (4 + me / n) / (n + 4 + 2 * me / n)
        c1 = min(1, lam / 6) * 2 / ((n + 1.3) ** 2 + me)
        cmu = min(1 - c1, 2 * (0.25 + me - 2 + 1 / me) / ((n + 2) ** 2 + me))
    w[:mu] /= w[:mu].sum()
    alpha = min(1 + c1 / cmu, 1 + 2 * mn / (me + 2), (1 - c1 - cmu) / (n * cmu))
    w[mu:] *= alpha / -w[mu:].sum() if active else 0
    return w, mu, me, cs, ds, cc, c1, cmu


def chi(n):
    return math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))


def trace(name, f, n, lam, generations, active, sep):
    w, mu, me, cs, ds, cc, c1, cmu = params(n, lam, active, sep)
    gap = 1 / ((c1 + cmu) * n * 10)
    m, sigma = np.full(n, 0.1), 0.3
    c = np.diag(np.exp(1e-4 * np.arange(n) / n))
    ps, pc, last, rng = np.zeros(n), np.zeros(n), 0, Lcg()
    root = np.diag(1 / np.sqrt(np.diag(c)))  # C^(-1/2) of the last decomposition
    print('case', name, n, lam, generations, int(active), int(sep))
    for g in range(1, generations + 1):
        z = np.array([[rng.z() for _ in range(n)] for _ in range(lam)])
        x = m + sigma * z
        order = np.argsort([f(v) for v in x], kind='stable')
        y = (x[order] - m) / sigma
        yw = w[:mu] @ y[:mu]
        ps = (1 - cs) * ps + math.sqrt(cs * (2 - cs) * me) * (root @ yw)
        hsig = (ps @ ps) / (1 - (1 - cs) ** (2 * g)) / n < 2 + 4 / (n + 1)
        pc = (1 - cc) * pc + hsig * math.sqrt(cc * (2 - cc) * me) * yw
        c1a = c1 if hsig else c1 * (1 - cc * (2 - cc))
        full = (1 - c1a - cmu * w.sum()) * c + c1 * np.outer(pc, pc)
        for wi, yi in zip(w, y):
            norm = np.linalg.norm(root @ yi)
            full = full + cmu * (wi if wi >= 0 else wi * n / norm ** 2) * np.outer(yi, yi)
        c = np.diag(np.diag(full)) if sep else full
        m = m + sigma * yw
        sigma *= math.exp(min(1, cs / ds * (np.linalg.norm(ps) / chi(n) - 1)))
        if sep or g - last >= gap:
            last = g
            d, b = np.linalg.eigh(c)
            root = b @ np.diag(d ** -0.5) @ b.T
        print(g, *('%.15g' % v for v in (sigma, np.linalg.norm(ps), np.linalg.norm(pc),
              (m ** 2).sum(), m[0], m[-1], np.linalg.norm(c), c[0, -1])))


trace('ellipsoid', ellipsoid, 3, 7, 40, True, False)
trace('rosenbrock', rosenbrock, 10, 10, 60, True, False)
trace('passive', ellipsoid, 5, 8, 40, False, False)
trace('lazy', ellipsoid, 100, 17, 24, True, False)
trace('passive', ellipsoid, 80, 8, 30, False, False)
trace('bbt', ellipsoid, 500, 20, 11, True, False)
trace('separable', ellipsoid, 12, 11, 50, True, True)
