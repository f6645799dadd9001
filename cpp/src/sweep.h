// The time loops: a group of rows forward from its first step to its last, and back. Groups never meet.

// Rows of the group that have a step t.
inline Index alive_at(const Layout& l, Index t, const Group& group) {
    if (t < 0 || t >= l.steps || l.batch_sizes[t] <= group.first) return 0;
    return least(l.batch_sizes[t], group.last) - group.first;
}

// A bias joins the input's part of a gate, but where the cell keeps the product apart b_hh stays with the product.
template <class Cell, class Real>
void pack_biases(const Real* bias_ih, const Real* bias_hh, Index H, Real* of_projected, Real* of_product) {
    const Index width = padded<Real>(H);
    for (int g = 0; g < Cell::gates; ++g) {
        const bool apart = Cell::last_product_apart && g == Cell::gates - 1;
        for (Index unit = 0; unit < width; ++unit) {
            const Index j = g * H + unit, k = g * width + unit;
            const Real input = bias_ih && unit < H ? bias_ih[j] : 0, state = bias_hh && unit < H ? bias_hh[j] : 0;
            of_projected[k] = apart ? input : input + state;
            of_product[k] = apart ? state : 0;
        }
    }
}

template <class Cell, class Real>
void pack_forward(Index H, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels, Share share,
                  Real* whole) {
    const Index columns = Cell::gates * padded<Real>(H);
    constexpr int first = Cell::resets ? Cell::gates - 1 : Cell::gates;  // gates of the first product
    if constexpr (Cell::product) pack_transposed(weight_hh, first, H, H, panels, share, whole);
    if constexpr (Cell::resets)
        pack_transposed(weight_hh + first * H * H, 1, H, H, panels + H * first * padded<Real>(H), share, whole);
    if (share.number != 0) return;
    Real* const biases = panels + (Cell::product ? H : 0) * columns;
    pack_biases<Cell>(bias_ih, bias_hh, H, biases, biases + columns);
}

