// The vector words: a register of Lanes elements, loads and stores of whole or partial vectors, tanh and sigmoid.
// GCC's vector types lower to the tier's instructions; intrinsics only where the language has no word for them.
// Included inside each tier's anonymous namespace, so nothing here reaches the linker.

template <class Real>
constexpr int Lanes = ELMAN_VECTOR_BYTES / sizeof(Real);

template <class Real>
struct VectorOf {
    typedef Real type __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
};
template <class Real>
using Vector = typename VectorOf<Real>::type;

template <class Real>
inline Vector<Real> load(const Real* p) {
    Vector<Real> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

template <class Real>
inline void store(Real* p, Vector<Real> v) {
    __builtin_memcpy(p, &v, sizeof v);
}

#ifdef __AVX512F__
inline __mmask16 mask_of(Index n, float) { return static_cast<__mmask16>((1u << n) - 1); }
inline __mmask8 mask_of(Index n, double) { return static_cast<__mmask8>((1u << n) - 1); }
inline Vector<float> load(const float* p, Index n) { return Vector<float>(_mm512_maskz_loadu_ps(mask_of(n, 0.f), p)); }
inline Vector<double> load(const double* p, Index n) { return Vector<double>(_mm512_maskz_loadu_pd(mask_of(n, 0.), p)); }
inline void store(float* p, Vector<float> v, Index n) { _mm512_mask_storeu_ps(p, mask_of(n, 0.f), __m512(v)); }
inline void store(double* p, Vector<double> v, Index n) { _mm512_mask_storeu_pd(p, mask_of(n, 0.), __m512d(v)); }
#else
// The first n elements; the others are 0 and are not touched in memory.
template <class Real>
inline Vector<Real> load(const Real* p, Index n) {
    Vector<Real> v = {};
    for (Index i = 0; i < n; ++i) v[i] = p[i];
    return v;
}

template <class Real>
inline void store(Real* p, Vector<Real> v, Index n) {
    for (Index i = 0; i < n; ++i) p[i] = v[i];
}
#endif

#ifdef __AVX512F__
// Pairs of bfloat16, each pair in the place of a float. In assembler, so that the tier runs without these instructions.
inline __m256i to_bfloat16(Vector<float> v) {
    __m256i found;
    asm("vcvtneps2bf16 %1, %0" : "=v"(found) : "v"(v));
    return found;
}
inline Vector<float> broadcast(float pair) { return Vector<float>(_mm512_set1_ps(pair)); }
inline void add_products_of_pairs(Vector<float>& sum, Vector<float> a, Vector<float> b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}
#endif

// A block of units of one row: all lanes, or the first `count` at the end of the row.
struct Whole {
    template <class Real>
    Vector<Real> get(const Real* p) const { return load(p); }
    template <class Real>
    void put(Real* p, Vector<Real> v) const { store(p, v); }
};

struct Partial {
    Index count;
    template <class Real>
    Vector<Real> get(const Real* p) const { return load(p, count); }
    template <class Real>
    void put(Real* p, Vector<Real> v) const { store(p, v, count); }
};

// Of two operands that do not compare, x86's minimum and maximum return the second: a NaN in v stays.
#ifdef __AVX512F__
inline Vector<float> at_most(Vector<float> v, float limit) {
    return Vector<float>(_mm512_maskz_min_ps(0xffff, _mm512_set1_ps(limit), __m512(v)));
}
inline Vector<float> at_least(Vector<float> v, float limit) {
    return Vector<float>(_mm512_maskz_max_ps(0xffff, _mm512_set1_ps(limit), __m512(v)));
}
#else
inline Vector<float> at_most(Vector<float> v, float limit) { return v > limit ? Vector<float>{} + limit : v; }
inline Vector<float> at_least(Vector<float> v, float limit) { return v < limit ? Vector<float>{} + limit : v; }
#endif
inline Vector<double> at_most(Vector<double> v, double limit) { return v > limit ? Vector<double>{} + limit : v; }
inline Vector<double> at_least(Vector<double> v, double limit) { return v < limit ? Vector<double>{} + limit : v; }

inline Vector<float> reciprocal(Vector<float> v) {
#ifdef __AVX512F__
    Vector<float> r = Vector<float>(_mm512_maskz_rcp14_ps(0xffff, __m512(v)));  // 14 bits, doubled by one Newton step
    return r * (2.0f - v * r);
#else
    return 1.0f / v;
#endif
}

// tanh(x) = x P(x^2) / Q(x^2), a minimax fit on [-9.02, 9.02]: relative error 2.1e-8 before rounding, at most 6 ulp
// after it; beyond, float tanh is 1. From there to 10 the quotient is above 1 by more than it is rounded, and is cut off:
// an infinity gives exactly 1, or 0 of a sigmoid, so that its product with another one is NaN as elsewhere.
constexpr float tanh_p[] = {0.9999999790430838f, 0.13379706570493202f, 0.0034940210148130865f, 2.058325998164191e-05f,
                            1.3318774029988615e-08f};
constexpr float tanh_q[] = {1.0f, 0.4671302182001918f, 0.02587102173702153f, 0.00032830707171510875f,
                            7.761895395149025e-07f};

inline Vector<float> tanh(Vector<float> x) {
    x = at_least(at_most(x, 10.0f), -10.0f);
    const Vector<float> y = x * x;
    const Vector<float> p = tanh_p[0] + y * (tanh_p[1] + y * (tanh_p[2] + y * (tanh_p[3] + y * tanh_p[4])));
    const Vector<float> q = tanh_q[0] + y * (tanh_q[1] + y * (tanh_q[2] + y * (tanh_q[3] + y * tanh_q[4])));
    return at_least(at_most(x * p * reciprocal(q), 1.0f), -1.0f);
}

// 1 / 2 + tanh(x / 2) / 2, the halves drawn into the coefficients.
inline Vector<float> sigmoid(Vector<float> x) {
    x = at_least(at_most(x, 20.0f), -20.0f);
    const Vector<float> y = x * x;
    const Vector<float> p = tanh_p[0] / 4 + y * (tanh_p[1] / 16 + y * (tanh_p[2] / 64 + y * (tanh_p[3] / 256 + y * (tanh_p[4] / 1024))));
    const Vector<float> q = tanh_q[0] + y * (tanh_q[1] / 4 + y * (tanh_q[2] / 16 + y * (tanh_q[3] / 64 + y * (tanh_q[4] / 256))));
    return at_least(at_most(0.5f + x * p * reciprocal(q), 1.0f), 0.0f);
}

// float64 serves gradient checks: the C library's tanh, lane by lane.
inline Vector<double> tanh(Vector<double> x) {
    for (int i = 0; i < Lanes<double>; ++i) x[i] = __builtin_tanh(x[i]);
    return x;
}

inline Vector<double> sigmoid(Vector<double> x) { return 0.5 + 0.5 * tanh(0.5 * x); }

// exp(-x), held to exp(-80) .. exp(80) so that sums and quotients stay finite: 2^n times a polynomial on
// [-ln 2 / 2, ln 2 / 2].
inline Vector<float> exp_of_minus(Vector<float> x) {
    typedef decltype(x < x) Integers;
    x = -at_least(at_most(x, 80.0f), -80.0f);
    const Vector<float> shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23 rounds to the nearest whole number
    const Vector<float> n = shifted - 12582912.0f;
    const Vector<float> r = x - n * 0.693359375f + n * 2.12194440e-4f;  // ln 2 in two parts
    const Vector<float> p =
        1.0f + r * (1.0f + r * (0.5f + r * (0.16666667f + r * (0.041666646f + r * (0.0083334f + r * 0.0013888f)))));
    const Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
    return p * Vector<float>(exponent);
}

inline Vector<double> exp_of_minus(Vector<double> x) {
    x = at_least(at_most(x, 80), -80);
    for (int i = 0; i < Lanes<double>; ++i) x[i] = __builtin_exp(-x[i]);
    return x;
}
