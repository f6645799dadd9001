// Leaky units (Jaeger et al. 2007): h = (1 - a) h' + a f(W_ih x + W_hh h' + b), a per unit; its one gate is f(..).

template <bool Relu>
struct Leaky : Plain {
    static constexpr int gates = 1, vectors = 1;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>* leak,
                        Vector<Real>* gate, Block<Real>& s) {
        gate[0] = activation<Relu, Real>(product[0] + projected[0]);
        s.h = s.h_before + leak[0] * (gate[0] - s.h_before);
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>* leak, const Block<Real>& s,
                         BlockGradient<Real>& d, Vector<Real>* dgates, Vector<Real>* dleak) {
        dgates[0] = slope_times<Relu, Real>(gate[0], d.dh * leak[0]);
        dleak[0] = d.dh * (gate[0] - s.h_before);
        d.dh_before = d.dh * (Real(1) - leak[0]);
    }
};
