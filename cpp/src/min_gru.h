// minGRU (Feng et al. 2024): gates of the input alone, z n. h = (1 - z) h' + z n, n without nonlinearity

struct MinGru : Plain {
    static constexpr int gates = 2;
    static constexpr bool product = false;

    template <class Real>
    static void forward(const Vector<Real>*, const Vector<Real>* projected, const Vector<Real>*, Vector<Real>* gate,
                        Block<Real>& s) {
        gate[0] = sigmoid(projected[0]), gate[1] = projected[1];
        s.h = s.h_before + gate[0] * (gate[1] - s.h_before);
    }

    template <class Real>
    static void backward(const Vector<Real>* gate, const Vector<Real>*, const Block<Real>& s, BlockGradient<Real>& d,
                         Vector<Real>* dgates, Vector<Real>*) {
        const Vector<Real> z = gate[0], n = gate[1];
        dgates[0] = d.dh * (n - s.h_before) * z * (Real(1) - z);
        dgates[1] = d.dh * z;
        d.dh_before = d.dh * (Real(1) - z);
    }
};
