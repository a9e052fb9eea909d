#include "num/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

void philox4x32_10(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)PHILOX_M1 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block_of(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t ctr[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
        (uint32_t)(stream >> 32)};

    philox4x32_10(ctr, key, out);
}

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t w[4];

    block_of(seed, stream, index / 2, w);
    return index % 2 ? join(w[2], w[3]) : join(w[0], w[1]);
}

double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(rng_u64(seed, stream, index) >> 11) * 0x1p-53;
}

/* ---- double normals ----
 *
 * The kernels below are the classic minimax polynomials of fdlibm (Sun, 1993). Only +,
 * *, / and sqrt are used, all exactly rounded by IEEE 754, so every machine gets the
 * same bits; the build forbids contraction to fused multiply-add for the same reason.
 */

/* log(u) for u in (0, 1]: u = 2^k (1 + f), s = f / (2 + f), a polynomial in s^2. */
static double log_kernel(double u)
{
    const double ln2_hi = 6.93147180369123816490e-01,
                 ln2_lo = 1.90821492927058770002e-10;
    double f, half, s, z, r, k;
    uint64_t bits;

    memcpy(&bits, &u, sizeof bits);
    bits += 0x3ff0000000000000u - 0x3fe6a09e667f3bcdu; /* 1 - sqrt(1/2): f near 0 */
    k = (double)((int64_t)(bits >> 52) - 0x3ff);
    bits = (bits & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu;
    memcpy(&u, &bits, sizeof u);
    f = u - 1.0;
    half = 0.5 * f * f;
    s = f / (2.0 + f);
    z = s * s;
    r = z *
        (6.666666666666735130e-01 +
            z * (3.999999999940941908e-01 +
                    z * (2.857142874366239149e-01 +
                            z * (2.222219843214978396e-01 +
                                    z * (1.818357216161805012e-01 +
                                            z * (1.531383769920937332e-01 +
                                                    z * 1.479819860511658591e-01))))));
    return s * (half + r) + k * ln2_lo - half + f + k * ln2_hi;
}

/* Sine and cosine of |x| <= pi/4. */
static double sin_kernel(double x)
{
    double z = x * x;

    return x +
           x * z *
               (-1.66666666666666324348e-01 +
                   z * (8.33333333332248946124e-03 +
                           z * (-1.98412698298579493134e-04 +
                                   z * (2.75573137070700676789e-06 +
                                           z * (-2.50507602534068634195e-08 +
                                                   z * 1.58969099521155010221e-10)))));
}

static double cos_kernel(double x)
{
    double z = x * x;

    return 1.0 - 0.5 * z +
           z * z *
               (4.16666666666666019037e-02 +
                   z * (-1.38888888888741095749e-03 +
                           z * (2.48015872894767294178e-05 +
                                   z * (-2.75573143513906633035e-07 +
                                           z * (2.08757232129817482790e-09 +
                                                   z * -1.13596475577881948265e-11)))));
}

/* Box-Muller on one block: the angle is split into a quadrant (exact, in integers) and
 * a rest in [-pi/4, pi/4). */
static void normal_pair(const uint32_t w[4], double out[2])
{
    double u = (double)((join(w[0], w[1]) >> 11) + 1) * 0x1p-53; /* (0, 1] */
    uint64_t turn = (join(w[2], w[3]) >> 11) + ((uint64_t)1 << 50);
    uint64_t quadrant = turn >> 51 & 3;
    int64_t rest = (int64_t)(turn & (((uint64_t)1 << 51) - 1)) - ((int64_t)1 << 50);
    double x = (double)rest * (1.57079632679489661923 * 0x1p-51);
    double radius = sqrt(-2.0 * log_kernel(u));
    double c = cos_kernel(x), s = sin_kernel(x);
    double cosine = quadrant % 2 ? s : c, sine = quadrant % 2 ? c : s;

    out[0] = radius * (quadrant == 1 || quadrant == 2 ? -cosine : cosine);
    out[1] = radius * (quadrant >= 2 ? -sine : sine);
}

double rng_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t w[4];
    double pair[2];

    block_of(seed, stream, index / 2, w);
    normal_pair(w, pair);
    return pair[index % 2];
}

void rng_fill_normal(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out)
{
    uint32_t w[4];
    double pair[2];
    size_t i = 0;

    if (n > 0 && first % 2)
        out[i++] = rng_normal(seed, stream, first);
    for (; i < n; i += 2) {
        block_of(seed, stream, (first + i) / 2, w);
        normal_pair(w, pair);
        out[i] = pair[0];
        if (i + 1 < n)
            out[i + 1] = pair[1];
    }
}

/* ---- float arrays: loops over a batch of blocks, which compilers turn into SIMD ----
 */

#define BATCH 64 /* blocks */

/* words[k][b] = word k of block first + b. */
static void philox_batch(
    uint64_t seed, uint64_t stream, uint64_t first, uint32_t words[4][BATCH])
{
    for (size_t b = 0; b < BATCH; b++) {
        uint32_t w[4];

        block_of(seed, stream, first + b, w);
        words[0][b] = w[0];
        words[1][b] = w[1];
        words[2][b] = w[2];
        words[3][b] = w[3];
    }
}

