// The cross-entropy of scores, and its gradient where they stand.
#pragma once

#include "elman/recurrent.h"

namespace elman {

// Each row of scores [N, V], to which bias [V] is added first: its loss is -log softmax(row)[target].
template <class Real>
struct CrossEntropy {
    Index rows, columns;  // N, V
    Real* scores;         // [N, V]; with `gradient`, on return the derivative of each row's loss; else spent
    const Real* bias;     // [V]
    const Index* target;  // [N], each within 0 .. V - 1
    Real* losses;         // [N]
    bool gradient;
};

template <class Real>
void cross_entropy(const CrossEntropy<Real>& rows, int threads);

}  // namespace elman
