// Between padded tensors and the ragged layout: copies, row by row, shared out over the threads.

#include <cstring>

#include "elman/recurrent.h"

namespace elman {
namespace {

constexpr double worth_a_thread = 1 << 18;  // bytes

// Calls copy(element, place) for each element, and finish(place, steps left) behind each row's end.
template <class Copy, class Finish>
void walk(const Layout& layout, const Padded& padded, Index bytes, int threads, Copy copy, Finish finish) {
    const double size = double(layout.offsets[layout.steps]) * bytes;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1 && size > worth_a_thread)
    for (Index row = 0; row < layout.batch; ++row) {
        char* place = padded.data + padded.order[row] * padded.row_stride;
        Index t = 0;
        for (; t < layout.steps && layout.batch_sizes[t] > row; ++t, place += padded.step_stride)
            copy((layout.offsets[t] + row) * bytes, place);
        finish(place, padded.steps - t);
    }
}

}  // namespace

void pad(const Layout& layout, const char* data, const Padded& padded, Index bytes, int threads) {
    walk(
        layout, padded, bytes, threads, [=](Index from, char* place) { std::memcpy(place, data + from, bytes); },
        [=](char* place, Index left) {
            if (padded.step_stride == bytes) {
                std::memset(place, 0, left * bytes);
                return;
            }
            for (; left > 0; --left, place += padded.step_stride) std::memset(place, 0, bytes);
        });
}

void unpad(const Layout& layout, char* data, const Padded& padded, Index bytes, int threads) {
    walk(
        layout, padded, bytes, threads, [=](Index to, char* place) { std::memcpy(data + to, place, bytes); },
        [](char*, Index) {});
}

}  // namespace elman
