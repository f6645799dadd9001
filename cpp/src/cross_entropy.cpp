// Shares out the rows of a cross-entropy.

#include "elman/cross_entropy.h"

#include <omp.h>

#include "denormals.h"
#include "dispatch.h"

namespace elman {

template <class Real>
void cross_entropy(const CrossEntropy<Real>& c, int threads) {
    constexpr double worth_a_thread = 50000;  // scores
    if (double(c.rows) * c.columns < worth_a_thread) threads = 1;
    const auto rows = functions<Real>().cross_entropy;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const FlushDenormals flush;
        const Index number = omp_get_thread_num(), count = omp_get_num_threads();
        rows(c, c.rows * number / count, c.rows * (number + 1) / count);
    }
}

template void cross_entropy(const CrossEntropy<float>&, int);
template void cross_entropy(const CrossEntropy<double>&, int);

}  // namespace elman
