// AVX-512 F: 32 registers of 64 bytes, so a tile is 6 rows by 4 vectors.
#ifndef __AVX512F__
#error "compile this file with -mavx512f -mprefer-vector-width=512"
#endif
#define ELMAN_TIER avx512_tier
#define ELMAN_TIER_NAME "avx512"
#define ELMAN_VECTOR_BYTES 64
#define ELMAN_PANEL_VECTORS 4
#define ELMAN_SUPPORTED (__builtin_cpu_supports("avx512f"))
#include "tier_body.h"