template <class Cell, class Real>
void pack_backward(Index H, const Real* weight_hh, Real* panels, Share share, Real* whole) {
    constexpr int first = Cell::resets ? Cell::gates - 1 : Cell::gates;
    if constexpr (Cell::product) pack(weight_hh, first * H, H, panels, share, whole);
    if constexpr (Cell::resets) pack(weight_hh + first * H * H, H, H, panels + first * H * padded<Real>(H), share, whole);
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

template <class Cell, class Real>
void forward_rows(const Forward<Real>& f, const Group& group, Real* workspace) {
    constexpr int G = Cell::gates, first_gates = Cell::resets ? G - 1 : G;
    const Layout& l = f.layout;
    const Index H = l.hidden, width = padded<Real>(H), rows = group.last - group.first;
    const Normalised<Cell> at{H};
    Real* const h = workspace;                // [rows, width]
    Real* const c = h + rows * width;         // [rows, width] LSTM kinds
    Real* const products = c + rows * width;  // [rows, G * width]
    Real* const reset = products + rows * G * width;           // [rows, width] r h where a second product sees it
    Real* const normalised_c = reset;                          // [width] c as h sees it where that is normalised
    Real* const entering = f.mask ? reset + rows * width : h;  // [rows, width] h as the product sees it
    Real* const paired = f.bfloat16 ? reset + (2 + group.number * G) * rows * width : nullptr;
    const Real* const projected_bias = f.panels + (Cell::product ? H : 0) * G * width;
    const Real* const product_bias = projected_bias + G * width;
    const auto mask = [&](Index r, Index unit) { return f.mask + (group.first + r) * H + unit; };
    const auto [first, last] = part_of(H, Lanes<Real>, group);
    if (group.number == 0) clear(h, 2 * rows * width);
    group.wait();
    copy_rows(rows, last - first, f.h + group.first * H + first, H, h + first, width);
    if constexpr (Cell::has_c) copy_rows(rows, last - first, f.c + group.first * H + first, H, c + first, width);
    if (f.mask)
        for (Index r = 0; r < rows; ++r)
            for_blocks<Real>(first, last, [&](Index unit, auto lanes) {
                store(entering + r * width + unit, load(h + r * width + unit) * lanes.get(mask(r, unit)));
            });

    for (Index p = l.begin; p < l.end; ++p) {
        const Index t = l.reverse ? l.begin + l.end - 1 - p : p;
        const Index alive = alive_at(l, t, group);
        if (alive == 0) continue;
        group.wait();
        if constexpr (Cell::product)
            multiply<false>(group, alive, H, first_gates * width, entering, width, f.panels, products, G * width, p & 1, paired);
        if constexpr (Cell::resets) {
            for (Index r = 0; r < alive; ++r) {
                const Index element = l.offsets[t] + group.first + r - l.offsets[l.begin];
                for_blocks<Real>(H, [&](Index unit, auto lanes) {
                    const Vector<Real> a = lanes.get(f.gates + element * G * f.gate_width + unit) +
                                           load(projected_bias + unit) + load(products + r * G * width + unit);
                    store(reset + r * width + unit, sigmoid(a) * load(entering + r * width + unit));
                });
            }
            multiply<false>(group, alive, H, width, reset, width, f.panels + H * first_gates * width,
                            products + first_gates * width, G * width, p & 1, paired);
        }
        group.wait();
        for (Index r = 0; r < alive; ++r) {
            const Index element = l.offsets[t] + group.first + r;
            Real* const gates = f.gates + (element - l.offsets[l.begin]) * G * f.gate_width;
            Real* const inner = f.keep && f.inner ? f.inner + element * at.inner_width() : nullptr;
            if constexpr (Cell::together > 0)
                normalise_row<Cell>(products + r * G * width, width, gates, f.gate_width, c + r * width, f.vectors, H,
                                    normalised_c, inner);
            for_blocks<Real>(first, last, [&](Index unit, auto lanes) {
                Vector<Real> product[G], projected[G], gate[G];
                for (int g = 0; g < G; ++g) {
                    const Index k = g * width + unit;
                    product[g] = Cell::product ? load(products + r * G * width + k) : Vector<Real>{};
                    if (Cell::last_product_apart) product[g] += load(product_bias + k);
                    projected[g] = lanes.get(gates + g * f.gate_width + unit) + load(projected_bias + k);
                }
                const UnitVectors<Cell, Real> vectors(f.vectors, H, unit, lanes);
                Block<Real> s;
                s.h_before = load(h + r * width + unit);
                if constexpr (!Cell::product) s.entering = load(entering + r * width + unit);
                if constexpr (Cell::has_c) s.c_before = load(c + r * width + unit);
                if constexpr (Normalised<Cell>::of_c) s.inner = lanes.get(normalised_c + unit);
                Cell::template forward<Real>(product, projected, vectors.values, gate, s);
                if (f.zoneout_h) s.h = zoned<Real>(s.h, s.h_before, lanes.get(f.zoneout_h + element * H + unit));
                store(h + r * width + unit, s.h);
                lanes.put(f.output + element * H + unit, s.h);
                if (f.mask) store(entering + r * width + unit, s.h * lanes.get(mask(r, unit)));
                if constexpr (Cell::has_c) {
                    if (f.zoneout_c) s.c = zoned<Real>(s.c, s.c_before, lanes.get(f.zoneout_c + element * H + unit));
                    store(c + r * width + unit, s.c);
                }
                if constexpr (Cell::keeps_gates)
                    if (f.keep)
                        for (int g = 0; g < G; ++g) lanes.put(gates + g * f.gate_width + unit, gate[g]);
                if constexpr (Cell::has_c || Cell::has_inner)
                    if (f.keep) lanes.put(inner + unit, Cell::has_c ? s.c : s.inner);
            });
        }
    }
    copy_rows(rows, last - first, h + first, width, f.h + group.first * H + first, H);
    if constexpr (Cell::has_c) copy_rows(rows, last - first, c + first, width, f.c + group.first * H + first, H);
}

template <class Cell, class Real>
void backward_rows(const Backward<Real>& b, const Group& group, Real* workspace) {
    constexpr int G = Cell::gates, U = Cell::vectors, first_gates = Cell::resets ? G - 1 : G;
    const Layout& l = b.layout;
    const Index H = l.hidden, width = padded<Real>(H), rows = group.last - group.first;
    const Normalised<Cell> at{H};
    Real* const dh = workspace;                      // [rows, width] gradient that has reached each row's state
    Real* const dc = dh + rows * width;              // [rows, width] LSTM kinds
    Real* dproducts = dc + rows * width;             // [rows, G * H]
    Real* const dreset = dproducts + rows * G * width;  // [rows, width] of r h where a second product sees it
    Real* const dentering = dreset + rows * width;      // [rows, width] of h as the product sees it
    Real* const dc_by_h = dreset;                       // [width] of c by way of h where h sees it normalised
    Real* const normalised_c = dentering;               // [width]
    Real* const paired = b.bfloat16 ? dentering + (1 + group.number * G) * rows * width : nullptr;
    const auto [first, last] = part_of(H, Lanes<Real>, group);
    if (group.number == 0) clear(dh, 2 * rows * width);
    group.wait();
    copy_rows(rows, last - first, b.dh + group.first * H + first, H, dh + first, width);
    if constexpr (Cell::has_c) copy_rows(rows, last - first, b.dc + group.first * H + first, H, dc + first, width);

    for (Index p = l.end - 1; p >= l.begin; --p) {
        const Index t = l.reverse ? l.begin + l.end - 1 - p : p;
        const Index before = l.reverse ? t + 1 : t - 1;
        const Index alive = alive_at(l, t, group), had_before = alive_at(l, before, group);
        if constexpr (Cell::together > 0)  // is an output
            dproducts = b.dinner + (l.offsets[t] + group.first - l.offsets[l.begin]) * G * H;
        for (Index r = 0; r < alive; ++r) {
            const Index row = group.first + r, element = l.offsets[t] + row, place = element - l.offsets[l.begin];
            const bool inside = r < had_before;
            const Index from = inside ? l.offsets[before] + row : row;
            const Real* const h_before = (inside ? b.output : b.h_0) + from * H;
            const Real* const inner = b.inner ? b.inner + element * at.inner_width() : nullptr;
            const Real* c_before = nullptr;
            if constexpr (Cell::has_c) c_before = inside ? b.inner + from * at.inner_width() : b.c_0 + from * H;
            Real* const dvectors = b.dvectors ? b.dvectors + row * at.vectors() : nullptr;
            Norm<Real> of_dh, of_dc, of_dgates;
            if constexpr (Normalised<Cell>::of_c)
                normalised_c_backward<Cell>(
                    b.gates + element * G * H, b.vectors, inner, H,
                    [&](Index unit, auto lanes) {
                        Vector<Real> d = lanes.get(dh + r * width + unit);
                        if (b.doutput) d += lanes.get(b.doutput + element * H + unit);
                        if (b.zoneout_h) d -= lanes.get(b.zoneout_h + element * H + unit) * d;
                        return d;
                    },
                    dc_by_h, normalised_c, dvectors);
            for_blocks<Real>(first, last, [&](Index unit, auto lanes) {
                Vector<Real> gate[G], dgate[G], dvector[U > 0 ? U : 1];
                const UnitVectors<Cell, Real> vectors(b.vectors, H, unit, lanes);
                Block<Real> s;
                BlockGradient<Real> d = {};
                d.dh = load(dh + r * width + unit);
                if (b.arrived) lanes.put(b.arrived + element * H + unit, d.dh);
                if (b.doutput) d.dh += lanes.get(b.doutput + element * H + unit);
                if constexpr (Cell::keeps_gates)
                    for (int g = 0; g < G; ++g) gate[g] = lanes.get(b.gates + element * G * H + g * H + unit);
                if constexpr (Cell::has_inner) s.inner = lanes.get(inner + unit);
                if constexpr (Cell::has_c) {
                    d.dc = load(dc + r * width + unit);
                    if (b.arrived) lanes.put(b.arrived_c + element * H + unit, d.dc);
                    s.c_before = lanes.get(c_before + unit);
                }
                s.h_before = lanes.get(h_before + unit);
                s.h = lanes.get(b.output + element * H + unit);
                if constexpr (!Cell::product)
                    s.entering = b.mask ? s.h_before * lanes.get(b.mask + row * H + unit) : s.h_before;
                const Vector<Real> dh_whole = d.dh, dc_whole = d.dc;
                Vector<Real> keeps_h = {}, keeps_c = {};
                if (b.zoneout_h) {
                    keeps_h = lanes.get(b.zoneout_h + element * H + unit);
                    d.dh -= keeps_h * dh_whole;
                    if constexpr (Cell::has_c) {
                        keeps_c = lanes.get(b.zoneout_c + element * H + unit);
                        d.dc -= keeps_c * dc_whole;
                    }
                }
                if constexpr (Normalised<Cell>::of_c) {
                    d.dc += lanes.get(dc_by_h + unit);
                    s.inner = lanes.get(normalised_c + unit);
                }
                Cell::template backward<Real>(gate, vectors.values, s, d, dgate, dvector);
                for (int g = 0; g < G; ++g) {
                    lanes.put(b.dgates + place * G * H + g * H + unit, dgate[g]);
                    const bool apart = Cell::last_product_apart && g == G - 1;
                    if constexpr (Cell::product) lanes.put(dproducts + r * G * H + g * H + unit, apart ? d.dlast : dgate[g]);
                }
                if constexpr (Cell::last_product_apart && !Cell::together) lanes.put(b.dinner + place * H + unit, d.dlast);
                for (int u = 0; u < U; ++u) {
                    Real* const sum = dvectors + u * H + unit;
                    lanes.put(sum, lanes.get(sum) + dvector[u]);
                }
                if constexpr (!Cell::product)
                    d.dh_before += b.mask ? d.dentering * lanes.get(b.mask + row * H + unit) : d.dentering;
                if (b.zoneout_h) {
                    d.dh_before += keeps_h * dh_whole;
                    if constexpr (Cell::has_c) d.dc_before += keeps_c * dc_whole;
                }
                store(dh + r * width + unit, d.dh_before);
                if constexpr (Cell::has_c) store(dc + r * width + unit, d.dc_before);
                if (b.norms) {
                    of_dh.add(dh_whole);
                    if constexpr (Cell::has_c) of_dc.add(d.dc_total);
                    for (int g = 0; g < G && !Cell::together; ++g) of_dgates.add(dgate[g]);
                }
            });
            if constexpr (Cell::together > 0) {
                Real* const dproduct = dproducts + r * G * H;
                normalised_row_backward<Cell>(b.dgates + place * G * H, dproduct, b.vectors, inner, H, dvectors);
                if (b.norms)
                    for_blocks<Real>(G * H, [&](Index i, auto lanes) { of_dgates.add(lanes.get(dproduct + i)); });
            }
            if (b.norms) {
                Real* const norms = b.norms + element * 3;
                norms[0] = of_dh.value(), norms[1] = of_dc.value(), norms[2] = of_dgates.value();
            }
        }
        if constexpr (Cell::resets) {
            multiply<false>(group, alive, H, width, dproducts + first_gates * H, G * H, b.panels + first_gates * H * width,
                            dreset, width, p & 1, paired);
            for (Index r = 0; r < alive; ++r) {
                const Index row = group.first + r, element = l.offsets[t] + row, place = element - l.offsets[l.begin];
                const bool inside = r < had_before;
                const Real* const h_before = (inside ? b.output : b.h_0) + (inside ? l.offsets[before] + row : row) * H;
                Norm<Real> of_dgate;
                for_blocks<Real>(H, [&](Index unit, auto lanes) {
                    const Vector<Real> gate = lanes.get(b.gates + element * G * H + unit);
                    const Vector<Real> mask = b.mask ? lanes.get(b.mask + row * H + unit) : Vector<Real>{} + Real(1);
                    const Vector<Real> d = load(dreset + r * width + unit), h = lanes.get(h_before + unit);
                    const Vector<Real> dgate = d * h * mask * gate * (Real(1) - gate);
                    lanes.put(b.dgates + place * G * H + unit, dgate);
                    lanes.put(dproducts + r * G * H + unit, dgate);
                    store(dh + r * width + unit, load(dh + r * width + unit) + d * gate * mask);
                    if (b.norms) of_dgate.add(dgate);
                });
                if (b.norms) {
                    const double others = b.norms[element * 3 + 2], own = of_dgate.value();
                    b.norms[element * 3 + 2] = Real(__builtin_sqrt(others * others + own * own));
                }
            }
        }
        if constexpr (Cell::product) {
            group.wait();
            if (b.mask) {
                multiply<false>(group, alive, first_gates * H, width, dproducts, G * H, b.panels, dentering, width, p & 1,
                                paired);
                group.wait();
                for (Index r = 0; r < alive; ++r)
                    for_blocks<Real>(first, last, [&](Index unit, auto lanes) {
                        const Index at = r * width + unit;
                        const Vector<Real> mask = lanes.get(b.mask + (group.first + r) * H + unit);
                        store(dh + at, load(dh + at) + load(dentering + at) * mask);
                    });
            } else {
                multiply<true>(group, alive, first_gates * H, width, dproducts, G * H, b.panels, dh, width, p & 1, paired);
                group.wait();
            }
        }
        if (b.clip > 0)
            for (Index r = 0; r < alive; ++r)
                for_blocks<Real>(first, last, [&](Index unit, auto lanes) {
                    Real* const d = dh + r * width + unit;
                    lanes.put(d, at_least(at_most(lanes.get(d), b.clip), -b.clip));
                });
    }
    copy_rows(rows, last - first, dh + first, width, b.dh + group.first * H + first, H);
    if constexpr (Cell::has_c) copy_rows(rows, last - first, dc + first, width, b.dc + group.first * H + first, H);
}

template <class Cell, class Real>
void step_rows(const Step<Real>& s, const Real* h_before, Index first, Index last, Real* workspace) {
    constexpr int G = Cell::gates;
    const Index H = s.hidden, width = padded<Real>(H);
    Real* const projected_bias = workspace;                   // [G, width]
    Real* const product_bias = projected_bias + G * width;    // [G, width]
    Real* const projections = product_bias + G * width;       // [G, width]
    Real* const products = projections + G * width;           // [G, width]
    Real* const reset = products + G * width;                 // [width] r h where a second product sees it
    Real* const normalised_c = reset;                         // [width] c as h sees it where that is normalised
    pack_biases<Cell>(s.bias_ih, s.bias_hh, H, projected_bias, product_bias);
    clear(projections, 2 * G * width);
    for (Index row = 0; row < s.batch; ++row) {
        const Real* h = h_before + row * H;
        for (int g = 0; g < G; ++g) {
            if (Cell::resets && g == G - 1) {
                for_blocks<Real>(H, [&](Index unit, auto lanes) {
                    store(reset + unit, sigmoid(load(projections + unit) + load(products + unit)) * lanes.get(h + unit));
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
        if constexpr (Cell::together > 0)
            normalise_row<Cell, Real>(products, width, projections, width, Cell::has_c ? s.c + row * H : nullptr, s.vectors,
                                      H, normalised_c, nullptr);
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
            if constexpr (Normalised<Cell>::of_c) state.inner = lanes.get(normalised_c + unit);
            Cell::template forward<Real>(product, projected, vectors.values, gate, state);
            lanes.put(s.h + row * H + unit, state.h);
            if constexpr (Cell::has_c) lanes.put(s.c + row * H + unit, state.c);
        });
    }
}
