/* crc.h -- CRC-32 of ZIP files (polynomial 0xedb88320, reflected), of bytes that lie apart. */
#ifndef PROV_CRC_H
#define PROV_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Of some bytes. */
uint32_t crc_of(const void *bytes, size_t len);

/* Of A followed by B, from the CRC of each and the length of B: a shift by 8 len_b zero bits
 * is a multiplication by x^(8 len_b) modulo the polynomial. */
uint32_t crc_join(uint32_t a, uint32_t b, size_t len_b);

#endif
