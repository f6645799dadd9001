// GRU of Cho et al. (2014), arXiv 1406.1078v3: the reset gate acts before the product, so a step has two; gates r z n.
//   n = tanh(W_in x + W_hn (r h') + b)        h = (1 - z) n + z h'
// The time loops form r h' and the second product, and what of the gradient passes r (`resets`).

struct GruBefore : Plain {
    static constexpr int gates = 3;
    static constexpr bool resets = true;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>*,
                        Vector<Real>* gate, Block<Real>& s) {
        const Vector<Real> z = sigmoid(product[1] + projected[1]);
        const Vector<Real> n = tanh(product[2] + projected[2]);
        s.h = n + z * (s.h_before - n);
        gate[0] = sigmoid(product[0] + projected[0]), gate[1] = z, gate[2] = n;
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> z = gate[1], n = gate[2];
        const Real one = 1;
        dgates[0] = Vector<Real>{};
        dgates[1] = d.dh * (s.h_before - n) * z * (one - z);
        dgates[2] = d.dh * (one - z) * (one - n * n);
        d.dh_before = d.dh * z;
    }
};
