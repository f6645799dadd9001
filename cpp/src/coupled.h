// LSTM with coupled gates (Greff et al. 2017, CIFG): i = 1 - f; gates f g o. c = f c' + (1 - f) g, h = o tanh(c)

struct Coupled : Plain {
    static constexpr int gates = 3;
    static constexpr bool has_c = true;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>*,
                        Vector<Real>* gate, Block<Real>& s) {
        const Vector<Real> f = sigmoid(product[0] + projected[0]);
        const Vector<Real> g = tanh(product[1] + projected[1]);
        const Vector<Real> o = sigmoid(product[2] + projected[2]);
        s.c = g + f * (s.c_before - g);
        s.h = o * tanh(s.c);
        gate[0] = f, gate[1] = g, gate[2] = o;
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> f = gate[0], g = gate[1], o = gate[2];
        const Vector<Real> tanh_c = tanh(g + f * (s.c_before - g));
        const Real one = 1;
        const Vector<Real> dc = d.dc + d.dh * o * (one - tanh_c * tanh_c);
        dgates[0] = dc * (s.c_before - g) * f * (one - f);
        dgates[1] = dc * (one - f) * (one - g * g);
        dgates[2] = d.dh * tanh_c * o * (one - o);
        d.dc_before = dc * f;
        d.dc_total = dc;
    }
};
