// Between padded tensors and the ragged layout: copies, shared out over the threads so that each writes in order.

#include <cstring>

#include "elman/recurrent.h"

namespace elman {
namespace {

constexpr double worth_a_thread = 1 << 18;  // bytes

bool is_worth(const Layout& layout, Index bytes, int threads) {
    return threads > 1 && double(layout.offsets[layout.steps]) * bytes > worth_a_thread;
}

}  // namespace

void pad(const Layout& layout, const char* data, const Padded& padded, Index bytes, int threads) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (is_worth(layout, bytes, threads))
    for (Index row = 0; row < layout.batch; ++row) {
        char* to = padded.data + padded.order[row] * padded.row_stride;
        Index t = 0;
        for (; t < layout.steps && layout.batch_sizes[t] > row; ++t, to += padded.step_stride)
            std::memcpy(to, data + (layout.offsets[t] + row) * bytes, bytes);
        for (; t < padded.steps; ++t, to += padded.step_stride) std::memset(to, 0, bytes);
    }
}

void unpad(const Layout& layout, char* data, const Padded& padded, Index bytes, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads) if (is_worth(layout, bytes, threads))
    for (Index t = 0; t < layout.steps; ++t) {
        const char* const step = padded.data + t * padded.step_stride;
        char* to = data + layout.offsets[t] * bytes;
        for (Index row = 0; row < layout.batch_sizes[t]; ++row, to += bytes)
            std::memcpy(to, step + padded.order[row] * padded.row_stride, bytes);
    }
}

}  // namespace elman
