// The Python module elman.ops._kernels. Arrays cross as addresses (a DLPack exchange costs 4 us a tensor, more than a
// whole step); elman.ops.kernels and its neighbours check types, sizes and layout before. 0 stands for null.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>

#include "elman/cross_entropy.h"
#include "elman/fork.h"
#include "elman/gemm.h"
#include "elman/memory.h"
#include "elman/recurrent.h"
#include "ending.h"

namespace nb = nanobind;
using elman::Index;
using Address = std::uintptr_t;

namespace {

template <class T>
T* at(Address address) { return reinterpret_cast<T*>(address); }

// The layout, made once for all calls of a sequence.
struct Layout : elman::Layout {
    Layout(Address batch_sizes, Address offsets, Index steps, Index batch, Index hidden, bool reverse)
        : elman::Layout{at<const Index>(batch_sizes), at<const Index>(offsets), steps, 0, steps, batch, hidden, reverse} {}
    elman::Layout piece(Index from, Index to) const {
        elman::Layout part = *this;
        part.begin = from, part.end = to;
        return part;
    }
};

bool lay_out(Index steps, Address batch_sizes, Index elements, Index batch, Address offsets) {
    return elman::lay_out(steps, at<const Index>(batch_sizes), elements, batch, at<Index>(offsets));
}

template <class Real>
void pack_forward(int cell, int threads, bool bfloat16, Index hidden, Address weight_hh, Address bias_ih, Address bias_hh,
                  Address panels) {
    elman::pack_forward<Real>(elman::Cell(cell), hidden, at<const Real>(weight_hh), at<const Real>(bias_ih),
                              at<const Real>(bias_hh), at<Real>(panels), threads, bfloat16);
}

template <class Real>
void pack_backward(int cell, int threads, bool bfloat16, Index hidden, Address weight_hh, Address panels) {
    elman::pack_backward<Real>(elman::Cell(cell), hidden, at<const Real>(weight_hh), at<Real>(panels), threads, bfloat16);
}

template <class Real>
void forward(int cell, int threads, bool bfloat16, const Layout& layout, Index begin, Index end, Address panels, Address gates,
             Address inner, Address output, Address h, Address c, Address vectors, Address mask, Address zoneout_h,
             Address zoneout_c, bool keep) {
    const WithoutGil without_gil;
    elman::forward<Real>(elman::Cell(cell),
                         {layout.piece(begin, end), at<const Real>(panels), at<Real>(gates), layout.hidden, keep,
                          at<Real>(inner), at<Real>(output), at<Real>(h), at<Real>(c), at<const Real>(vectors),
                          at<const Real>(mask), at<const Real>(zoneout_h), at<const Real>(zoneout_c), bfloat16},
                         threads);
}

template <class Real>
void backward(int cell, int threads, bool bfloat16, const Layout& layout, Index begin, Index end, Address panels, Address h_0,
              Address c_0, Address output, Address gates, Address inner, Address doutput, Address dgates,
              Address dinner, Address dh, Address dc, Address vectors, Address mask, Address zoneout_h,
              Address zoneout_c, Address dvectors, Address norms, Address arrived, Address arrived_c, double clip) {
    const WithoutGil without_gil;
    elman::backward<Real>(elman::Cell(cell),
                          {layout.piece(begin, end), at<const Real>(panels), at<const Real>(h_0), at<const Real>(c_0),
                           at<const Real>(output), at<const Real>(gates), at<const Real>(inner), at<const Real>(doutput),
                           at<Real>(dgates), at<Real>(dinner), at<Real>(dh), at<Real>(dc), at<const Real>(vectors),
                           at<const Real>(mask), at<const Real>(zoneout_h), at<const Real>(zoneout_c),
                           at<Real>(dvectors), Real(clip), at<Real>(norms), at<Real>(arrived), at<Real>(arrived_c),
                           bfloat16},
                          threads);
}

template <class Real>
void states_before(int threads, const Layout& layout, Index begin, Index end, Address output, Address h_0,
                   Address before) {
    const WithoutGil without_gil;
    elman::states_before<Real>(layout.piece(begin, end), at<const Real>(output), at<const Real>(h_0), at<Real>(before),
                               threads);
}

template <class Real>
void sequence(int cell, int threads, Index steps, Index batch, Index input, Index hidden, bool reverse, Address x,
              Address weight_ih, Address weight_hh, Address bias_ih, Address bias_hh, Address output, Address h,
              Address c, Address vectors) {
    const WithoutGil without_gil;
    elman::sequence<Real>(elman::Cell(cell),
                          {steps, batch, input, hidden, reverse, at<const Real>(x), at<const Real>(weight_ih),
                           at<const Real>(weight_hh), at<const Real>(bias_ih), at<const Real>(bias_hh),
                           at<Real>(output), at<Real>(h), at<Real>(c), at<const Real>(vectors)},
                          threads);
}

template <class Real>
void step(int cell, int threads, Index batch, Index input, Index hidden, Address x, Address weight_ih, Address weight_hh,
          Address bias_ih, Address bias_hh, Address h, Address c, Address vectors) {
    elman::step<Real>(elman::Cell(cell),
                      {batch, input, hidden, at<const Real>(x), at<const Real>(weight_ih), at<const Real>(weight_hh),
                       at<const Real>(bias_ih), at<const Real>(bias_hh), at<Real>(h), at<Real>(c),
                       at<const Real>(vectors)},
                      threads);
}

template <class Real>
void gemm(int threads, Index rows, Index columns, Index depth, Address a, Index a_row, Index a_column, Address b,
          Index b_row, Index b_column, Address c, Index c_row, bool accumulate, bool bfloat16) {
    const WithoutGil without_gil;
    elman::gemm<Real>({rows, columns, depth, at<const Real>(a), a_row, a_column, at<const Real>(b), b_row, b_column,
                       at<Real>(c), c_row, accumulate, bfloat16},
                      threads);
}

template <class Real>
void cross_entropy(int threads, Index rows, Index columns, Address scores, Address bias, Address target, Address losses,
                   bool gradient) {
    const WithoutGil without_gil;
    elman::cross_entropy<Real>({rows, columns, at<Real>(scores), at<const Real>(bias), at<const Index>(target),
                                at<Real>(losses), gradient},
                               threads);
}

elman::Padded padded(Address data, Address order, Index steps, Index row_stride, Index step_stride) {
    return {at<char>(data), at<const Index>(order), steps, row_stride, step_stride};
}

void pad(int threads, const Layout& layout, Index bytes, Address data, Address to, Address order, Index steps,
         Index row_stride, Index step_stride) {
    const WithoutGil without_gil;
    elman::pad(layout, at<const char>(data), padded(to, order, steps, row_stride, step_stride), bytes, threads);
}

void unpad(int threads, const Layout& layout, Index bytes, Address data, Address from, Address order, Index steps,
           Index row_stride, Index step_stride) {
    const WithoutGil without_gil;
    elman::unpad(layout, at<char>(data), padded(from, order, steps, row_stride, step_stride), bytes, threads);
}

nb::list supported_tiers() {
    nb::list names;
    for (int i = 0; i < elman::tier_count(); ++i)
        if (elman::tier_supported(i)) names.append(elman::tier_name(i));
    return names;
}

// A torch tensor in a kept block, which goes back when the last tensor on it is gone.
template <class Real>
nb::ndarray<nb::pytorch, Real, nb::ndim<2>> block(std::size_t rows, std::size_t columns) {
    void* const memory = elman::take_block(rows * columns * sizeof(Real));
    const nb::capsule owner(memory, [](void* p) noexcept { elman::give_back_block(p); });
    return {static_cast<Real*>(memory), {rows, columns}, owner};
}

template <class Real>
void define(nb::module_& m, const std::string& type) {
    m.def(("panels_size_" + type).c_str(),
          [](int cell, Index hidden) { return elman::panels_size<Real>(elman::Cell(cell), hidden); });
    m.def(("pack_forward_" + type).c_str(), pack_forward<Real>);
    m.def(("pack_backward_" + type).c_str(), pack_backward<Real>);
    m.def(("forward_" + type).c_str(), forward<Real>);
    m.def(("backward_" + type).c_str(), backward<Real>);
    m.def(("states_before_" + type).c_str(), states_before<Real>);
    m.def(("sequence_" + type).c_str(), sequence<Real>);
    m.def(("step_" + type).c_str(), step<Real>);
    m.def(("gemm_" + type).c_str(), gemm<Real>);
    m.def(("cross_entropy_" + type).c_str(), cross_entropy<Real>);
    m.def(("block_" + type).c_str(), block<Real>);
}

}  // namespace

NB_MODULE(_kernels, m) {
    elman::end_pool_before_fork();
    rest_where_the_interpreter_ends();
    nb::set_leak_warnings(false);  // a thread that rests at the end holds on to what it works with
    nb::class_<Layout>(m, "Layout").def(nb::init<Address, Address, Index, Index, Index, bool>());
    m.def("lay_out", lay_out);
    m.def("pad", pad);
    m.def("unpad", unpad);
    define<float>(m, "f32");
    define<double>(m, "f64");
    m.def("idle_block_bytes", elman::idle_block_bytes);
    m.def("free_idle_blocks", elman::free_idle_blocks);
    m.def("outruns_mkl", elman::outruns_mkl);
    m.def("multiplies_bfloat16", elman::multiplies_bfloat16);
    m.def("tier", elman::tier);
    m.def("supported_tiers", supported_tiers);
    m.def("choose_tier", elman::choose_tier);
}
