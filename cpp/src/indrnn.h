// Independently recurrent (Li et al. 2018, eq. 2): h = f(W_ih x + b + u h'), u per unit; its one gate is f(..).

template <bool Relu>
struct IndRnn : Plain {
    static constexpr int gates = 1, vectors = 1;
    static constexpr bool product = false;

    template <class Real>
    static void forward(const Vector<Real>*, const Vector<Real>* projected, const Vector<Real>* u, Vector<Real>* gate,
                        Block<Real>& s) {
        s.h = gate[0] = activation<Relu, Real>(projected[0] + u[0] * s.entering);
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>* u, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>* du) {
        dgates[0] = slope_times<Relu, Real>(gate[0], d.dh);
        du[0] = dgates[0] * s.entering;
        d.dentering = dgates[0] * u[0];
    }
};
