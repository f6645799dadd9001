// The time loops: a group of rows forward from its first step to its last, and back. Groups never meet.

// Calls body(unit, lanes) for each block of units, whole blocks first, then the rest of the row.
template <class Real, class Body>
inline void for_blocks(Index hidden, Body body) {
    Index unit = 0;
    for (; unit + Lanes<Real> <= hidden; unit += Lanes<Real>) body(unit, Whole{});
    if (unit < hidden) body(unit, Partial{hidden - unit});
}

template <class Real>
void copy_rows(Index rows, Index hidden, const Real* from, Index from_stride, Real* to, Index to_stride) {
    for (Index r = 0; r < rows; ++r)
        for_blocks<Real>(hidden, [&](Index unit, auto lanes) {
            lanes.put(to + r * to_stride + unit, lanes.get(from + r * from_stride + unit));
        });
}

template <class Real>
void clear(Real* p, Index size) {
    for (Index i = 0; i < size; ++i) p[i] = 0;
}

// Rows of the group that have a step t.
inline Index alive_at(const Layout& l, Index t, Group group) {
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
void pack_forward(Index H, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels, Share share) {
    const Index columns = Cell::gates * padded<Real>(H);
    pack_transposed(weight_hh, Cell::gates, H, H, panels, share);
    if (share.number != 0) return;
    Real* const biases = panels + H * columns;
    pack_biases<Cell>(bias_ih, bias_hh, H, biases, biases + columns);
}

template <class Cell, class Real>
void pack_backward(Index H, const Real* weight_hh, Real* panels, Share share) {
    pack(weight_hh, Cell::gates * H, H, panels, share);
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

template <class Cell, class Real>
void forward_rows(const Forward<Real>& f, Group group, Real* workspace) {
    constexpr int G = Cell::gates;
    const Layout& l = f.layout;
    const Index H = l.hidden, width = padded<Real>(H), rows = group.last - group.first;
    Real* const h = workspace;                // [rows, width]
    Real* const c = h + rows * width;         // [rows, width] LSTM
    Real* const products = c + rows * width;  // [rows, G * width]
    const Real* const projected_bias = f.panels + H * G * width;
    const Real* const product_bias = projected_bias + G * width;
    clear(h, 2 * rows * width);
    copy_rows(rows, H, f.h + group.first * H, H, h, width);
    if constexpr (Cell::has_c) copy_rows(rows, H, f.c + group.first * H, H, c, width);

    for (Index p = l.begin; p < l.end; ++p) {
        const Index t = l.reverse ? l.begin + l.end - 1 - p : p;
        const Index alive = alive_at(l, t, group);
        if (alive == 0) continue;
        multiply<false>(alive, H, G * width, h, width, f.panels, products, G * width, p & 1);
        for (Index r = 0; r < alive; ++r) {
            const Index element = l.offsets[t] + group.first + r;
            Real* const gates = f.gates + (element - l.offsets[l.begin]) * G * f.gate_width;
            for_blocks<Real>(H, [&](Index unit, auto lanes) {
                Vector<Real> product[G], projected[G], gate[G];
                for (int g = 0; g < G; ++g) {
                    const Index k = g * width + unit;
                    product[g] = load(products + r * G * width + k);
                    if (Cell::last_product_apart) product[g] += load(product_bias + k);
                    projected[g] = lanes.get(gates + g * f.gate_width + unit) + load(projected_bias + k);
                }
                Block<Real> s;
                s.h_before = load(h + r * width + unit);
                if constexpr (Cell::has_c) s.c_before = load(c + r * width + unit);
                Cell::template forward<Real>(product, projected, gate, s);
                store(h + r * width + unit, s.h);
                lanes.put(f.output + element * H + unit, s.h);
                if constexpr (Cell::has_c) store(c + r * width + unit, s.c);
                if constexpr (Cell::keeps_gates) {
                    if (f.inner) {
                        for (int g = 0; g < G; ++g) lanes.put(gates + g * f.gate_width + unit, gate[g]);
                        lanes.put(f.inner + element * H + unit, s.inner);
                    }
                }
            });
        }
    }
    copy_rows(rows, H, h, width, f.h + group.first * H, H);
    if constexpr (Cell::has_c) copy_rows(rows, H, c, width, f.c + group.first * H, H);
}

template <class Cell, class Real>
void backward_rows(const Backward<Real>& b, Group group, Real* workspace) {
    constexpr int G = Cell::gates;
    const Layout& l = b.layout;
    const Index H = l.hidden, width = padded<Real>(H), rows = group.last - group.first;
    Real* const dh = workspace;                 // [rows, width] gradient that has reached each row's state
    Real* const dc = dh + rows * width;         // [rows, width] LSTM
    Real* const dproducts = dc + rows * width;  // [rows, G * H]
    clear(dh, 2 * rows * width);
    copy_rows(rows, H, b.dh + group.first * H, H, dh, width);
    if constexpr (Cell::has_c) copy_rows(rows, H, b.dc + group.first * H, H, dc, width);

    for (Index p = l.end - 1; p >= l.begin; --p) {
        const Index t = l.reverse ? l.begin + l.end - 1 - p : p;
        const Index before = l.reverse ? t + 1 : t - 1;
        const Index alive = alive_at(l, t, group), had_before = alive_at(l, before, group);
        for (Index r = 0; r < alive; ++r) {
            const Index row = group.first + r, element = l.offsets[t] + row, place = element - l.offsets[l.begin];
            const bool inside = r < had_before;
            const Index from = inside ? l.offsets[before] + row : row;
            const Real* const h_before = (inside ? b.output : b.h_0) + from * H;
            const Real* const c_before = Cell::has_c ? (inside ? b.inner : b.c_0) + from * H : nullptr;
            for_blocks<Real>(H, [&](Index unit, auto lanes) {
                Vector<Real> gate[G], dgate[G], dproduct[G];
                Block<Real> s;
                BlockGradient<Real> d;
                d.dh = load(dh + r * width + unit);
                if (b.doutput) d.dh += lanes.get(b.doutput + element * H + unit);
                if constexpr (Cell::keeps_gates)
                    for (int g = 0; g < G; ++g) gate[g] = lanes.get(b.gates + element * G * H + g * H + unit);
                if constexpr (Cell::has_inner) s.inner = lanes.get(b.inner + element * H + unit);
                if constexpr (Cell::has_c) {
                    d.dc = load(dc + r * width + unit);
                    s.c_before = lanes.get(c_before + unit);
                }
                s.h_before = lanes.get(h_before + unit);
                s.h = lanes.get(b.output + element * H + unit);
                Cell::template backward<Real>(gate, s, d, dgate, dproduct);
                for (int g = 0; g < G; ++g) {
                    lanes.put(b.dgates + place * G * H + g * H + unit, dgate[g]);
                    lanes.put(dproducts + r * G * H + g * H + unit, dproduct[g]);
                }
                if (b.dinner) lanes.put(b.dinner + place * H + unit, dproduct[G - 1]);
                store(dh + r * width + unit, d.dh_before);
                if constexpr (Cell::has_c) store(dc + r * width + unit, d.dc_before);
            });
        }
        multiply<true>(alive, G * H, width, dproducts, G * H, b.panels, dh, width, p & 1);
    }
    copy_rows(rows, H, dh, width, b.dh + group.first * H, H);
    if constexpr (Cell::has_c) copy_rows(rows, H, dc, width, b.dc + group.first * H, H);
}

// Adds lane i to lane i xor Distance, and so on with half the distance: in the end every lane holds the sum.
template <int Distance, class Real>
inline Vector<Real> sum_of_lanes(Vector<Real> v) {
    typedef decltype(v < v) Lane;
    Lane other;
    for (int i = 0; i < Lanes<Real>; ++i) other[i] = i ^ Distance;
    v += __builtin_shuffle(v, other);
    if constexpr (Distance > 1) return sum_of_lanes<Distance / 2, Real>(v);
    return v;
}

template <class Real>
inline Real dot(const Real* a, const Real* b, Index n) {
    Vector<Real> sum = {};
    for_blocks<Real>(n, [&](Index i, auto lanes) { sum += lanes.get(a + i) * lanes.get(b + i); });
    return sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0];
}

template <class Cell, class Real>
void step_rows(const Step<Real>& s, const Real* h_before, Index first, Index last, Real* workspace) {
    constexpr int G = Cell::gates;
    const Index H = s.hidden, width = padded<Real>(H);
    Real* const projected_bias = workspace;                   // [G, width]
    Real* const product_bias = projected_bias + G * width;    // [G, width]
    Real* const projections = product_bias + G * width;       // [G, width]
    Real* const products = projections + G * width;           // [G, width]
    pack_biases<Cell>(s.bias_ih, s.bias_hh, H, projected_bias, product_bias);
    clear(projections, 2 * G * width);
    for (Index row = 0; row < s.batch; ++row) {
        for (int g = 0; g < G; ++g)
            for (Index unit = first; unit < last; ++unit) {
                const Index j = g * H + unit, k = g * width + unit;
                projections[k] = dot(s.weight_ih + j * s.input, s.x + row * s.input, s.input) + projected_bias[k];
                products[k] = dot(s.weight_hh + j * H, h_before + row * H, H) + product_bias[k];
            }
        for_blocks<Real>(last - first, [&](Index block, auto lanes) {
            const Index unit = first + block;
            Vector<Real> product[G], projected[G], gate[G];
            for (int g = 0; g < G; ++g) {
                product[g] = load(products + g * width + unit);
                projected[g] = load(projections + g * width + unit);
            }
            Block<Real> state;
            state.h_before = lanes.get(h_before + row * H + unit);
            if constexpr (Cell::has_c) state.c_before = lanes.get(s.c + row * H + unit);
            Cell::template forward<Real>(product, projected, gate, state);
            lanes.put(s.h + row * H + unit, state.h);
            if constexpr (Cell::has_c) lanes.put(s.c + row * H + unit, state.c);
        });
    }
}
