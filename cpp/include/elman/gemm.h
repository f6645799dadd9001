// The matrix product, for what is parallel in time: projections, gradients of weights, softmax.
#pragma once

#include "elman/recurrent.h"

namespace elman {

// C [M, N] = A [M, K] B [K, N], or C + A B. Element (i, k) of A is a[i * a_row + k * a_column], and so on; one of both
// strides is 1, of C always the second. Each element is a sum over k in an order that depends on K alone: not on the
// other rows and columns, nor on the number of threads.
//
// With `bfloat16` the numbers of A and B are rounded to 8 bits of mantissa and multiplied twice as fast; the sums are
// float32. It has no effect unless multiplies_bfloat16().
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
    bool bfloat16;
};

template <class Real>
void gemm(const Gemm<Real>& product, int threads);

// Whether this kernel is the faster one: an x86-64 processor not made by Intel, for which alone MKL has its best code.
bool outruns_mkl();

bool multiplies_bfloat16();  // whether the tier in use and the processor have an instruction for it

}  // namespace elman
