#pragma once

#include "tier.h"

namespace elman {

const Tier& current_tier();

}  // namespace elman
