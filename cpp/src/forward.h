// The time loop forward: a group of rows from its first step to its last. Groups never meet.
//
// A step is the product of the state with the recurrent matrix, where a reset gate acts before the product a second one,
// and then the cell: row by row, and in a row block by block of units.

template <class Cell, class Real>
struct ForwardLoop {
    static constexpr int G = Cell::gates;
    const Forward<Real>& f;
    const Layout& l;
    const Group& group;
    const Index H, width, rows;
    const Part units;        // of this thread
    Real* const h;           // [rows, width]
    Real* const c;           // [rows, width] LSTM kinds
    Real* const products;    // [rows, G * width]
    Real* const reset;       // [rows, width] r h where a second product sees it
    Real* const normalised;  // [width] c as h sees it where that is normalised; shares the memory of `reset`
    Real* const entering;    // [rows, width] h as the product sees it; h itself without a mask
    Real* const paired;      // [rows, width / 2] of this thread, with bfloat16
    const Real* const projected_bias;  // [G, width]
    const Real* const product_bias;    // [G, width]

    ForwardLoop(const Forward<Real>& call, const Group& own, Real* workspace)
        : f(call),
          l(call.layout),
          group(own),
          H(l.hidden),
          width(padded<Real>(H)),
          rows(group.last - group.first),
          units(part_of(H, Lanes<Real>, group)),
          h(workspace),
          c(h + rows * width),
          products(c + rows * width),
          reset(products + rows * G * width),
          normalised(reset),
          entering(f.mask ? reset + rows * width : h),
          paired(f.bfloat16 ? reset + (2 + group.number * G) * rows * width : nullptr),
          projected_bias(f.panels + (Cell::product ? H : 0) * G * width),
          product_bias(projected_bias + G * width) {}

    void run() {
        enter();
        for (Index p = l.begin; p < l.end; ++p) {
            const Index t = step_at(l, p);
            const Index alive = alive_at(l, t, group);
            if (alive == 0) continue;
            group.wait();
            multiply_state(alive, p & 1);
            if constexpr (Cell::reset_before_product) multiply_reset_state(t, alive, p & 1);
            group.wait();
            for (Index r = 0; r < alive; ++r) advance(r, l.offsets[t] + group.first + r);
        }
        leave();
    }

    const Real* mask(Index r, Index unit) const { return f.mask + (group.first + r) * H + unit; }

    void enter() {
        const Index first = units.first, count = units.last - units.first;
        if (group.number == 0) clear(h, 2 * rows * width);
        group.wait();
        copy_rows(rows, count, f.h + group.first * H + first, H, h + first, width);
        if constexpr (Cell::has_c) copy_rows(rows, count, f.c + group.first * H + first, H, c + first, width);
        if (!f.mask) return;
        for (Index r = 0; r < rows; ++r)
            for_blocks<Real>(first, units.last, [&](Index unit, auto lanes) {
                const Index at = r * width + unit;
                store(entering + at, load(h + at) * lanes.get(mask(r, unit)));
            });
    }

    void leave() {
        const Index first = units.first, count = units.last - units.first;
        copy_rows(rows, count, h + first, width, f.h + group.first * H + first, H);
        if constexpr (Cell::has_c) copy_rows(rows, count, c + first, width, f.c + group.first * H + first, H);
    }

    void multiply_state(Index alive, bool backwards) {
        if constexpr (Cell::product)
            multiply<false>(group, alive, H, first_gates<Cell> * width, entering, width, f.panels, products, G * width,
                            backwards, paired);
    }

    // The product of the last gate sees r h: first the reset gate, then that product.
    void multiply_reset_state(Index t, Index alive, bool backwards) {
        for (Index r = 0; r < alive; ++r) {
            const Index place = l.offsets[t] + group.first + r - l.offsets[l.begin];
            const Real* const gates = f.gates + place * G * f.gate_width;
            for_blocks<Real>(H, [&](Index unit, auto lanes) {
                const Vector<Real> a = lanes.get(gates + unit) + load(projected_bias + unit) +
                                       load(products + r * G * width + unit);
                store(reset + r * width + unit, sigmoid(a) * load(entering + r * width + unit));
            });
        }
        constexpr int first = first_gates<Cell>;
        multiply<false>(group, alive, H, width, reset, width, f.panels + H * first * width, products + first * width,
                        G * width, backwards, paired);
    }

    // One row by one step: from its products to its new state.
    void advance(Index r, Index element) {
        const Normalised<Cell> at{H};
        Real* const gates = f.gates + (element - l.offsets[l.begin]) * G * f.gate_width;
        Real* const reserve = f.keep && f.reserve ? f.reserve + element * at.reserve_width() : nullptr;
        if constexpr (Cell::normalised_together > 0)
            normalise_row<Cell>(products + r * G * width, width, gates, f.gate_width, c + r * width, f.vectors, H,
                                normalised, reserve);
        for_blocks<Real>(units.first, units.last, [&](Index unit, auto lanes) {
            advance_block(r, element, gates, reserve, unit, lanes);
        });
    }

    template <class LanesOfBlock>
    void advance_block(Index r, Index element, Real* gates, Real* reserve, Index unit, LanesOfBlock lanes) {
        const Index at = r * width + unit;
        Vector<Real> product[G], projected[G], gate[G];
        for (int g = 0; g < G; ++g) {
            const Index k = g * width + unit;
            product[g] = Cell::product ? load(products + r * G * width + k) : Vector<Real>{};
            if (Cell::linear_before_reset) product[g] += load(product_bias + k);
            projected[g] = lanes.get(gates + g * f.gate_width + unit) + load(projected_bias + k);
        }
        const UnitVectors<Cell, Real> vectors(f.vectors, H, unit, lanes);
        Block<Real> s;
        s.h_before = load(h + at);
        if constexpr (!Cell::product) s.entering = load(entering + at);
        if constexpr (Cell::has_c) s.c_before = load(c + at);
        if constexpr (Normalised<Cell>::of_c) s.reserve = lanes.get(normalised + unit);

        Cell::template forward<Real>(product, projected, vectors.values, gate, s);

        if (f.zoneout_h) s.h = zoned<Real>(s.h, s.h_before, lanes.get(f.zoneout_h + element * H + unit));
        store(h + at, s.h);
        lanes.put(f.output + element * H + unit, s.h);
        if (f.mask) store(entering + at, s.h * lanes.get(mask(r, unit)));
        if constexpr (Cell::has_c) {
            if (f.zoneout_c) s.c = zoned<Real>(s.c, s.c_before, lanes.get(f.zoneout_c + element * H + unit));
            store(c + at, s.c);
        }
        if (!f.keep) return;
        if constexpr (Cell::keeps_gates)
            for (int g = 0; g < G; ++g) lanes.put(gates + g * f.gate_width + unit, gate[g]);
        if constexpr (Cell::has_c || Cell::has_reserve) lanes.put(reserve + unit, Cell::has_c ? s.c : s.reserve);
    }
};

template <class Cell, class Real>
void forward_rows(const Forward<Real>& call, const Group& group, Real* workspace) {
    ForwardLoop<Cell, Real>(call, group, workspace).run();
}