/* radius[b] = sqrt(-2 log u), u in (0, 1] from 31 bits. */
static void radius_batch(const uint32_t *word, float *radius)
{
    float u[BATCH];
    int32_t bits[BATCH], k[BATCH];

    for (size_t b = 0; b < BATCH; b++)
        u[b] = ((float)(int32_t)(word[b] >> 1) + 0.5f) * 0x1p-31f;
    memcpy(bits, u, sizeof bits);
    for (size_t b = 0; b < BATCH; b++) {
        int32_t shifted = bits[b] + (0x3f800000 - 0x3f3504f3);

        k[b] = (shifted >> 23) - 127;
        bits[b] = (shifted & 0x7fffff) + 0x3f3504f3;
    }
    memcpy(u, bits, sizeof u);
    for (size_t b = 0; b < BATCH; b++) {
        float f = u[b] - 1.0f, e = (float)k[b];
        float s = f / (2.0f + f), half = 0.5f * f * f, z = s * s, zz = z * z;
        float r = z * (0.66666662693f + zz * 0.28498786688f) +
                  zz * (0.40000972152f + zz * 0.24279078841f);
        float log =
            s * (half + r) + e * 9.0580006145e-06f - half + f + e * 6.9313812256e-01f;

        /* log(1) may come out a last bit above 0 */
        radius[b] = sqrtf(log < 0.0f ? -2.0f * log : 0.0f);
    }
}

/* cosine and sine of a 32-bit turn, by quadrant and a polynomial on [-pi/4, pi/4). */
static void turn_batch(const uint32_t *word, float *cosine, float *sine)
{
    for (size_t b = 0; b < BATCH; b++) {
        uint32_t turn = word[b] + (1u << 29), quadrant = turn >> 30;
        float x = (float)((int32_t)(turn & 0x3fffffffu) - (1 << 29)) *
                  (1.57079632679489662f * 0x1p-30f);
        float z = x * x;
        float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) *
                      z * x +
                  x;
        float c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z +
                      4.166664568298827e-2f) *
                      z * z -
                  0.5f * z + 1.0f;
        float a = quadrant & 1 ? s : c, d = quadrant & 1 ? c : s;

        cosine[b] = (quadrant + 1) & 2 ? -a : a;
        sine[b] = quadrant & 2 ? -d : d;
    }
}

static void normal_batch(
    uint64_t seed, uint64_t stream, uint64_t first, float out[4 * BATCH])
{
    uint32_t w[4][BATCH];
    float radius[BATCH], cosine[BATCH], sine[BATCH];

    philox_batch(seed, stream, first, w);
    for (size_t half = 0; half < 2; half++) {
        radius_batch(w[2 * half], radius);
        turn_batch(w[2 * half + 1], cosine, sine);
        for (size_t b = 0; b < BATCH; b++) {
            out[4 * b + 2 * half] = radius[b] * cosine[b];
            out[4 * b + 2 * half + 1] = radius[b] * sine[b];
        }
    }
}

static void uniform_batch(
    uint64_t seed, uint64_t stream, uint64_t first, float out[4 * BATCH])
{
    uint32_t w[4][BATCH];

    philox_batch(seed, stream, first, w);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t k = 0; k < 4; k++)
            out[4 * b + k] = (float)((int32_t)(w[k][b] >> 8) - (1 << 23)) * 0x1p-23f;
}

typedef void batch_fn(uint64_t seed, uint64_t stream, uint64_t first, float *out);

/* Any range is cut out of whole batches that start at multiples of four elements. */
static void fill_float(
    batch_fn *fn, const uint64_t where[2], uint64_t first, size_t n, float *out)
{
    float batch[4 * BATCH];
    size_t skip = first % 4;
    uint64_t block = first / 4;

    while (n > 0) {
        size_t take = 4 * BATCH - skip;

        if (take > n)
            take = n;
        if (take == 4 * BATCH) {
            fn(where[0], where[1], block, out);
        } else {
            fn(where[0], where[1], block, batch);
            memcpy(out, batch + skip, take * sizeof *out);
        }
        out += take;
        n -= take;
        block += BATCH;
        skip = 0;
    }
}

void rng_fill_uniformf(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *out)
{
    fill_float(uniform_batch, (const uint64_t[2]){seed, stream}, first, n, out);
}

void rng_fill_normalf(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *out)
{
    fill_float(normal_batch, (const uint64_t[2]){seed, stream}, first, n, out);
}

uint64_t rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    assert(n > 0);
    /* Lemire's method: the high half of x * n is uniform once the few x that would
     * favour some results are refused. A refused draw is repeated under another key,
     * because the counter has no room for a number of tries. */
    for (uint64_t tries = 0;; tries++) {
        uint64_t key = seed + tries * 0x9E3779B97F4A7C15u;
        __extension__ unsigned __int128 wide =
            (unsigned __int128)rng_u64(key, stream, index) * n;

        if ((uint64_t)wide >= -n % n)
            return (uint64_t)(wide >> 64);
    }
}

void rng_shuffle(uint64_t seed, uint64_t stream, size_t n, uint32_t *perm)
{
    assert((uint64_t)n <= (uint64_t)1 << 32);
    for (size_t i = 0; i < n; i++)
        perm[i] = (uint32_t)i;
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)rng_below(seed, stream, i, (uint64_t)i + 1);
        uint32_t t = perm[i];

        perm[i] = perm[j];
        perm[j] = t;
    }
}
