// The time loop back: a group of rows from its last step to its first. Groups never meet.
//
// A step is the cell's derivative, row by row and block by block of units; where a reset gate acts before the product, the
// way through that gate; and the way through the recurrent product to the state before. Zoneout, a mask and the record
// of norms change a few lines of each; what they do stands in a function of its own.

// What the loop needs of one row at one step.
template <class Real>
struct Element {
    Index r;                   // the row, in the group
    Index row;                 // and in the batch
    Index element;             // [N]
    Index place;               // [M], in the piece
    const Real* h_before;      // [H]
    const Real* c_before;      // [H] LSTM kinds
    const Real* reserve;       // [K]
    Real* dvectors;            // [U, H], or null
};

// |dL/dh|, |dL/dc| and |dgates| of an element.
template <class Real>
struct Norms {
    Norm<Real> of_dh, of_dc, of_dgates;
    void put(Real* norms) const { norms[0] = of_dh.value(), norms[1] = of_dc.value(), norms[2] = of_dgates.value(); }
};

// Zoneout hands a share of the gradient to the old value, past the cell. The products stand where they are added, so that
// each sum is rounded once.
template <class Cell, class Real>
struct ZoneoutShare {
    Vector<Real> dh, dc;  // before the share is taken
    Vector<Real> of_h = {}, of_c = {};

    template <class LanesOfBlock>
    ZoneoutShare(const Backward<Real>& b, Index at, LanesOfBlock lanes, BlockGradient<Real>& d) : dh(d.dh), dc(d.dc) {
        if (!b.zoneout_h) return;
        of_h = lanes.get(b.zoneout_h + at);
        d.dh -= of_h * dh;
        if constexpr (Cell::has_c) {
            of_c = lanes.get(b.zoneout_c + at);
            d.dc -= of_c * dc;
        }
    }

    void add_to(const Backward<Real>& b, BlockGradient<Real>& d) const {
        if (!b.zoneout_h) return;
        d.dh_before += of_h * dh;
        if constexpr (Cell::has_c) d.dc_before += of_c * dc;
    }
};

template <class Cell, class Real>
struct BackwardLoop {
    static constexpr int G = Cell::gates;
    static constexpr int U = Cell::vectors;
    static constexpr bool is_normalised = Cell::normalised_together > 0;
    const Backward<Real>& b;
    const Layout& l;
    const Group& group;
    const Index H, width, rows;
    const Part units;        // of this thread
    Real* const dh;          // [rows, width] gradient that has reached each row's state
    Real* const dc;          // [rows, width] LSTM kinds
    Real* dproducts;         // [rows, G * H]; an output where the cell is normalised
    Real* const dreset;      // [rows, width] of r h where a second product sees it
    Real* const dentering;   // [rows, width] of h as the product sees it
    Real* const dc_by_h;     // [width] of c by way of h where h sees it normalised; shares the memory of `dreset`
    Real* const normalised;  // [width] that c; shares the memory of `dentering`
    Real* const paired;      // of this thread, with bfloat16

    BackwardLoop(const Backward<Real>& call, const Group& own, Real* workspace)
        : b(call),
          l(call.layout),
          group(own),
          H(l.hidden),
          width(padded<Real>(H)),
          rows(group.last - group.first),
          units(part_of(H, Lanes<Real>, group)),
          dh(workspace),
          dc(dh + rows * width),
          dproducts(dc + rows * width),
          dreset(dproducts + rows * G * width),
          dentering(dreset + rows * width),
          dc_by_h(dreset),
          normalised(dentering),
          paired(b.bfloat16 ? dentering + (1 + group.number * G) * rows * width : nullptr) {}

    void run() {
        enter();
        for (Index p = l.end - 1; p >= l.begin; --p) {
            const Index t = step_at(l, p);
            const Index alive = alive_at(l, t, group);
            if constexpr (is_normalised) dproducts = b.dreserve + (l.offsets[t] + group.first - l.offsets[l.begin]) * G * H;
            for (Index r = 0; r < alive; ++r) return_row(element_at(t, r));
            if constexpr (Cell::reset_before_product) return_through_reset(t, alive, p & 1);
            if constexpr (Cell::product) return_through_product(alive, p & 1);
            if (b.clip > 0) clip(alive);
        }
        leave();
    }

    void enter() {
        const Index first = units.first, count = units.last - units.first;
        if (group.number == 0) clear(dh, 2 * rows * width);
        group.wait();
        copy_rows(rows, count, b.dh + group.first * H + first, H, dh + first, width);
        if constexpr (Cell::has_c) copy_rows(rows, count, b.dc + group.first * H + first, H, dc + first, width);
    }

