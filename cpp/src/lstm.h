// Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000); gates i f g o.
//   c = f c' + i g        h = o tanh(c)

struct Lstm : Plain {
    static constexpr int gates = 4;
    static constexpr bool has_c = true;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>*,
                        Vector<Real>* gate, Block<Real>& s) {
        const Vector<Real> i = sigmoid(product[0] + projected[0]);
        const Vector<Real> f = sigmoid(product[1] + projected[1]);
        const Vector<Real> g = tanh(product[2] + projected[2]);
        const Vector<Real> o = sigmoid(product[3] + projected[3]);
        s.c = f * s.c_before + i * g;
        s.h = o * tanh(s.c);
        gate[0] = i, gate[1] = f, gate[2] = g, gate[3] = o;
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> i = gate[0], f = gate[1], g = gate[2], o = gate[3];
        const Vector<Real> tanh_c = tanh(f * s.c_before + i * g);  // the c of this step, before any zoneout
        const Real one = 1;
        const Vector<Real> dc = d.dc + d.dh * o * (one - tanh_c * tanh_c);
        dgates[0] = dc * g * i * (one - i);
        dgates[1] = dc * s.c_before * f * (one - f);
        dgates[2] = dc * i * (one - g * g);
        dgates[3] = d.dh * tanh_c * o * (one - o);
        d.dc_before = dc * f;
        d.dc_total = dc;
    }
};
