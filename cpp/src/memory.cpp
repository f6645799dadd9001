// Large blocks that are kept for the next call, and the small workspaces of a call.

#include "elman/memory.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#ifdef __linux__
#include <pthread.h>
#include <sys/mman.h>
#endif

namespace elman {
namespace {

constexpr std::size_t huge_page = std::size_t(2) << 20;
constexpr std::size_t most_idle = std::size_t(512) << 20;

struct Blocks {
    std::mutex mutex;
    std::multimap<std::size_t, void*> idle;           // by size
    std::unordered_map<void*, std::size_t> in_use;
    std::size_t idle_bytes = 0;
};

// Never destroyed: tensors may be freed after static objects at the end of the process.
Blocks& blocks();

Blocks* new_blocks() {
#ifdef __linux__
    // Another thread may hold the lock in the moment of a fork, and is not there in the child to release it.
    const auto lock = [] { blocks().mutex.lock(); };
    const auto unlock = [] { blocks().mutex.unlock(); };
    pthread_atfork(lock, unlock, unlock);
#endif
    return new Blocks;
}

Blocks& blocks() {
    static Blocks* const all = new_blocks();
    return *all;
}

}  // namespace

void* take_block(std::size_t bytes) {
    const std::size_t size = (bytes + huge_page - 1) / huge_page * huge_page;
    Blocks& all = blocks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto fit = all.idle.lower_bound(size);
    void* block = nullptr;
    std::size_t got = size;
    if (fit != all.idle.end() && fit->first <= 2 * size) {
        got = fit->first;
        block = fit->second;
        all.idle.erase(fit);
        all.idle_bytes -= got;
    } else {
        block = std::aligned_alloc(huge_page, size);
        if (!block) throw std::bad_alloc();
#ifdef __linux__
        madvise(block, size, MADV_HUGEPAGE);  // advice only: small pages do as well
#endif
    }
    all.in_use.emplace(block, got);
    return block;
}

void give_back_block(void* block) noexcept {
    if (!block) return;
    Blocks& all = blocks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.in_use.find(block);
    all.idle.emplace(found->second, block);
    all.idle_bytes += found->second;
    all.in_use.erase(found);
    while (all.idle_bytes > most_idle) {
        const auto smallest = all.idle.begin();
        all.idle_bytes -= smallest->first;
        std::free(smallest->second);
        all.idle.erase(smallest);
    }
}

std::size_t idle_block_bytes() {
    Blocks& all = blocks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    return all.idle_bytes;
}

void free_idle_blocks() {
    Blocks& all = blocks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    for (const auto& [size, block] : all.idle) std::free(block);
    all.idle.clear();
    all.idle_bytes = 0;
}

}  // namespace elman