    void leave() {
        const Index first = units.first, count = units.last - units.first;
        copy_rows(rows, count, dh + first, width, b.dh + group.first * H + first, H);
        if constexpr (Cell::has_c) copy_rows(rows, count, dc + first, width, b.dc + group.first * H + first, H);
    }

    Element<Real> element_at(Index t, Index r) const {
        const Normalised<Cell> at{H};
        const Index before = l.reverse ? t + 1 : t - 1;
        const Index row = group.first + r;
        const Index element = l.offsets[t] + row;
        const bool inside = r < alive_at(l, before, group);  // else the state before is the first one
        const Index from = inside ? l.offsets[before] + row : row;
        Element<Real> e = {r, row, element, element - l.offsets[l.begin], nullptr, nullptr, nullptr, nullptr};
        e.h_before = (inside ? b.output : b.h_0) + from * H;
        if constexpr (Cell::has_c) e.c_before = inside ? b.reserve + from * at.reserve_width() : b.c_0 + from * H;
        if (b.reserve) e.reserve = b.reserve + element * at.reserve_width();
        if (b.dvectors) e.dvectors = b.dvectors + row * at.vectors();
        return e;
    }

    // From the gradient of one row's state to that of its gates, and to what goes straight to the state before.
    void return_row(const Element<Real>& e) {
        Norms<Real> norms;
        if constexpr (Normalised<Cell>::of_c) return_through_normalised_c(e);
        for_blocks<Real>(units.first, units.last,
                         [&](Index unit, auto lanes) { return_block(e, unit, lanes, norms); });
        if constexpr (is_normalised) return_through_normalised_row(e, norms);
        if (b.norms) norms.put(b.norms + e.element * 3);
    }

    template <class LanesOfBlock>
    void return_block(const Element<Real>& e, Index unit, LanesOfBlock lanes, Norms<Real>& norms) {
        const Index at = e.r * width + unit;         // in the workspace
        const Index of_state = e.element * H + unit;  // in the output and what has its shape
        const Index of_gates = e.place * G * H + unit;
        Vector<Real> gate[G], dgate[G], dvector[U > 0 ? U : 1];
        const UnitVectors<Cell, Real> vectors(b.vectors, H, unit, lanes);
        Block<Real> s;
        BlockGradient<Real> d = {};
        d.dh = load(dh + at);
        if (b.arrived) lanes.put(b.arrived + of_state, d.dh);
        if (b.doutput) d.dh += lanes.get(b.doutput + of_state);
        if constexpr (Cell::keeps_gates)
            for (int g = 0; g < G; ++g) gate[g] = lanes.get(b.gates + (e.element * G + g) * H + unit);
        if constexpr (Cell::has_reserve) s.reserve = lanes.get(e.reserve + unit);
        if constexpr (Cell::has_c) {
            d.dc = load(dc + at);
            if (b.arrived) lanes.put(b.arrived_c + of_state, d.dc);
            s.c_before = lanes.get(e.c_before + unit);
        }
        s.h_before = lanes.get(e.h_before + unit);
        s.h = lanes.get(b.output + of_state);
        if constexpr (!Cell::product)
            s.entering = b.mask ? s.h_before * lanes.get(b.mask + e.row * H + unit) : s.h_before;
        const ZoneoutShare<Cell, Real> zoneout(b, of_state, lanes, d);
        if constexpr (Normalised<Cell>::of_c) {
            d.dc += lanes.get(dc_by_h + unit);
            s.reserve = lanes.get(normalised + unit);
        }

        Cell::template backward<Real>(gate, vectors.values, s, d, dgate, dvector);

        for (int g = 0; g < G; ++g) {
            lanes.put(b.dgates + of_gates + g * H, dgate[g]);
            const bool apart = Cell::linear_before_reset && g == G - 1;
            if constexpr (Cell::product) lanes.put(dproducts + (e.r * G + g) * H + unit, apart ? d.dlinear : dgate[g]);
        }
        if constexpr (Cell::linear_before_reset && !is_normalised) lanes.put(b.dreserve + e.place * H + unit, d.dlinear);
        for (int u = 0; u < U; ++u) {
            Real* const sum = e.dvectors + u * H + unit;
            lanes.put(sum, lanes.get(sum) + dvector[u]);
        }
        if constexpr (!Cell::product)
            d.dh_before += b.mask ? d.dentering * lanes.get(b.mask + e.row * H + unit) : d.dentering;
        zoneout.add_to(b, d);
        store(dh + at, d.dh_before);
        if constexpr (Cell::has_c) store(dc + at, d.dc_before);
        if (!b.norms) return;
        norms.of_dh.add(zoneout.dh);
        if constexpr (Cell::has_c) norms.of_dc.add(d.dc_total);
        for (int g = 0; g < G && !is_normalised; ++g) norms.of_dgates.add(dgate[g]);
    }

