// The matrix product, for what is parallel in time: projections, gradients of weights, softmax.
#pragma once

#include "elman/recurrent.h"

namespace elman {

// C [M, N] = A [M, K] B [K, N], or C + A B. Element (i, k) of A is a[i * a_row + k * a_column], and so on; one of both
// strides is 1, of C always the second. Each element is a sum over k in an order that depends on K alone: not on the
// other rows and columns, nor on the number of threads.
template <class Real>
struct Gemm {
    Index rows, columns, depth;  // M, N, K
    const Real* a;
    Index a_row, a_column;
    const Real* b;
    Index b_row, b_column;
    Real* c;
    Index c_row;
    bool accumulate;  // C + A B
};

template <class Real>
void gemm(const Gemm<Real>& product, int threads);

}  // namespace elman
