// Cho et al. (2014), arXiv 1406.1078v1: the reset gate acts after the product, as in torch and cuDNN; gates r z n.
//   n = tanh(W_in x + b_in + r (W_hn h' + b_hn))        h = (1 - z) n + z h'

struct Gru : Plain {
    static constexpr int gates = 3;
    static constexpr bool has_inner = true, last_product_apart = true;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>*,
                        Vector<Real>* gate, Block<Real>& s) {
        const Vector<Real> r = sigmoid(product[0] + projected[0]);
        const Vector<Real> z = sigmoid(product[1] + projected[1]);
        s.inner = product[2];
        const Vector<Real> n = tanh(projected[2] + r * s.inner);
        s.h = n + z * (s.h_before - n);
        gate[0] = r, gate[1] = z, gate[2] = n;
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> r = gate[0], z = gate[1], n = gate[2];
        const Real one = 1;
        const Vector<Real> da_n = d.dh * (one - z) * (one - n * n);
        dgates[0] = da_n * s.inner * r * (one - r);
        dgates[1] = d.dh * (s.h_before - n) * z * (one - z);
        dgates[2] = da_n;
        d.dlast = da_n * r;
        d.dh_before = d.dh * z;
    }
};
