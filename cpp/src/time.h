// What the time loops share: which rows a step has, how a layer's weights are packed, a block's own numbers.

// Rows of the group that have a step t.
inline Index alive_at(const Layout& l, Index t, const Group& group) {
    if (t < 0 || t >= l.steps || l.batch_sizes[t] <= group.first) return 0;
    return least(l.batch_sizes[t], group.last) - group.first;
}

// The step that is processed at place p of the piece.
inline Index step_at(const Layout& l, Index p) { return l.reverse ? l.begin + l.end - 1 - p : p; }

// Gates of the first product: all, but of a cell whose reset gate acts before the product of its last gate.
template <class Cell>
constexpr int first_gates = Cell::reset_before_product ? Cell::gates - 1 : Cell::gates;

// A bias joins the input's part of a gate. In a gate that reads the product by itself b_hh stays with the product.
template <class Cell, class Real>
void pack_biases(const Real* bias_ih, const Real* bias_hh, Index H, Real* of_projected, Real* of_product) {
    const Index width = padded<Real>(H);
    for (int g = 0; g < Cell::gates; ++g) {
        const bool apart = Cell::linear_before_reset && g == Cell::gates - 1;
        for (Index unit = 0; unit < width; ++unit) {
            const Index j = g * H + unit;
            const Index k = g * width + unit;
            const Real of_input = bias_ih && unit < H ? bias_ih[j] : 0;
            const Real of_state = bias_hh && unit < H ? bias_hh[j] : 0;
            of_projected[k] = apart ? of_input : of_input + of_state;
            of_product[k] = apart ? of_state : 0;
        }
    }
}

template <class Cell, class Real>
void pack_forward(Index H, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels, Share share,
                  Real* whole) {
    constexpr int first = first_gates<Cell>;
    const Index width = padded<Real>(H);
    if constexpr (Cell::product) pack_transposed(weight_hh, first, H, H, panels, share, whole);
    if constexpr (Cell::reset_before_product)
        pack_transposed(weight_hh + first * H * H, 1, H, H, panels + H * first * width, share, whole);
    if (share.number != 0) return;
    const Index columns = Cell::gates * width;
    Real* const biases = panels + (Cell::product ? H : 0) * columns;
    pack_biases<Cell>(bias_ih, bias_hh, H, biases, biases + columns);
}

template <class Cell, class Real>
void pack_backward(Index H, const Real* weight_hh, Real* panels, Share share, Real* whole) {
    constexpr int first = first_gates<Cell>;
    if constexpr (Cell::product) pack(weight_hh, first * H, H, panels, share, whole);
    if constexpr (Cell::reset_before_product)
        pack(weight_hh + first * H * H, H, H, panels + first * H * padded<Real>(H), share, whole);
}

template <class Cell, class Real>
void pack_input(Index H, Index input, const Real* weight_ih, Real* panels, Share share) {
    pack_transposed(weight_ih, Cell::gates, H, input, panels, share);
}

template <class Cell, class Real>
void project(Index H, Index input, Index rows, const Real* x, const Real* panels, Real* projected) {
    const Index columns = Cell::gates * padded<Real>(H);
    multiply<false>(rows, input, columns, x, input, panels, projected, columns);
}

// The numbers of a cell's vectors for one block of units.
template <class Cell, class Real>
struct UnitVectors {
    Vector<Real> values[Cell::vectors > 0 ? Cell::vectors : 1];

    template <class LanesOfBlock>
    UnitVectors(const Real* vectors, Index H, Index unit, LanesOfBlock lanes) {
        for (int u = 0; u < Cell::vectors; ++u) values[u] = lanes.get(vectors + u * H + unit);
    }
};
