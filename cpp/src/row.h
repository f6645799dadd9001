// A row of units: block by block, and what is one number of all of them.

// Calls body(unit, lanes) for each block of units, whole blocks first, then the rest of the row.
template <class Real, class Body>
inline void for_blocks(Index hidden, Body body) {
    Index unit = 0;
    for (; unit + Lanes<Real> <= hidden; unit += Lanes<Real>) body(unit, Whole{});
    if (unit < hidden) body(unit, Partial{hidden - unit});
}

// The same of the units [first, last), the first one the first of a block.
template <class Real, class Body>
inline void for_blocks(Index first, Index last, Body body) {
    for_blocks<Real>(last - first, [&](Index block, auto lanes) { body(first + block, lanes); });
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

// Norms of vectors that come block by block. Squares of float32 end at 1e-38 and 1e38, which the numbers themselves do
// too: so they are squared as they are, made larger, and made smaller.
template <class Real>
struct Norm {
    static constexpr double up = 0x1p63, few = 0x1p-100;  // in a sum of less, squares may have vanished
    Vector<Real> sum = {}, of_small = {}, of_large = {};
    void add(Vector<Real> v) {
        sum += v * v;
        const Vector<Real> small = v * Real(up), large = v * Real(1 / up);
        of_small += small * small, of_large += large * large;
    }
    Real value() const {
        const double squares = total(sum);
        if (squares < few) return Real(__builtin_sqrt(total(of_small)) / up);
        if (squares - squares == 0) return Real(__builtin_sqrt(squares));
        return Real(__builtin_sqrt(total(of_large)) * up);
    }
    static double total(Vector<Real> v) { return sum_of_lanes<Lanes<Real> / 2, Real>(v)[0]; }
};

// Zoneout: the new value, or as much of the old one as `keeps` says; all of it is the old one to the bit.
template <class Real>
inline Vector<Real> zoned(Vector<Real> now, Vector<Real> before, Vector<Real> keeps) {
    const Vector<Real> one = Vector<Real>{} + Real(1);
    return keeps == one ? before : now + keeps * (before - now);
}

template <class Real>
inline Real dot(const Real* a, const Real* b, Index n) {
    Vector<Real> sum = {};
    for_blocks<Real>(n, [&](Index i, auto lanes) { sum += lanes.get(a + i) * lanes.get(b + i); });
    return sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0];
}
