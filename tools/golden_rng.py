#!/usr/bin/python3
"""Golden random numbers and critical values.

    /usr/bin/python3 tools/golden_rng.py > tests/golden/num/rng.txt

Philox4x32-10 written again from the paper (Salmon et al., SC 2011), normals with Python's own
log and cosine; critical values from scipy. Lines:
    u64 SEED STREAM INDEX VALUE | uniform ... | normal ... | normalf ... | uniformf ...
    ks N VALUE       (a Kolmogorov-Smirnov distance is above VALUE once in 10000 samples)
    chi2 DOF VALUE   (the same for a chi-squared sum)
"""
import math

from scipy import stats

MASK = 2**32 - 1


def philox(ctr, key):
    c, k = list(ctr), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


assert philox([0] * 4, [0] * 2) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]


def block(seed, stream, b):
    return philox([b & MASK, b >> 32, stream & MASK, stream >> 32], [seed & MASK, seed >> 32])


def u64(seed, stream, i):
    w = block(seed, stream, i // 2)
    return w[2] | w[3] << 32 if i % 2 else w[0] | w[1] << 32


def normal(seed, stream, i):
    a, b = u64(seed, stream, i - i % 2), u64(seed, stream, i - i % 2 + 1)
    r = math.sqrt(-2 * math.log(((a >> 11) + 1) * 2.0**-53))
    angle = 2 * math.pi * ((b >> 11) * 2.0**-53)
    return r * (math.sin(angle) if i % 2 else math.cos(angle))


def normalf(seed, stream, i):
    w = block(seed, stream, i // 4)
    half = (i % 4) // 2
    r = math.sqrt(-2 * math.log(((w[2 * half] >> 1) + 0.5) * 2.0**-31))
    angle = 2 * math.pi * w[2 * half + 1] * 2.0**-32
    return r * (math.sin(angle) if i % 2 else math.cos(angle))


def uniformf(seed, stream, i):
    return ((block(seed, stream, i // 4)[i % 4] >> 8) - 2**23) * 2.0**-23


for seed, stream in ((0, 0), (1, 2), (2**64 - 1, 2**64 - 1), (0x0123456789abcdef, 77)):
    for i in (0, 1, 2, 3, 4, 5, 6, 7, 1000003, 2**33 + 5, 2**63 + 1, 2**64 - 2):
        print('u64', seed, stream, i, u64(seed, stream, i))
        print('uniform', seed, stream, i, '%.17g' % ((u64(seed, stream, i) >> 11) * 2.0**-53))
        print('normal', seed, stream, i, '%.17g' % normal(seed, stream, i))
        print('normalf', seed, stream, i, '%.9g' % normalf(seed, stream, i))
        print('uniformf', seed, stream, i, '%.9g' % uniformf(seed, stream, i))
for n in (20000, 100000):
    print('ks', n, '%.9g' % stats.kstwo.ppf(0.9999, n))
for dof in (5, 9, 23):
    print('chi2', dof, '%.9g' % stats.chi2.ppf(0.9999, dof))
