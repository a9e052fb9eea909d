/* blas.h -- which linear algebra library computes, and with how many threads.
 *
 * OpenBLAS picks both by itself (environment, processor). Results are the same to the
 * bit only for the same library, processor kernel and thread count, so the daemon pins
 * the count once at start and records the name beside every result. */
#ifndef NUM_BLAS_H
#define NUM_BLAS_H

/* Pins the number of threads of every later call, in all threads. `n` below 1 means 1.
 * Not while another thread computes. */
void blas_threads(int n);
int blas_threads_now(void);

/* "OpenBLAS 0.3.21 ... kernel Haswell, 1 thread": library, kernel, threads; for
 * provenance. A static buffer that the next call writes again: one thread at a time. */
const char *blas_name(void);

#endif
