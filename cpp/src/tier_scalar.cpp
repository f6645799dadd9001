// No instruction beyond what the compiler may always use: 16-byte vectors become SSE2 on x86-64, NEON on aarch64.
#define ELMAN_TIER scalar_tier
#define ELMAN_TIER_NAME "scalar"
#define ELMAN_VECTOR_BYTES 16
#define ELMAN_PANEL_VECTORS 2
#define ELMAN_SUPPORTED true
#include "tier_body.h"
