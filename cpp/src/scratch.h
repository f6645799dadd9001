// Memory for the length of a call: from the C library, or a kept block if it is large.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

#include "elman/memory.h"
#include "elman/recurrent.h"

namespace elman {

constexpr std::size_t kept_bytes = 1 << 16;  // scratch from here on is a kept block

struct Free {
    bool kept;
    void operator()(void* p) const { kept ? give_back_block(p) : std::free(p); }
};

template <class Real>
std::unique_ptr<Real[], Free> scratch(Index size) {
    const std::size_t bytes = (size * sizeof(Real) + 127) / 64 * 64;
    const bool kept = bytes >= kept_bytes;
    void* const p = kept ? take_block(bytes) : std::aligned_alloc(64, bytes);
    if (!p) throw std::bad_alloc();
    return {static_cast<Real*>(p), Free{kept}};
}

}  // namespace elman
