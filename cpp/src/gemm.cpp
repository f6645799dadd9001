// Shares out a matrix product: a grid of blocks of C, one a thread, as near to squares as the threads allow.

#include "elman/gemm.h"

#include <omp.h>

#include "denormals.h"
#include "dispatch.h"
#include "scratch.h"

namespace elman {
namespace {

constexpr Index row_grain = 6, column_grain = 64;

// The share `number` of `count` of `size`, in multiples of the grain.
Index cut(Index size, Index grain, Index number, Index count) {
    const Index grains = (size + grain - 1) / grain, at = grains * number / count * grain;
    return at < size ? at : size;
}

// Into how many parts the rows are cut, so that what a thread reads of A and B is least.
int row_parts(Index rows, Index columns, int threads) {
    int best = 1;
    double least = -1;
    for (int parts = 1; parts <= threads; ++parts) {
        if (threads % parts) continue;
        const double reads = double(rows) / parts + double(columns) * parts / threads;
        if (least < 0 || reads < least) least = reads, best = parts;
    }
    return best;
}

}  // namespace

bool outruns_mkl() {
#ifdef __x86_64__
    return !__builtin_cpu_is("intel");
#else
    return false;
#endif
}

bool multiplies_bfloat16() {
#ifdef __x86_64__
    return functions<float>().gemm_bfloat16 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

template <class Real>
void gemm(const Gemm<Real>& g, int threads) {
    if (double(g.rows) * g.columns * g.depth < worth_a_thread) threads = 1;
    const Functions<Real>& f = functions<Real>();
    const auto of_thread = g.bfloat16 && f.gemm_bfloat16 && multiplies_bfloat16() ? f.gemm_bfloat16 : f.gemm;
    const auto workspace = scratch<Real>(f.gemm_workspace * threads);
    const int down = row_parts(g.rows, g.columns, threads), across = threads / down;
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int part = 0; part < threads; ++part) {
        const FlushDenormals flush;
        const int r = part / across, c = part % across;
        const Index top = cut(g.rows, row_grain, r, down), left = cut(g.columns, column_grain, c, across);
        Gemm<Real> mine = g;
        mine.rows = cut(g.rows, row_grain, r + 1, down) - top;
        mine.columns = cut(g.columns, column_grain, c + 1, across) - left;
        mine.a += top * g.a_row;
        mine.b += left * g.b_column;
        mine.c += top * g.c_row + left;
        of_thread(mine, workspace.get() + f.gemm_workspace * part);
    }
}

template void gemm(const Gemm<float>&, int);
template void gemm(const Gemm<double>&, int);

}  // namespace elman
