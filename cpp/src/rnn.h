// Elman (1990): h = f(a), a = W_ih x + b_ih + W_hh h' + b_hh, f = tanh or relu; h' is the state before.
//
// A cell is a policy of the time loops in sweep.h. It sees one block of units of one row:
//   forward   product[G] = W_hh h', projected[G] = W_ih x + biases, the state before -> the state, gates and inner
//   backward  gradients of the state -> of `projected` and the product (dgates; of the last product, dlast, where it is
//             kept apart), and what of the state's gradient goes straight to the state before (dh_before, dc_before),
//             beside the way through the product; 0 unless the cell says otherwise
// `product` is zero without a matrix; such a cell reads `entering`, h' as a product would see it, and gives `dentering`.

template <class Real>
struct Block {  // the state before the step, and after it
    Vector<Real> h_before, c_before, entering, h, c, inner;
};

template <class Real>
struct BlockGradient {
    Vector<Real> dh, dc, dlast, dh_before, dc_before, dentering, dc_total;
};

struct Plain {  // what most cells are
    static constexpr int vectors = 0;
    static constexpr bool product = true, keeps_gates = true, has_c = false, has_inner = false;
    static constexpr bool last_product_apart = false, resets = false;
    static constexpr int together = 0;  // gates that are normalised together, if any are (layer_norm.h)
};

template <bool Relu, class Real>
inline Vector<Real> activation(Vector<Real> a) { return Relu ? at_least(a, Real(0)) : tanh(a); }

// The derivative of f(a) times d, from f(a). A NaN is not at rest: what arrives at it goes on, as in torch.
template <bool Relu, class Real>
inline Vector<Real> slope_times(Vector<Real> f, Vector<Real> d) {
    return Relu ? (f <= Real(0) ? Vector<Real>{} : d) : d * (Real(1) - f * f);
}

template <bool Relu>
struct Rnn : Plain {
    static constexpr int gates = 1;
    static constexpr bool keeps_gates = false;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, const Vector<Real>*, Vector<Real>*,
                        Block<Real>& s) {
        s.h = activation<Relu, Real>(product[0] + projected[0]);
    }

    template <class Real>
    static void backward(const Vector<Real>*, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        dgates[0] = slope_times<Relu, Real>(s.h, d.dh);
    }
};
