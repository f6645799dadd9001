// Cuts the rows into groups and lets the threads take them, longest first.
//
// OpenMP, because torch's own pool is OpenMP's: both share one runtime and one set of threads, so ours never compete
// with torch's that are still spinning after a product.

#include <omp.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "denormals.h"
#include "dispatch.h"

namespace elman {
namespace {

constexpr Index group_rows = 24;              // two tiles; more rows gain nothing while the panels fit the L2 cache
constexpr double worth_a_thread = 200000;     // multiplications; below, waking a thread takes longer than the work

struct Free {
    void operator()(void* p) const { std::free(p); }
};

template <class Real>
using Scratch = std::unique_ptr<Real[], Free>;

template <class Real>
Scratch<Real> scratch(Index size) {
    void* p = std::aligned_alloc(64, (size * sizeof(Real) + 127) / 64 * 64);
    if (!p) throw std::bad_alloc();
    return Scratch<Real>(static_cast<Real*>(p));
}

template <class Real>
const Functions<Real>& functions();
template <>
const Functions<float>& functions<float>() { return current_tier().f32; }
template <>
const Functions<double>& functions<double>() { return current_tier().f64; }

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

template <class Real>
Index width_of(Index hidden) {
    const Index lanes = functions<Real>().lanes;
    return ceil_div(hidden, lanes) * lanes;
}

// Calls work(group, workspace) for every group: as many as fill the threads evenly, none larger than group_rows.
template <class Real, class Work>
void share(const Layout& layout, int gates, int threads, Work work) {
    const Index rows = layout.batch, elements = layout.offsets[layout.end] - layout.offsets[layout.begin];
    if (double(elements) * gates * layout.hidden * layout.hidden < worth_a_thread) threads = 1;
    Index count = ceil_div(rows, threads * group_rows) * threads;
    if (count > rows) count = rows;
    if (threads > count) threads = count > 1 ? int(count) : 1;
    const Index size = count ? ceil_div(rows, count) * (2 + gates) * width_of<Real>(layout.hidden) : 0;
    const auto workspace = scratch<Real>(size * threads);
    Index next = 0;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const FlushDenormals flush;
        Real* const mine = workspace.get() + size * omp_get_thread_num();
        for (;;) {
            Index taken;
#pragma omp atomic capture
            taken = next++;
            if (taken >= count) break;
            work(Group{rows * taken / count, rows * (taken + 1) / count}, mine);
        }
    }
}

}  // namespace

bool lay_out(Index steps, const Index* batch_sizes, Index elements, Index batch, Index* offsets) {
    Index before = batch;
    offsets[0] = 0;
    for (Index t = 0; t < steps; ++t) {
        if (batch_sizes[t] < 1 || batch_sizes[t] > before) return false;
        before = batch_sizes[t];
        offsets[t + 1] = offsets[t] + before;
    }
    return offsets[steps] == elements;
}

template <class Real>
Index panels_size(Cell cell, Index hidden) {
    return (hidden + 2) * gates_of(cell) * width_of<Real>(hidden);
}

template <class Real>
void pack_forward(Cell cell, Index hidden, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels) {
    functions<Real>().cells[int(cell)].pack_forward(hidden, weight_hh, bias_ih, bias_hh, panels);
}

template <class Real>
void pack_backward(Cell cell, Index hidden, const Real* weight_hh, Real* panels) {
    functions<Real>().cells[int(cell)].pack_backward(hidden, weight_hh, panels);
}

template <class Real>
void forward(Cell cell, const Forward<Real>& arguments, int threads) {
    const auto rows = functions<Real>().cells[int(cell)].forward;
    share<Real>(arguments.layout, gates_of(cell), threads,
                [&](Group group, Real* workspace) { rows(arguments, group, workspace); });
}

template <class Real>
void backward(Cell cell, const Backward<Real>& arguments, int threads) {
    const auto rows = functions<Real>().cells[int(cell)].backward;
    share<Real>(arguments.layout, gates_of(cell), threads,
                [&](Group group, Real* workspace) { rows(arguments, group, workspace); });
}

template <class Real>
void step(Cell cell, const Step<Real>& arguments) {
    const auto workspace = scratch<Real>(4 * gates_of(cell) * width_of<Real>(arguments.hidden));
    const FlushDenormals flush;
    functions<Real>().cells[int(cell)].step(arguments, workspace.get());
}

template <class Real>
void states_before(const Layout& layout, const Real* output, const Real* h_0, Real* before, int threads) {
    const Index hidden = layout.hidden, start = layout.offsets[layout.begin];
    const double size = double(layout.offsets[layout.end] - start) * hidden;
#pragma omp parallel for num_threads(threads) if (threads > 1 && size > worth_a_thread)
    for (Index t = layout.begin; t < layout.end; ++t) {
        const Index previous = layout.reverse ? t + 1 : t - 1, rows = layout.batch_sizes[t];
        Index inside = previous < 0 || previous >= layout.steps ? 0 : layout.batch_sizes[previous];
        if (inside > rows) inside = rows;
        Real* const to = before + (layout.offsets[t] - start) * hidden;
        if (inside) std::memcpy(to, output + layout.offsets[previous] * hidden, inside * hidden * sizeof(Real));
        if (inside < rows)
            std::memcpy(to + inside * hidden, h_0 + inside * hidden, (rows - inside) * hidden * sizeof(Real));
    }
}

#define ELMAN_INSTANTIATE(Real)                                                                      \
    template Index panels_size<Real>(Cell, Index);                                                  \
    template void pack_forward(Cell, Index, const Real*, const Real*, const Real*, Real*);          \
    template void pack_backward(Cell, Index, const Real*, Real*);                                   \
    template void forward(Cell, const Forward<Real>&, int);                                         \
    template void backward(Cell, const Backward<Real>&, int);                                       \
    template void step(Cell, const Step<Real>&);                                                    \
    template void states_before(const Layout&, const Real*, const Real*, Real*, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
