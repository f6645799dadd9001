// A check of the kernels without Python, for machines that are emulated: in every tier, each cell's forward pass in
// float64 against its formula, its gradients against central differences, and float32 against float64; then products.cpp.

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "elman/recurrent.h"

using namespace elman;
template <class Real>
using Array = std::vector<Real>;

namespace {

constexpr Index H = 19, B = 7;
const Array<Index> batch_sizes{7, 7, 5, 2, 1};
const Index N = 22;

bool has_c(Cell cell) {
    return cell == Cell::lstm || cell == Cell::peephole || cell == Cell::coupled || cell == Cell::layer_lstm;
}

// Numbers of `inner` for an element.
Index kept_of(Cell cell) {
    return traits_of(cell).normalised ? (2 * gates_of(cell) + 1 + has_c(cell)) * H + 4 : H;
}

template <class Real>
struct Problem {
    Array<Real> projected, weight_hh, bias_ih, bias_hh, h_0, c_0, vectors;
};

Array<double> random_numbers(Index size, double scale, unsigned seed) {
    std::mt19937 bits(seed);
    std::normal_distribution<double> normal(0, scale);
    Array<double> numbers(size);
    for (double& number : numbers) number = normal(bits);
    return numbers;
}

Problem<double> problem(Cell cell) {
    const Index G = gates_of(cell);
    return {random_numbers(N * G * H, 1, 1), random_numbers(G * H * H, 0.2, 2), random_numbers(G * H, 1, 3),
            random_numbers(G * H, 1, 4),     random_numbers(B * H, 1, 5),       random_numbers(B * H, 1, 6),
            random_numbers(18 * H, 0.3, 8)};
}

template <class Real>
Problem<Real> convert(const Problem<double>& p) {
    const auto to = [](const Array<double>& a) { return Array<Real>(a.begin(), a.end()); };
    return {to(p.projected), to(p.weight_hh), to(p.bias_ih), to(p.bias_hh), to(p.h_0), to(p.c_0),
            to(p.vectors)};
}

template <class Real>
struct Run {
    Array<Index> offsets;
    Layout layout;
    Array<Real> gates, inner, output, h, c;

