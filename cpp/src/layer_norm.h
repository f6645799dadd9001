// LSTM and GRU with layer normalisation (Ba, Kiros & Hinton 2016, supplement, eq. 20-25): W_ih x and W_hh h', each over
// its first `together` gates and over the rest, and the LSTM's c before it reaches h.
//   y = gain normal + bias        normal = (a - mean) scale        scale = 1 / sqrt(variance + epsilon)
//
// The units of a row are then those of the plain cell. What needs the whole row is done before them, and in the backward
// pass before and after.

constexpr double epsilon = 1e-5;

// Where the numbers of a normalised cell lie in `vectors` and, for an element, in `inner`; side 0 is W_ih x, 1 is W_hh h'.
template <class Cell>
struct Normalised {
    static constexpr int G = Cell::gates;
    static constexpr bool of_c = Cell::together > 0 && Cell::has_c;
    Index H;
    Index gain(int side) const { return side * G * H; }
    Index bias(int side) const { return (2 + side) * G * H; }
    Index gain_of_c() const { return 4 * G * H; }
    Index bias_of_c() const { return (4 * G + 1) * H; }
    Index normal(int side) const { return (1 + side * G) * H; }
    Index normal_c() const { return (1 + 2 * G) * H; }
    Index scales(int side) const { return (1 + 2 * G + of_c) * H + 2 * side; }
    Index vectors() const { return (Cell::together > 0 ? 4 * G + 2 * of_c : Cell::vectors) * H; }
    Index scale_of_c() const { return scales(1) + 1; }  // one side of the LSTM has one scale
    Index inner_width() const { return Cell::together > 0 ? scales(2) : H; }
};

// Mean over all lanes and gates.
template <int Gates, class Real>
inline Real mean_of(const Vector<Real>* sums, Index H) {
    Vector<Real> sum = sums[0];
    for (int g = 1; g < Gates; ++g) sum += sums[g];
    return sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0] / Real(Gates * H);
}

// Normalises a row in place; returns the scale and writes `normal` [Gates, H] unless that is null.
template <int Gates, class Real>
Real normalise(Real* row, Index stride, const Real* gain, const Real* bias, Index H, Real* normal) {
    Vector<Real> sums[Gates] = {}, squares[Gates] = {};
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        for (int g = 0; g < Gates; ++g) sums[g] += lanes.get(row + g * stride + unit);
    });
    const Real mean = mean_of<Gates, Real>(sums, H);
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        for (int g = 0; g < Gates; ++g) {
            Real* const a = row + g * stride + unit;
            lanes.put(a, lanes.get(a) - mean);
            const Vector<Real> centred = lanes.get(a);  // lanes beyond the row are 0 again
            squares[g] += centred * centred;
        }
    });
    const Real scale = Real(1 / __builtin_sqrt(double(mean_of<Gates, Real>(squares, H)) + epsilon));
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        for (int g = 0; g < Gates; ++g) {
            Real* const a = row + g * stride + unit;
            const Vector<Real> y = lanes.get(a) * scale;
            if (normal) lanes.put(normal + g * H + unit, y);
            lanes.put(a, y * lanes.get(gain + g * H + unit) + lanes.get(bias + g * H + unit));
        }
    });
    return scale;
}

// From the gradient of what `normalise` returned to that of what it was given, d [Gates, H] in place; adds to those of
// gain and bias.
template <int Gates, class Real>
void normalise_backward(Real* d, const Real* normal, Real scale, const Real* gain, Index H, Real* dgain, Real* dbias) {
    Vector<Real> sums[Gates] = {}, products[Gates] = {};
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        for (int g = 0; g < Gates; ++g) {
            const Index i = g * H + unit;
            const Vector<Real> dy = lanes.get(d + i), y = lanes.get(normal + i), dnormal = dy * lanes.get(gain + i);
            lanes.put(dgain + i, lanes.get(dgain + i) + dy * y);
            lanes.put(dbias + i, lanes.get(dbias + i) + dy);
            lanes.put(d + i, dnormal);
            sums[g] += dnormal, products[g] += dnormal * y;
        }
    });
    const Real mean = mean_of<Gates, Real>(sums, H), along = mean_of<Gates, Real>(products, H);
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        for (int g = 0; g < Gates; ++g) {
            const Index i = g * H + unit;
            lanes.put(d + i, (lanes.get(d + i) - mean - lanes.get(normal + i) * along) * scale);
        }
    });
}

template <class Cell, class Real>
void normalise_side(int side, Real* row, Index stride, const Real* vectors, Index H, Real* inner) {
    constexpr int first = Cell::together, rest = Cell::gates - first;
    const Normalised<Cell> at{H};
    const Real* const gain = vectors + at.gain(side);
    const Real* const bias = vectors + at.bias(side);
    Real scales[2] = {};
    scales[0] = normalise<first>(row, stride, gain, bias, H, inner ? inner + at.normal(side) : nullptr);
    if constexpr (rest > 0)
        scales[1] = normalise<rest>(row + first * stride, stride, gain + first * H, bias + first * H, H,
                                    inner ? inner + at.normal(side) + first * H : nullptr);
    if (inner)
        for (int i = 0; i < 2; ++i) inner[at.scales(side) + i] = scales[i];
}

