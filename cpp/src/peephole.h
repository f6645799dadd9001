// LSTM with peepholes (Gers, Schraudolph & Schmidhuber 2002): i and f see c', o sees c; vectors p_i p_f p_o.

struct Peephole : Plain {
    static constexpr int gates = 4, vectors = 3;
    static constexpr bool has_c = true;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>* p,
                        Vector<Real>* gate, Block<Real>& s) {
        gate[0] = sigmoid(product[0] + projected[0] + p[0] * s.c_before);
        gate[1] = sigmoid(product[1] + projected[1] + p[1] * s.c_before);
        gate[2] = tanh(product[2] + projected[2]);
        s.c = gate[1] * s.c_before + gate[0] * gate[2];
        gate[3] = sigmoid(product[3] + projected[3] + p[2] * s.c);
        s.h = gate[3] * tanh(s.c);
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>* p, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>* dp) {
        const Vector<Real> i = gate[0], f = gate[1], g = gate[2], o = gate[3];
        const Vector<Real> c = f * s.c_before + i * g, tanh_c = tanh(c);
        const Real one = 1;
        dgates[3] = d.dh * tanh_c * o * (one - o);
        const Vector<Real> dc = d.dc + d.dh * o * (one - tanh_c * tanh_c) + dgates[3] * p[2];
        dgates[0] = dc * g * i * (one - i);
        dgates[1] = dc * s.c_before * f * (one - f);
        dgates[2] = dc * i * (one - g * g);
        dp[0] = dgates[0] * s.c_before, dp[1] = dgates[1] * s.c_before, dp[2] = dgates[3] * c;
        d.dc_before = dc * f + dgates[0] * p[0] + dgates[1] * p[1];
        d.dc_total = dc;
    }
};
