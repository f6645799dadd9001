// The matrix product and the cross-entropy against their formulas, in the tier that is in use.

#include <cmath>
#include <cstdio>
#include <vector>

#include "elman/cross_entropy.h"
#include "elman/gemm.h"

using namespace elman;
template <class Real>
using Array = std::vector<Real>;

namespace {

// Numbers in [-1, 1] that no two places share.
template <class Real>
Array<Real> numbers(Index size, double seed) {
    Array<Real> found(size);
    for (Index i = 0; i < size; ++i) found[i] = Real(std::sin(seed + 1.7 * double(i)));
    return found;
}

template <class Real>
double gemm_error(Index M, Index K, Index N, bool turned) {
    const Array<Real> a = numbers<Real>(M * K, 1), b = numbers<Real>(K * N, 2);
    Array<Real> c(M * N);
    const Gemm<Real> product{M, N, K, a.data(), turned ? 1 : K, turned ? M : 1, b.data(), turned ? 1 : N, turned ? K : 1,
                             c.data(), N, false, false};
    gemm(product, 1);
    double largest = 0;
    for (Index i = 0; i < M; ++i)
        for (Index j = 0; j < N; ++j) {
            double sum = 0;
            for (Index k = 0; k < K; ++k)
                sum += double(a[i * product.a_row + k * product.a_column]) * b[k * product.b_row + j * product.b_column];
            largest = std::fmax(largest, std::fabs(sum - c[i * N + j]));
        }
    return largest;
}

template <class Real>
double cross_entropy_error(Index rows, Index columns) {
    const Array<Real> given = numbers<Real>(rows * columns, 3), bias = numbers<Real>(columns, 4);
    Array<Real> scores = given, losses(rows);
    Array<Index> target(rows);
    for (Index r = 0; r < rows; ++r) target[r] = (r * 7) % columns;
    cross_entropy<Real>({rows, columns, scores.data(), bias.data(), target.data(), losses.data(), true}, 1);
    double largest = 0;
    for (Index r = 0; r < rows; ++r) {
        const auto score = [&](Index j) { return double(given[r * columns + j]) + bias[j]; };
        double sum = 0;
        for (Index j = 0; j < columns; ++j) sum += std::exp(score(j));
        largest = std::fmax(largest, std::fabs(std::log(sum) - score(target[r]) - losses[r]));
        for (Index j = 0; j < columns; ++j)
            largest = std::fmax(largest, std::fabs(std::exp(score(j)) / sum - (j == target[r]) - scores[r * columns + j]));
    }
    return largest;
}

template <class Real>
bool check(const char* type, double limit) {
    double product = 0;
    for (const bool turned : {false, true})
        for (const Index size : {1, 9, 70}) product = std::fmax(product, gemm_error<Real>(size, 400, 33, turned));
    const double loss = cross_entropy_error<Real>(5, 37);
    const bool fine = product < limit && loss < limit;
    std::printf("%-7s %s: product %.0e, cross-entropy %.0e%s\n", tier(), type, product, loss, fine ? "" : "  WRONG");
    return fine;
}

}  // namespace

bool check_products() {
    const bool single = check<float>("float32", 2e-4), precise = check<double>("float64", 1e-12);
    return single && precise;
}
