// Elman (1990): h = f(a), a = W_ih x + b_ih + W_hh h' + b_hh, f = tanh or relu; h' is the state before.
//
// A cell is a policy of the time loops in sweep.h. It sees one block of units of one row:
//   forward   product[G] = W_hh h', projected[G] = W_ih x + biases, the state before -> the state, gates and inner
//   backward  gradients of the state -> of `projected` (dgates), of the product (dproduct), and what of the state's
//             gradient goes straight to the state before (dh_before, dc_before), beside the way through the product

template <class Real>
struct Block {  // the state before the step, and after it
    Vector<Real> h_before, c_before, h, c, inner;
};

template <class Real>
struct BlockGradient {
    Vector<Real> dh, dc, dh_before, dc_before;
};

template <bool Relu>
struct Rnn {
    static constexpr int gates = 1;
    static constexpr bool keeps_gates = false, has_c = false, has_inner = false, last_product_apart = false;

    template <class Real>
    static void forward(const Vector<Real>* product, const Vector<Real>* projected, Vector<Real>*,
                        Block<Real>& s) {
        const Vector<Real> a = product[0] + projected[0];
        s.h = Relu ? at_least(a, Real(0)) : tanh(a);
    }

    template <class Real>
    static void backward(const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d, Vector<Real>* dgates,
                         Vector<Real>* dproduct) {
        dgates[0] = Relu ? (s.h > Real(0) ? d.dh : Vector<Real>{}) : d.dh * (Real(1) - s.h * s.h);
        dproduct[0] = dgates[0];
        d.dh_before = Vector<Real>{};
    }
};
