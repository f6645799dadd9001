// Rows of scores to losses and gradients, in three passes over a row that stays in the cache.

template <class Real>
inline Vector<Real> greater(Vector<Real> a, Vector<Real> b) { return a > b ? a : b; }

template <class Real>
Real largest(const Real* row, Index columns) {
    Vector<Real> most = Vector<Real>{} + row[0];
    for_blocks<Real>(columns / Lanes<Real> * Lanes<Real>, [&](Index j, auto lanes) { most = greater<Real>(most, lanes.get(row + j)); });
    Real found = row[0];
    for (int i = 0; i < Lanes<Real>; ++i) found = found < most[i] ? most[i] : found;
    for (Index j = columns / Lanes<Real> * Lanes<Real>; j < columns; ++j) found = found < row[j] ? row[j] : found;
    return found;
}

// exp(row - most), a NaN and what is 80 below the largest included; their sum.
template <class Real>
Real exponentials(Real* row, Index columns, Real most) {
    Vector<Real> sum = {};
    Real rest = 0;
    for_blocks<Real>(columns, [&](Index j, auto lanes) {
        const Vector<Real> e = exp_of_minus(most - lanes.get(row + j));
        lanes.put(row + j, e);
        if (j + Lanes<Real> <= columns)
            sum += e;
        else
            for (Index i = 0; i < columns - j; ++i) rest += e[i];
    });
    return sum_of_lanes<Lanes<Real> / 2, Real>(sum)[0] + rest;
}

template <class Real>
void cross_entropy_rows(const CrossEntropy<Real>& c, Index first, Index last) {
    for (Index r = first; r < last; ++r) {
        Real* const row = c.scores + r * c.columns;
        for_blocks<Real>(c.columns, [&](Index j, auto lanes) { lanes.put(row + j, lanes.get(row + j) + lanes.get(c.bias + j)); });
        const Real most = largest(row, c.columns), right = row[c.target[r]];
        const Real sum = exponentials(row, c.columns, most);
        c.losses[r] = Real(__builtin_log(double(sum))) + (most - right);
        if (!c.gradient) continue;
        const Real scale = 1 / sum;
        for_blocks<Real>(c.columns, [&](Index j, auto lanes) { lanes.put(row + j, lanes.get(row + j) * scale); });
        row[c.target[r]] -= 1;
    }
}