template <class Cell, class Real>
void normalised_side_backward(int side, Real* d, const Real* vectors, const Real* inner, Index H, Real* dvectors) {
    constexpr int first = Cell::together, rest = Cell::gates - first;
    const Normalised<Cell> at{H};
    const Real* const normal = inner + at.normal(side);
    const Real* const scales = inner + at.scales(side);
    const Real* const gain = vectors + at.gain(side);
    Real* const dgain = dvectors + at.gain(side);
    Real* const dbias = dvectors + at.bias(side);
    normalise_backward<first>(d, normal, scales[0], gain, H, dgain, dbias);
    if constexpr (rest > 0)
        normalise_backward<rest>(d + first * H, normal + first * H, scales[1], gain + first * H, H, dgain + first * H,
                        dbias + first * H);
}

// What the units of a row need of each other: both sides normalised, in place; then of the LSTM the gates, in place of the
// product, and the normalised c.
template <class Cell, class Real>
void normalise_row(Real* product, Index product_stride, Real* projected, Index projected_stride, const Real* c,
                   const Real* vectors, Index H, Real* normalised_c, Real* inner) {
    normalise_side<Cell>(0, projected, projected_stride, vectors, H, inner);
    normalise_side<Cell>(1, product, product_stride, vectors, H, inner);
    if constexpr (Normalised<Cell>::of_c) {
        constexpr int G = Cell::gates;
        const Normalised<Cell> at{H};
        for_blocks<Real>(H, [&](Index unit, auto lanes) {
            Vector<Real> of_h[G], of_x[G], gate[G];
            for (int g = 0; g < G; ++g) {
                of_h[g] = lanes.get(product + g * product_stride + unit);
                of_x[g] = lanes.get(projected + g * projected_stride + unit);
            }
            lanes.put(normalised_c + unit, Cell::template open<Real>(of_h, of_x, lanes.get(c + unit), gate));
            for (int g = 0; g < G; ++g) lanes.put(product + g * product_stride + unit, gate[g]);
        });
        const Real scale = normalise<1>(normalised_c, H, vectors + at.gain_of_c(), vectors + at.bias_of_c(), H,
                                        inner ? inner + at.normal_c() : nullptr);
        if (inner) inner[at.scale_of_c()] = scale;
    }
}

// What of the gradient of h, dh(unit, lanes), reaches c, and the normalised c once more.
template <class Cell, class Real, class Dh>
void normalised_c_backward(const Real* gates, const Real* vectors, const Real* inner, Index H, Dh dh, Real* dc,
                 Real* normalised_c, Real* dvectors) {
    const Normalised<Cell> at{H};
    const Real* const gain = vectors + at.gain_of_c();
    const Real* const bias = vectors + at.bias_of_c();
    const Real* const normal = inner + at.normal_c();
    const Real* const open = gates + (Cell::gates - 1) * H;
    for_blocks<Real>(H, [&](Index unit, auto lanes) {
        const Vector<Real> y = lanes.get(normal + unit) * lanes.get(gain + unit) + lanes.get(bias + unit);
        const Vector<Real> tanh_y = tanh(y);
        lanes.put(normalised_c + unit, y);
        lanes.put(dc + unit, dh(unit, lanes) * lanes.get(open + unit) * (Real(1) - tanh_y * tanh_y));
    });
    normalise_backward<1>(dc, normal, inner[at.scale_of_c()], gain, H, dvectors + at.gain_of_c(), dvectors + at.bias_of_c());
}

// From the gradients of both normalised sides to those of W_ih x and W_hh h', in place.
template <class Cell, class Real>
void normalised_row_backward(Real* dprojected, Real* dproduct, const Real* vectors, const Real* inner, Index H, Real* dvectors) {
    normalised_side_backward<Cell>(0, dprojected, vectors, inner, H, dvectors);
    normalised_side_backward<Cell>(1, dproduct, vectors, inner, H, dvectors);
}

struct LayerGru : Gru {
    static constexpr int together = 2;
};

// `inner` is c as h sees it: normalised. h = o tanh(inner)
struct LayerLstm : Lstm {
    static constexpr int together = 4;

    // The gates and c.
    template <class Real>
    static Vector<Real> open(const Vector<Real>* product, const Vector<Real>* projected, Vector<Real> c_before,
                             Vector<Real>* gate) {
        Block<Real> s;
        s.c_before = c_before;
        Lstm::forward<Real>(product, projected, nullptr, gate, s);
        return s.c;
    }

    // `product` holds the gates.
    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>*, const Vector<Real>*, Vector<Real>* gate,
                        Block<Real>& s) {
        for (int k = 0; k < gates; ++k) gate[k] = product[k];
        s.c = gate[1] * s.c_before + gate[0] * gate[2];
        s.h = gate[3] * tanh(s.inner);
    }

    // d.dc has all that reaches c.
    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> i = gate[0], f = gate[1], g = gate[2], o = gate[3];
        const Real one = 1;
        dgates[0] = d.dc * g * i * (one - i);
        dgates[1] = d.dc * s.c_before * f * (one - f);
        dgates[2] = d.dc * i * (one - g * g);
        dgates[3] = d.dh * tanh(s.inner) * o * (one - o);
        d.dc_before = d.dc * f;
        d.dc_total = d.dc;
    }
};
