// The tier in use, for the code that is the same in all of them.
#pragma once

#include "tier.h"

namespace elman {

const Tier& current_tier();

constexpr double worth_a_thread = 200000;  // multiplications; below, waking a thread takes longer than the work

template <class Real>
const Functions<Real>& functions();
template <>
inline const Functions<float>& functions<float>() { return current_tier().f32; }
template <>
inline const Functions<double>& functions<double>() { return current_tier().f64; }

}  // namespace elman
