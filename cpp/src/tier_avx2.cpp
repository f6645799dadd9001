// AVX2 and FMA: 16 registers of 32 bytes, so a tile is 6 rows by 2 vectors.
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mfma"
#endif
#define ELMAN_TIER avx2_tier
#define ELMAN_TIER_NAME "avx2"
#define ELMAN_VECTOR_BYTES 32
#define ELMAN_PANEL_VECTORS 2
#define ELMAN_SUPPORTED (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#include "tier_body.h"
