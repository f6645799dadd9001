// Shares out the time loops. Rows never meet, so threads take groups of rows, longest first. A few rows of which each
// step fetches a matrix that outgrows a core's cache are gone through together, each thread with its own units.
//
// OpenMP, because torch's own pool is OpenMP's: both share one runtime and one set of threads, so ours never compete
// with torch's that are still spinning after a product.

#include <omp.h>

#include <cstring>
#include <vector>

#include "denormals.h"
#include "dispatch.h"
#include "elman/gemm.h"
#include "scratch.h"

namespace elman {
namespace {

// Rows of a group: two tiles, and four where the panels outgrow the L2 cache and each row more saves fetching them.
constexpr Index group_rows = 12, group_rows_of_large = 24;
constexpr Index rows_together = 4;  // a thread; with more, the products take longer than fetching the matrix
constexpr Index large_bytes = 1 << 20;

void wait_for_the_others() {
#pragma omp barrier
}

// Whether a step needs numbers of all units beside the state's before it: a second product's, a normalisation's.
bool needs_whole_rows(Cell cell) { return cell == Cell::gru_before || traits_of(cell).normalised; }

// Whether threads may share the units of a row: without a product there is nothing to share.
bool units_part(Cell cell) { return traits_of(cell).product && !needs_whole_rows(cell); }

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

template <class Real>
Index width_of(Index hidden) {
    const Index lanes = functions<Real>().lanes;
    return ceil_div(hidden, lanes) * lanes;
}

// All threads go through the steps of all rows together.
template <class Real, class Work>
void share_units(Index rows, Index of_row, Index of_thread, int threads, Work work) {
    const auto workspace = scratch<Real>(rows * (of_row + of_thread * threads));
#pragma omp parallel num_threads(threads)
    {
        const FlushDenormals flush;
        work(Group{0, rows, omp_get_thread_num(), omp_get_num_threads(), wait_for_the_others}, workspace.get());
    }
}

// Calls work(group, workspace) for every group: as many as fill the threads evenly, each small enough.
template <class Real, class Work>
void share(Cell cell, const Layout& layout, int threads, bool bfloat16, bool together, Work work) {
    const Index rows = layout.batch, elements = layout.offsets[layout.end] - layout.offsets[layout.begin];
    const Index gates = gates_of(cell), width = width_of<Real>(layout.hidden);
    if (double(elements) * gates * layout.hidden * layout.hidden < worth_a_thread) threads = 1;
    const Index panel_bytes = gates * layout.hidden * layout.hidden * Index(sizeof(Real)) / (bfloat16 ? 2 : 1);
    const bool large = panel_bytes > large_bytes;
    const Index of_row = (4 + gates) * width, of_thread = bfloat16 ? gates * width : 0;
    if (threads > 1 && large && together && rows <= rows_together * threads)
        return share_units<Real>(rows, of_row, of_thread, threads, work);
    const Index most = large ? group_rows_of_large : group_rows;
    Index count = ceil_div(rows, threads * most) * threads;
    if (count > rows) count = rows;
    if (threads > count) threads = count > 1 ? int(count) : 1;
    const Index size = count ? ceil_div(rows, count) * (of_row + of_thread) : 0;
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

// Calls work(share, whole) for every share of a packing; whole: memory for a strip of so many rows with bfloat16, or null.
template <class Real, class Work>
void share_packing(Index elements, Index rows, int threads, bool bfloat16, Work work) {
    if (elements < worth_a_thread) threads = 1;
    const Index of_thread = bfloat16 ? rows * functions<Real>().strip_columns : 0;
    const auto memory = scratch<Real>(of_thread * threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const int number = omp_get_thread_num();
        work(Share{number, omp_get_num_threads()}, bfloat16 ? memory.get() + of_thread * number : nullptr);
    }
}

template <class Real>
bool in_pairs(bool bfloat16) {
    return bfloat16 && sizeof(Real) == sizeof(float) && multiplies_bfloat16();
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
    return ((traits_of(cell).product ? hidden : 0) + 2) * gates_of(cell) * width_of<Real>(hidden);
}

template <class Real>
void pack_forward(Cell cell, Index hidden, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels,
                  int threads, bool bfloat16) {
    const auto pack = functions<Real>().cells[int(cell)].pack_forward;
    share_packing<Real>(
        panels_size<Real>(cell, hidden), hidden, threads, in_pairs<Real>(bfloat16),
        [&](Share share, Real* whole) { pack(hidden, weight_hh, bias_ih, bias_hh, panels, share, whole); });
}

template <class Real>
void pack_backward(Cell cell, Index hidden, const Real* weight_hh, Real* panels, int threads, bool bfloat16) {
    const auto pack = functions<Real>().cells[int(cell)].pack_backward;
    share_packing<Real>(panels_size<Real>(cell, hidden), gates_of(cell) * hidden, threads, in_pairs<Real>(bfloat16),
                        [&](Share share, Real* whole) { pack(hidden, weight_hh, panels, share, whole); });
}

template <class Real>
void forward(Cell cell, const Forward<Real>& arguments, int threads) {
    const auto rows = functions<Real>().cells[int(cell)].forward;
    Forward<Real> f = arguments;
    f.bfloat16 = in_pairs<Real>(f.bfloat16);
    share<Real>(cell, f.layout, threads, f.bfloat16, units_part(cell),
                [&](const Group& group, Real* workspace) { rows(f, group, workspace); });
}

template <class Real>
void backward(Cell cell, const Backward<Real>& arguments, int threads) {
    const auto rows = functions<Real>().cells[int(cell)].backward;
    Backward<Real> b = arguments;
    b.bfloat16 = in_pairs<Real>(b.bfloat16);
    share<Real>(cell, b.layout, threads, b.bfloat16, units_part(cell) && !b.norms,
                [&](const Group& group, Real* workspace) { rows(b, group, workspace); });
}

template <class Real>
void sequence(Cell cell, const Sequence<Real>& s, int threads) {
    const CellFunctions<Real>& f = functions<Real>().cells[int(cell)];
    const Index elements = s.steps * s.batch, gates = gates_of(cell), width = width_of<Real>(s.hidden);
    const Index of_input = s.input * gates * width, of_state = panels_size<Real>(cell, s.hidden);
    const auto memory = scratch<Real>(of_input + of_state + elements * gates * width);
    Real* const input_panels = memory.get();
    Real* const panels = input_panels + of_input;
    Real* const projected = panels + of_state;
    const int some = double(elements + gates * s.hidden) * gates * s.hidden * s.input < worth_a_thread ? 1 : threads;
#pragma omp parallel num_threads(some) if (some > 1)
    {
        const FlushDenormals flush;
        const Share share{omp_get_thread_num(), omp_get_num_threads()};
        f.pack_input(s.hidden, s.input, s.weight_ih, input_panels, share);
        f.pack_forward(s.hidden, s.weight_hh, s.bias_ih, s.bias_hh, panels, share, nullptr);
#pragma omp barrier
        const Index first = elements * share.number / share.count, last = elements * (share.number + 1) / share.count;
        f.project(s.hidden, s.input, last - first, s.x + first * s.input, input_panels, projected + first * gates * width);
    }
    std::vector<Index> batch_sizes(s.steps, s.batch), offsets(s.steps + 1);
    lay_out(s.steps, batch_sizes.data(), elements, s.batch, offsets.data());
    const Layout layout{batch_sizes.data(), offsets.data(), s.steps, 0, s.steps, s.batch, s.hidden, s.reverse};
    forward<Real>(cell, {layout, panels, projected, width, false, nullptr, s.output, s.h, s.c, s.vectors}, threads);
}

template <class Real>
void step(Cell cell, const Step<Real>& s, int threads) {
    const Functions<Real>& f = functions<Real>();
    const Index gates = gates_of(cell), width = width_of<Real>(s.hidden), blocks = width / f.lanes;
    if (double(s.batch) * gates * s.hidden * (s.hidden + s.input) < worth_a_thread) threads = 1;
    if (needs_whole_rows(cell)) threads = 1;
    const Index of_thread = (4 * gates + 1) * width;
    const auto memory = scratch<Real>(s.batch * s.hidden + threads * of_thread + f.lanes);
    Real* const workspace = memory.get();
    Real* const h_before = workspace + threads * of_thread;
    std::memcpy(h_before, s.h, s.batch * s.hidden * sizeof(Real));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const FlushDenormals flush;
        const Index number = omp_get_thread_num(), count = omp_get_num_threads();
        const Index first = blocks * number / count * f.lanes, last = blocks * (number + 1) / count * f.lanes;
        f.cells[int(cell)].step(s, h_before, first, last < s.hidden ? last : s.hidden, workspace + number * of_thread);
    }
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
    template void pack_forward(Cell, Index, const Real*, const Real*, const Real*, Real*, int, bool); \
    template void pack_backward(Cell, Index, const Real*, Real*, int, bool);                        \
    template void forward(Cell, const Forward<Real>&, int);                                         \
    template void backward(Cell, const Backward<Real>&, int);                                       \
    template void sequence(Cell, const Sequence<Real>&, int);                                       \
    template void step(Cell, const Step<Real>&, int);                                               \
    template void states_before(const Layout&, const Real*, const Real*, Real*, int);
ELMAN_INSTANTIATE(float)
ELMAN_INSTANTIATE(double)

}  // namespace elman
