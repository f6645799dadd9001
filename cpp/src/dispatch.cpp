// Which tier runs. __builtin_cpu_supports asks the processor, and for vector state also the operating system (XCR0).

#include "dispatch.h"

#include <atomic>
#include <cstring>

namespace elman {
namespace {

const Tier* const tiers[] = {
    &scalar_tier,
#ifdef __x86_64__
    &avx2_tier,
    &avx512_tier,
#endif
};

const Tier* best() {
    const Tier* found = tiers[0];
    for (const Tier* candidate : tiers)
        if (candidate->supported()) found = candidate;
    return found;
}

std::atomic<const Tier*> chosen{nullptr};

}  // namespace

const Tier& current_tier() {
    const Tier* now = chosen.load(std::memory_order_relaxed);
    static const Tier* const fastest = best();
    return now ? *now : *fastest;
}

const char* tier() { return current_tier().name; }
int tier_count() { return sizeof tiers / sizeof tiers[0]; }
const char* tier_name(int index) { return tiers[index]->name; }
bool tier_supported(int index) { return tiers[index]->supported(); }

bool choose_tier(const char* name) {
    for (const Tier* candidate : tiers)
        if (std::strcmp(candidate->name, name) == 0 && candidate->supported()) {
            chosen = candidate;
            return true;
        }
    return false;
}

}  // namespace elman
