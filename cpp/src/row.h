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

// Norms of vectors that come block by block, scaled so that float32 squares reach from 1e-25 to 1e12.
template <class Real>
struct Norm {
    static constexpr Real scale = 1 << 20;
    Vector<Real> sum = {};
    void add(Vector<Real> v) { v *= scale, sum += v * v; }
    Real value() const {
        const Real squares = sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0];
        return Real(__builtin_sqrt(double(squares))) / scale;
    }
};

template <class Real>
inline Real dot(const Real* a, const Real* b, Index n) {
    Vector<Real> sum = {};
    for_blocks<Real>(n, [&](Index i, auto lanes) { sum += lanes.get(a + i) * lanes.get(b + i); });
    return sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0];
}
