// Large blocks that are wanted again: the reserve of one training step is that of the next.
//
// The C library gives tens of MiB back to the system on free, and fetching them anew page by page costs more time than
// filling them. Blocks given back are kept, up to a limit, and fresh ones ask for huge pages.
#pragma once

#include <cstddef>

namespace elman {

void* take_block(std::size_t bytes);                  // contents undefined; throws std::bad_alloc
void give_back_block(void* block) noexcept;           // block may be null
std::size_t idle_block_bytes();                       // kept and not in use
void free_idle_blocks();

}  // namespace elman
