// One step of time for a stream: nothing is prepared, the weights are read where they are.

template <class Cell, class Real>
void step_rows(const Step<Real>& s, const Real* h_before, Index first, Index last, Real* workspace) {
    constexpr int G = Cell::gates;
    const Index H = s.hidden, width = padded<Real>(H);
    Real* const projected_bias = workspace;                 // [G, width]
    Real* const product_bias = projected_bias + G * width;  // [G, width]
    Real* const projections = product_bias + G * width;     // [G, width]
    Real* const products = projections + G * width;         // [G, width]
    Real* const reset = products + G * width;               // [width] r h where a second product sees it
    Real* const normalised = reset;                         // [width] c as h sees it where that is normalised
    pack_biases<Cell>(s.bias_ih, s.bias_hh, H, projected_bias, product_bias);
    clear(projections, 2 * G * width);
    for (Index row = 0; row < s.batch; ++row) {
        const Real* h = h_before + row * H;
        for (int g = 0; g < G; ++g) {
            if (Cell::reset_before_product && g == G - 1) {
                for_blocks<Real>(H, [&](Index unit, auto lanes) {
                    const Vector<Real> a = load(projections + unit) + load(products + unit);
                    store(reset + unit, sigmoid(a) * lanes.get(h + unit));
                });
                h = reset;
            }
            for (Index unit = first; unit < last; ++unit) {
                const Index j = g * H + unit, k = g * width + unit;
                projections[k] = dot(s.weight_ih + j * s.input, s.x + row * s.input, s.input) + projected_bias[k];
                products[k] = product_bias[k];
                if constexpr (Cell::product) products[k] += dot(s.weight_hh + j * H, h, H);
            }
        }
        if constexpr (Cell::normalised_together > 0)
            normalise_row<Cell, Real>(products, width, projections, width, Cell::has_c ? s.c + row * H : nullptr, s.vectors,
                                      H, normalised, nullptr);
        for_blocks<Real>(last - first, [&](Index block, auto lanes) {
            const Index unit = first + block;
            Vector<Real> product[G], projected[G], gate[G];
            for (int g = 0; g < G; ++g) {
                product[g] = load(products + g * width + unit);
                projected[g] = load(projections + g * width + unit);
            }
            const UnitVectors<Cell, Real> vectors(s.vectors, H, unit, lanes);
            Block<Real> state;
            state.entering = state.h_before = lanes.get(h_before + row * H + unit);
            if constexpr (Cell::has_c) state.c_before = lanes.get(s.c + row * H + unit);
            if constexpr (Normalised<Cell>::of_c) state.reserve = lanes.get(normalised + unit);
            Cell::template forward<Real>(product, projected, vectors.values, gate, state);
            lanes.put(s.h + row * H + unit, state.h);
            if constexpr (Cell::has_c) lanes.put(s.c + row * H + unit, state.c);
        });
    }
}
