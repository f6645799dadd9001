// The contract of the recurrent kernels: one layer, one direction, over a ragged batch, on the CPU.
//
// Letters: T steps, B rows, H hidden size, G gates, U vectors of the cell, N elements (sum of the rows' lengths).
// All arrays are dense, row-major and owned by the caller; nothing is kept after a call. A pointer that does not apply
// to the cell is null. Rows are independent: no result depends on the other rows or on the number of threads.
//
// A normalised cell has its gains and biases in `vectors`: gains of W_ih x and of W_hh h [G, H], biases of both likewise,
// gain and bias of an LSTM's c. What an element keeps in `inner` is K numbers: H, but of a normalised cell (2 G + S) H + 4,
// S = 2 for the LSTM and 1 for the GRU: what the plain cell keeps, W_ih x, W_hh h and c normalised, and four scales.
#pragma once

#include <cstdint>

namespace elman {

using Index = std::int64_t;

enum class Cell {
    rnn_tanh, rnn_relu, lstm, gru, leaky_tanh, leaky_relu, indrnn_tanh, indrnn_relu, peephole, coupled, min_gru, min_lstm,
    gru_before, layer_lstm, layer_gru
};
constexpr int cell_count = 15;

struct Traits {
    int gates;                // G
    int vectors;              // U, numbers per unit beside the matrices: leak, peepholes, ...
    bool product;             // has a recurrent matrix
    bool normalised = false;  // has layer normalisation
};

constexpr Traits traits_of(Cell cell) {
    switch (cell) {
        case Cell::rnn_tanh: case Cell::rnn_relu: return {1, 0, true};
        case Cell::lstm: return {4, 0, true};
        case Cell::gru: case Cell::gru_before: return {3, 0, true};
        case Cell::layer_lstm: return {4, 18, true, true};
        case Cell::layer_gru: return {3, 12, true, true};
        case Cell::leaky_tanh: case Cell::leaky_relu: return {1, 1, true};
        case Cell::indrnn_tanh: case Cell::indrnn_relu: return {1, 1, false};
        case Cell::peephole: return {4, 3, true};
        case Cell::coupled: return {3, 0, true};
        case Cell::min_gru: return {2, 0, false};
        case Cell::min_lstm: return {3, 0, false};
    }
    return {};
}

constexpr int gates_of(Cell cell) { return traits_of(cell).gates; }

// Where the rows lie: sorted by length, longest first; step 0 of every row, then step 1 of every row that has one, ...
// A call runs the steps [begin, end) only. A sequence may be run in pieces, in the order of processing, with the state
// carried from call to call; M is the number of elements of the piece, offsets[end] - offsets[begin].
struct Layout {
    const Index* batch_sizes;  // [T] rows that have a step t, never rising
    const Index* offsets;      // [T + 1] element of row 0 at step t; the last is N
    Index steps;               // T
    Index begin, end;          // the piece
    Index batch;               // B, rows of length zero included
    Index hidden;              // H
    bool reverse;              // read each row from its end
};

template <class Real>
struct Forward {
    Layout layout;
    const Real* panels;  // what pack_forward wrote
    Real* gates;         // [M, G*H] on entry W_ih x without bias; with `keep`, on return after their nonlinearity
    Index gate_width;    // H, or more where each gate of `gates` is padded to this width
    bool keep;           // write what a backward pass needs; the RNN's output is enough for it
    Real* inner;         // [N, K] with `keep`: c of the LSTM kinds, W_hn h + b_hn of the GRU, i / (f + i) of the minLSTM
    Real* output;        // [N, H]
    Real* h;             // [B, H] state before the piece on entry, after it on return
    Real* c;             // [B, H] LSTM kinds, likewise
    const Real* vectors = nullptr;    // [U, H]
    const Real* mask = nullptr;       // [B, H] multiplies h before it enters the product, or null
    const Real* zoneout_h = nullptr;  // [N, H] share of the old h that a unit keeps, or null; not for the RNN
    const Real* zoneout_c = nullptr;  // [N, H] likewise of c
    bool bfloat16 = false;            // as the panels were packed
};

template <class Real>
struct Backward {
    Layout layout;
    const Real* panels;   // what pack_backward wrote
    const Real* h_0;      // [B, H] as at the start of the whole sequence
    const Real* c_0;      // [B, H] LSTM kinds
    const Real* output;   // [N, H]
    const Real* gates;    // [N, G*H] as forward left them
    const Real* inner;    // [N, K]
    const Real* doutput;  // [N, H], or null for zero
    Real* dgates;         // [M, G*H] gradient of W_ih x
    Real* dinner;         // [M, H] GRU: gradient of `inner`; [M, G*H] normalised cells: of W_hh h
    Real* dh;             // [B, H] gradient of the state after the piece on entry, before it on return
    Real* dc;             // [B, H] LSTM kinds, likewise
    const Real* vectors = nullptr;  // these four as in Forward
    const Real* mask = nullptr;
    const Real* zoneout_h = nullptr;
    const Real* zoneout_c = nullptr;
    Real* dvectors = nullptr;  // [B, U, H] is added to
    Real clip = 0;             // largest absolute element of dh that is handed to the step before; 0 for no limit
    Real* norms = nullptr;     // [N, 3] |dL/dh|, |dL/dc| and |dgates| (normalised: |dinner|) of each element, or null
    Real* arrived = nullptr;   // [N, H] what of dL/dh came from later steps, or null
    Real* arrived_c = nullptr; // [N, H] likewise of c
    bool bfloat16 = false;     // as the panels were packed
};

// A whole small call in one: every row has all T steps, nothing is kept for a backward pass.
template <class Real>
struct Sequence {
    Index steps, batch, input, hidden;  // T, B, I, H
    bool reverse;
    const Real* x;          // [T, B, I]
    const Real* weight_ih;  // [G*H, I]
    const Real* weight_hh;  // [G*H, H]
    const Real* bias_ih;    // [G*H], or null
    const Real* bias_hh;    // [G*H], or null
    Real* output;           // [T, B, H]
    Real* h;                // [B, H] state before the first step on entry, after the last on return
    Real* c;                // [B, H] LSTM kinds, likewise
    const Real* vectors;    // [U, H]
};

// One step of time without any preparation, for streams: the weights are read where they are.
template <class Real>
struct Step {
    Index batch, input, hidden;  // B, I, H
    const Real* x;               // [B, I]
    const Real* weight_ih;       // [G*H, I]
    const Real* weight_hh;       // [G*H, H]
    const Real* bias_ih;         // [G*H], or null
    const Real* bias_hh;         // [G*H], or null
    Real* h;                     // [B, H] state before the step on entry, after it on return
    Real* c;                     // [B, H] LSTM kinds, likewise
    const Real* vectors;         // [U, H]
};

// Fills offsets and says whether batch_sizes describe `elements` elements of at most `batch` rows and never rise.
bool lay_out(Index steps, const Index* batch_sizes, Index elements, Index batch, Index* offsets);

// The recurrent matrix in the order in which the products read it, with the biases; packed once, for all pieces.
// With bfloat16 it is rounded to that, and so is what it is multiplied with; sums stay float32. Without effect where
// multiplies_bfloat16() (gemm.h) is false, and of float64.
template <class Real>
Index panels_size(Cell cell, Index hidden);  // in elements, of either
template <class Real>
void pack_forward(Cell cell, Index hidden, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels,
                  int threads, bool bfloat16 = false);
template <class Real>
void pack_backward(Cell cell, Index hidden, const Real* weight_hh, Real* panels, int threads, bool bfloat16 = false);

template <class Real>
void forward(Cell cell, const Forward<Real>& arguments, int threads);
template <class Real>
void backward(Cell cell, const Backward<Real>& arguments, int threads);
template <class Real>
void sequence(Cell cell, const Sequence<Real>& arguments, int threads);
template <class Real>
void step(Cell cell, const Step<Real>& arguments, int threads);

// The state before each element's step [M, H]: the output of the step before, or h_0. For the gradient of weight_hh.
template <class Real>
void states_before(const Layout& layout, const Real* output, const Real* h_0, Real* before, int threads);

// A padded tensor beside the ragged layout: its rows in the caller's order, its strides in bytes.
struct Padded {
    char* data;
    const Index* order;  // [B] row b of the layout is row order[b] here
    Index steps;         // of the padded tensor, at least T
    Index row_stride, step_stride;
};

// Copies elements of `bytes` bytes each between both; pad writes zeros beyond a row's length.
void pad(const Layout& layout, const char* data, const Padded& padded, Index bytes, int threads);
void unpad(const Layout& layout, char* data, const Padded& padded, Index bytes, int threads);

// The instruction set in use: the best that processor and operating system allow, unless one was chosen.
const char* tier();
int tier_count();
const char* tier_name(int index);       // slowest first
bool tier_supported(int index);
bool choose_tier(const char* name);     // false: unknown or not supported here

}  // namespace elman
