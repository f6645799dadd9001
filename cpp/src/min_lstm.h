// minLSTM (Feng et al. 2024): gates of the input alone, f i n. h = h' + s (n - h'), s = i / (f + i)

struct MinLstm : Plain {
    static constexpr int gates = 3;
    static constexpr bool product = false, has_inner = true;

    template <class Real>
    static void forward(const Vector<Real>*, const Vector<Real>* projected, const Vector<Real>*, Vector<Real>* gate,
                        Block<Real>& s) {
        // By exponentials: two sigmoids near 0 would leave nothing but rounding in their quotient. All are divided by the
        // largest, which drops out of the quotient and keeps them from being cut off.
        const Vector<Real> f = at_least(projected[0], Real(-1e30)), i = at_least(projected[1], Real(-1e30));
        const Vector<Real> least = at_most(f < i ? f : i, Real(0)), one = exp_of_minus(-least);
        const Vector<Real> one_over_f = one + exp_of_minus(f - least), one_over_i = one + exp_of_minus(i - least);
        s.inner = one_over_f / (one_over_f + one_over_i);
        gate[0] = one / one_over_f, gate[1] = one / one_over_i, gate[2] = projected[2];
        s.h = s.h_before + s.inner * (gate[2] - s.h_before);
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Real one = 1;
        const Vector<Real> share = s.inner, dshare = d.dh * (gate[2] - s.h_before) * share * (one - share);
        dgates[0] = -dshare * (one - gate[0]);
        dgates[1] = dshare * (one - gate[1]);
        dgates[2] = d.dh * share;
        d.dh_before = d.dh * (one - share);
    }
};