    // What of the gradient of h reaches c by way of its normalisation.
    void return_through_normalised_c(const Element<Real>& e) {
        const auto dh_inside = [&](Index unit, auto lanes) {
            const Index of_state = e.element * H + unit;
            Vector<Real> d = lanes.get(dh + e.r * width + unit);
            if (b.doutput) d += lanes.get(b.doutput + of_state);
            if (b.zoneout_h) d -= lanes.get(b.zoneout_h + of_state) * d;
            return d;
        };
        normalised_c_backward<Cell>(b.gates + e.element * G * H, b.vectors, e.reserve, H, dh_inside, dc_by_h, normalised,
                                    e.dvectors);
    }

    // From the gradients of the normalised sums to those of W_ih x and W_hh h.
    void return_through_normalised_row(const Element<Real>& e, Norms<Real>& norms) {
        Real* const dproduct = dproducts + e.r * G * H;
        normalised_row_backward<Cell>(b.dgates + e.place * G * H, dproduct, b.vectors, e.reserve, H, e.dvectors);
        if (b.norms)
            for_blocks<Real>(G * H, [&](Index i, auto lanes) { norms.of_dgates.add(lanes.get(dproduct + i)); });
    }

    // The last gate's product has seen r h: from its gradient to those of the reset gate and of h.
    void return_through_reset(Index t, Index alive, bool backwards) {
        constexpr int first = first_gates<Cell>;
        multiply<false>(group, alive, H, width, dproducts + first * H, G * H, b.panels + first * H * width, dreset, width,
                        backwards, paired);
        for (Index r = 0; r < alive; ++r) {
            const Element<Real> e = element_at(t, r);
            Norm<Real> of_dgate;
            for_blocks<Real>(H, [&](Index unit, auto lanes) {
                const Index at = r * width + unit;
                const Vector<Real> gate = lanes.get(b.gates + e.element * G * H + unit);
                const Vector<Real> mask = b.mask ? lanes.get(b.mask + e.row * H + unit) : Vector<Real>{} + Real(1);
                const Vector<Real> d = load(dreset + at), h = lanes.get(e.h_before + unit);
                const Vector<Real> dgate = d * h * mask * gate * (Real(1) - gate);
                lanes.put(b.dgates + e.place * G * H + unit, dgate);
                lanes.put(dproducts + r * G * H + unit, dgate);
                store(dh + at, load(dh + at) + d * gate * mask);
                if (b.norms) of_dgate.add(dgate);
            });
            if (b.norms) {
                Real& norm = b.norms[e.element * 3 + 2];
                const double others = norm, own = of_dgate.value();
                norm = Real(__builtin_sqrt(others * others + own * own));
            }
        }
    }

    // The gradient of the products, by way of the recurrent matrix, to the state before.
    void return_through_product(Index alive, bool backwards) {
        constexpr int first = first_gates<Cell>;
        group.wait();
        if (!b.mask) {
            multiply<true>(group, alive, first * H, width, dproducts, G * H, b.panels, dh, width, backwards, paired);
            group.wait();
            return;
        }
        multiply<false>(group, alive, first * H, width, dproducts, G * H, b.panels, dentering, width, backwards, paired);
        group.wait();
        for (Index r = 0; r < alive; ++r)
            for_blocks<Real>(units.first, units.last, [&](Index unit, auto lanes) {
                const Index at = r * width + unit;
                const Vector<Real> mask = lanes.get(b.mask + (group.first + r) * H + unit);
                store(dh + at, load(dh + at) + load(dentering + at) * mask);
            });
    }

    void clip(Index alive) {
        for (Index r = 0; r < alive; ++r)
            for_blocks<Real>(units.first, units.last, [&](Index unit, auto lanes) {
                Real* const d = dh + r * width + unit;
                lanes.put(d, at_least(at_most(lanes.get(d), b.clip), -b.clip));
            });
    }
};

template <class Cell, class Real>
void backward_rows(const Backward<Real>& call, const Group& group, Real* workspace) {
    BackwardLoop<Cell, Real>(call, group, workspace).run();
}