    Run(Cell cell, const Problem<Real>& p, bool reverse)
        : offsets(batch_sizes.size() + 1), gates(p.projected), inner(N * kept_of(cell)), output(N * H), h(p.h_0),
          c(p.c_0) {
        const Index T = Index(batch_sizes.size());
        const bool normalised = traits_of(cell).normalised;  // its biases are among the vectors
        if (!lay_out(T, batch_sizes.data(), N, B, offsets.data())) std::abort();
        layout = {batch_sizes.data(), offsets.data(), T, 0, T, B, H, reverse};
        Array<Real> panels(panels_size<Real>(cell, H));
        pack_forward(cell, H, p.weight_hh.data(), normalised ? nullptr : p.bias_ih.data(),
                     normalised ? nullptr : p.bias_hh.data(), panels.data(), 1);
        forward<Real>(cell,
                      {layout, panels.data(), gates.data(), H, true, inner.data(), output.data(), h.data(), c.data(),
                       p.vectors.data()},
                      1);
    }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

bool is_relu(Cell cell) { return cell == Cell::rnn_relu || cell == Cell::leaky_relu || cell == Cell::indrnn_relu; }

// The new h of one unit, from x[g] = W_ih x + b_ih, s[g] = W_hh h + b_hh, the old h, c (replaced) and the unit's vectors.
double unit_step(Cell cell, const double* x, const double* s, double h, double& c, const double* v) {
    const double a[4] = {x[0] + s[0], x[1] + s[1], x[2] + s[2], x[3] + s[3]};
    const auto f = [&](double value) { return is_relu(cell) ? std::fmax(0, value) : std::tanh(value); };
    switch (cell) {
        case Cell::rnn_tanh: case Cell::rnn_relu: return f(a[0]);
        case Cell::leaky_tanh: case Cell::leaky_relu: return (1 - v[0]) * h + v[0] * f(a[0]);
        case Cell::indrnn_tanh: case Cell::indrnn_relu: return f(x[0] + v[0] * h);
        case Cell::lstm: case Cell::peephole: case Cell::layer_lstm: {
            const double p = cell == Cell::peephole;
            c = sigmoid(a[1] + p * v[1] * c) * c + sigmoid(a[0] + p * v[0] * c) * std::tanh(a[2]);
            return sigmoid(a[3] + p * v[2] * c) * std::tanh(c);
        }
        case Cell::coupled:
            c = sigmoid(a[0]) * c + (1 - sigmoid(a[0])) * std::tanh(a[1]);
            return sigmoid(a[2]) * std::tanh(c);
        case Cell::gru: case Cell::layer_gru:
            return (1 - sigmoid(a[1])) * std::tanh(x[2] + sigmoid(a[0]) * s[2]) + sigmoid(a[1]) * h;
        case Cell::gru_before: return (1 - sigmoid(a[1])) * std::tanh(a[2]) + sigmoid(a[1]) * h;
        case Cell::min_gru: return (1 - sigmoid(x[0])) * h + sigmoid(x[0]) * x[1];
        case Cell::min_lstm: {
            const double forget = sigmoid(x[0]), input = sigmoid(x[1]);
            return (forget * h + input * x[2]) / (forget + input);
        }
    }
    return 0;
}

void normalise(double* a, Index count, const double* gain, const double* bias) {
    double mean = 0, variance = 0;
    for (Index i = 0; i < count; ++i) mean += a[i] / count;
    for (Index i = 0; i < count; ++i) variance += (a[i] - mean) * (a[i] - mean) / count;
    for (Index i = 0; i < count; ++i) a[i] = gain[i] * (a[i] - mean) / std::sqrt(variance + 1e-5) + bias[i];
}

// A step of one row of a normalised cell; h and c [H] are replaced.
void normalised_step(Cell cell, const Problem<double>& p, Index element, double* h, double* c) {
    const Index G = gates_of(cell), first = cell == Cell::layer_gru ? 2 * H : G * H;
    const double* const gain_x = p.vectors.data();
    const double* const bias_x = gain_x + 2 * G * H;
    Array<double> x(p.projected.begin() + element * G * H, p.projected.begin() + (element + 1) * G * H), s(G * H);
    for (Index j = 0; j < G * H; ++j)
        for (Index k = 0; k < H; ++k) s[j] += p.weight_hh[j * H + k] * h[k];
    for (const Index begin : {Index(0), first}) {
        const Index count = begin ? G * H - first : first;
        normalise(x.data() + begin, count, gain_x + begin, bias_x + begin);
        normalise(s.data() + begin, count, gain_x + G * H + begin, bias_x + G * H + begin);
    }
    for (Index unit = 0; unit < H; ++unit) {
        double of_x[4] = {}, of_s[4] = {}, none[3] = {};
        for (Index g = 0; g < G; ++g) of_x[g] = x[g * H + unit], of_s[g] = s[g * H + unit];
        h[unit] = unit_step(cell, of_x, of_s, h[unit], c[unit], none);
    }
    if (cell != Cell::layer_lstm) return;
    Array<double> seen(c, c + H);
    normalise(seen.data(), H, gain_x + 4 * G * H, gain_x + (4 * G + 1) * H);
    for (Index unit = 0; unit < H; ++unit) h[unit] = sigmoid(x[3 * H + unit] + s[3 * H + unit]) * std::tanh(seen[unit]);
}

// The formula, one number at a time.
Array<double> plain(Cell cell, const Problem<double>& p, bool reverse) {
    const Index G = gates_of(cell), T = Index(batch_sizes.size());
    Array<double> output(N * H), h = p.h_0, c = p.c_0;
    const auto reset = [&](Index b, Index k, Index offset, const Array<double>& old) {  // gate r of a unit
        double a = p.projected[(offset + b) * G * H + k] + p.bias_ih[k] + p.bias_hh[k];
        for (Index m = 0; m < H; ++m) a += p.weight_hh[k * H + m] * old[b * H + m];
        return sigmoid(a);
    };
    for (Index step = 0; step < T; ++step) {
        const Index t = reverse ? T - 1 - step : step;
        Index offset = 0;
        for (Index s = 0; s < t; ++s) offset += batch_sizes[s];
        const Array<double> old = h;
        for (Index b = 0; b < batch_sizes[t]; ++b) {
            if (traits_of(cell).normalised) {
                normalised_step(cell, p, offset + b, &h[b * H], &c[b * H]);
                for (Index unit = 0; unit < H; ++unit) output[(offset + b) * H + unit] = h[b * H + unit];
                continue;
            }
            for (Index unit = 0; unit < H; ++unit) {
                double x[4] = {}, product[4] = {}, v[3];
                for (Index g = 0; g < G; ++g) {
                    const Index j = g * H + unit;
                    const bool resets = cell == Cell::gru_before && g == 2;
                    if (traits_of(cell).product) product[g] = p.bias_hh[j];
                    for (Index k = 0; traits_of(cell).product && k < H; ++k)
                        product[g] += p.weight_hh[j * H + k] * old[b * H + k] * (resets ? reset(b, k, offset, old) : 1);
                    // Without a matrix the bias of the state still joins that of the input.
                    x[g] = p.projected[(offset + b) * G * H + j] + p.bias_ih[j] + (traits_of(cell).product ? 0 : p.bias_hh[j]);
                }
                for (Index u = 0; u < 3; ++u) v[u] = p.vectors[u * H + unit];
                double& state = h[b * H + unit];
                state = unit_step(cell, x, product, state, c[b * H + unit], v);
                output[(offset + b) * H + unit] = state;
            }
        }
    }
    return output;
}

double loss(Cell cell, const Problem<double>& p, const Array<double>& weights, bool reverse) {
    const Run<double> run(cell, p, reverse);
    double sum = 0;
    for (Index i = 0; i < N * H; ++i) sum += weights[i] * run.output[i];
    return sum;
}

double largest_difference(const Array<double>& a, const Array<double>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::fmax(largest, std::fabs(a[i] - b[i]));
    return largest;
}

double gradient_error(Cell cell, const Problem<double>& p, bool reverse) {
    const Index G = gates_of(cell);
    const Array<double> weights = random_numbers(N * H, 1, 7);
    const Run<double> run(cell, p, reverse);
    Array<double> panels(panels_size<double>(cell, H)), dgates(N * G * H), dinner(N * G * H), dh(B * H),
        dc(B * H);
    const bool apart = cell == Cell::gru || traits_of(cell).normalised;
    Array<double> dvectors(B * traits_of(cell).vectors * H), of_vectors(traits_of(cell).vectors * H);
    pack_backward(cell, H, p.weight_hh.data(), panels.data(), 1);
    backward<double>(cell,
                     {run.layout, panels.data(), p.h_0.data(), p.c_0.data(), run.output.data(), run.gates.data(),
                      run.inner.data(), weights.data(), dgates.data(), apart ? dinner.data() : nullptr,
                      dh.data(), dc.data(), p.vectors.data(), nullptr, nullptr, nullptr, dvectors.data()},
                     1);
    for (std::size_t i = 0; i < dvectors.size(); ++i) of_vectors[i % of_vectors.size()] += dvectors[i];
    double largest = 0;
    const auto compare = [&](Array<double> Problem<double>::*member, const Array<double>& gradient) {
        for (Index i = 0; i < Index(gradient.size()); i += 5) {
            Problem<double> up = p, down = p;
            (up.*member)[i] += 1e-6;
            (down.*member)[i] -= 1e-6;
            const double difference = (loss(cell, up, weights, reverse) - loss(cell, down, weights, reverse)) / 2e-6;
            largest = std::fmax(largest, std::fabs(difference - gradient[i]));
        }
    };
    compare(&Problem<double>::projected, dgates);
    compare(&Problem<double>::h_0, dh);
    if (has_c(cell)) compare(&Problem<double>::c_0, dc);
    compare(&Problem<double>::vectors, of_vectors);
    return largest;
}

}  // namespace

bool check_products();

int main() {
    bool good = true;
    for (int i = 0; i < tier_count(); ++i) {
        if (!tier_supported(i)) continue;
        choose_tier(tier_name(i));
        good = check_products() && good;
        for (int number = 0; number < cell_count; ++number)
            for (const bool reverse : {false, true}) {
                const Cell cell = Cell(number);
                const Problem<double> p = problem(cell);
                const Run<double> precise(cell, p, reverse);
                const Run<float> single(cell, convert<float>(p), reverse);
                const double formula = largest_difference(precise.output, plain(cell, p, reverse));
                const double rounding =
                    largest_difference(Array<double>(single.output.begin(), single.output.end()), precise.output);
                const double gradient = gradient_error(cell, p, reverse);
                const bool fine = formula < 1e-12 && rounding < 2e-5 && gradient < 1e-6;
                good = good && fine;
                std::printf("%-7s cell %d %s: formula %.0e, float32 %.0e, gradient %.0e%s\n", tier(), int(cell),
                            reverse ? "reverse" : "forward", formula, rounding, gradient, fine ? "" : "  WRONG");
            }
    }
    return good ? 0 : 1;
}
