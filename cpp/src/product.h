// The product of a few rows with a packed matrix that stays in cache: the one inner loop of all cells.
//
// Panels: a matrix [K, columns] cut into strips of up to PanelVectors vectors of columns; each strip is contiguous
// [K][strip], so the loop over k reads memory in order. Columns are padded with zeros to whole vectors.
// Sums run over k in order, alone for each element, so an element does not depend on the tile it was computed in.

constexpr int TileRows = 6;
constexpr int PanelVectors = ELMAN_PANEL_VECTORS;

inline Index least(Index a, Index b) { return a < b ? a : b; }
template <class Real>
constexpr Index padded(Index n) { return (n + Lanes<Real> - 1) / Lanes<Real> * Lanes<Real>; }

// The first elements of p, at most a vector.
template <class Real>
inline Vector<Real> load_some(const Real* p, Index count) {
    return count >= Lanes<Real> ? load(p) : load(p, count);
}

// Whether products of pairs of bfloat16 are to be had in this tier; the processor may still lack them.
template <class Real>
constexpr bool has_pairs = false;
#ifdef __AVX512F__
template <>
constexpr bool has_pairs<float> = true;

// Rows k and k + 1 of a packed strip, each number beside the one below it, as bfloat16.
inline void pair_rows(const float* panel, Index depth, Index stride, float* to) {
    const auto half = [](const float* p) { return _mm512_maskz_cvtepu16_epi32(0xffff, to_bfloat16(load(p))); };
    for (Index k = 0; k < depth; k += 2)
        for (Index j = 0; j < stride; j += Lanes<float>) {
            const float* const p = panel + k * stride + j;
            __m512i both = half(p);
            if (k + 1 < depth) both = _mm512_or_si512(both, _mm512_maskz_slli_epi32(0xffff, half(p + stride), 16));
            __builtin_memcpy(to + k / 2 * stride + j, &both, sizeof both);
        }
}

// Neighbours of each row as a pair, in rows of to_stride.
inline void pair_columns(const float* a, Index stride, Index rows, Index depth, float* to, Index to_stride) {
    for (Index r = 0; r < rows; ++r)
        for (Index k = 0; k < depth; k += Lanes<float>) {
            const __m256i pairs = to_bfloat16(load_some(a + r * stride + k, depth - k));
            __builtin_memcpy(to + r * to_stride + k / 2, &pairs, sizeof pairs);
        }
}
#endif

// Calls body(column, strip, stride) for each vector of columns: its first column, where its lanes of row k = 0 go, and
// how far row k + 1 lies behind. Shares take the strips in turn. Where there is a `whole` [depth, strip], strips are
// written there and become pairs in the panels.
template <class Real, class Body>
inline void for_column_vectors(Index depth, Index columns, Real* panels, Share share, Real* whole, Body body) {
    constexpr Index full = PanelVectors * Lanes<Real>;
    for (Index begin = share.number * full; begin < columns; begin += share.count * full) {
        const Index stride = least(columns - begin, full);
        Real* const strip = whole ? whole : panels + begin * depth;
        for (Index c = 0; c < stride; c += Lanes<Real>) body(begin + c, strip + c, stride);
        if constexpr (has_pairs<Real>)
            if (whole) pair_rows(whole, depth, stride, panels + begin * ((depth + 1) / 2));
    }
}

// Transposes a square of Lanes vectors in registers: lanes and vectors swap the bits of their numbers one by one.
template <int Distance, class Real>
inline void transpose_from(Vector<Real>* v) {
    constexpr int n = Lanes<Real>;
    typedef decltype(Vector<Real>{} < Vector<Real>{}) Lane;
    Lane low, high;
    for (int i = 0; i < n; ++i) {
        low[i] = i & Distance ? n + i - Distance : i;
        high[i] = i & Distance ? n + i : i + Distance;
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i)
        if (!(i & Distance)) {
            const Vector<Real> a = v[i], b = v[i + Distance];
            v[i] = __builtin_shuffle(a, b, low);
            v[i + Distance] = __builtin_shuffle(a, b, high);
        }
    if constexpr (Distance > 1) transpose_from<Distance / 2, Real>(v);
}

// to[k, :] = from[:, k] for k < depth, of at most Lanes rows; lanes beyond them become 0.
template <class Real>
void transpose(const Real* from, Index from_stride, Index rows, Index depth, Real* to, Index to_stride) {
    constexpr Index n = Lanes<Real>;
    for (Index k = 0; k < depth; k += n) {
        const Index some = least(n, depth - k);
        Vector<Real> square[n];
        for (Index i = 0; i < n; ++i) square[i] = i < rows ? load_some(from + i * from_stride + k, some) : Vector<Real>{};
        transpose_from<n / 2, Real>(square);
        for (Index i = 0; i < some; ++i) store(to + (k + i) * to_stride, square[i]);
    }
}

// Packs the transpose of G matrices [H, depth] that lie behind each other; each takes padded<Real>(H) columns.
template <class Real>
void pack_transposed(const Real* matrices, Index count, Index H, Index depth, Real* panels, Share share,
                     Real* whole = nullptr) {
    const Index width = padded<Real>(H);
    for_column_vectors(depth, count * width, panels, share, whole, [&](Index column, Real* to, Index stride) {
        const Index unit = column % width;
        transpose(matrices + (column / width * H + unit) * depth, depth, least(Lanes<Real>, H - unit), depth, to, stride);
    });
}

// Packs a matrix [depth, H].
template <class Real>
void pack(const Real* matrix, Index depth, Index H, Real* panels, Share share, Real* whole) {
    for_column_vectors(depth, padded<Real>(H), panels, share, whole, [&](Index unit, Real* to, Index stride) {
        for (Index k = 0; k < depth; ++k) store(to + k * stride, load_some(matrix + k * H + unit, H - unit));
    });
}

// out[r, :] (+)= sum over k of a[r, k] * panel[k, :], for Rows rows and Columns vectors of columns.
// With Pairs both operands hold two bfloat16 in the place of a float, and depth counts pairs.
template <int Rows, int Columns, bool Accumulate, bool Pairs, class Real>
inline void tile(Index depth, const Real* a, Index a_stride, const Real* panel, Real* out, Index out_stride) {
    Vector<Real> sum[Rows][Columns];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < Columns; ++c)
            sum[r][c] = Vector<Real>{};
    for (Index k = 0; k < depth; ++k) {
        Vector<Real> w[Columns];
#pragma GCC unroll 8
        for (int c = 0; c < Columns; ++c) w[c] = load(panel + c * Lanes<Real>);
        panel += Columns * Lanes<Real>;
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
            const Real x = a[r * a_stride + k];
#pragma GCC unroll 8
            for (int c = 0; c < Columns; ++c)
                if constexpr (Pairs)
                    add_products_of_pairs(sum[r][c], broadcast(x), w[c]);
                else
                    sum[r][c] += x * w[c];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < Columns; ++c) {
            Real* const to = out + r * out_stride + c * Lanes<Real>;
            store(to, Accumulate ? load(to) + sum[r][c] : sum[r][c]);
        }
}

template <int Columns, bool Accumulate, bool Pairs, class Real>
void strip(Index rows, Index depth, const Real* a, Index a_stride, const Real* panel, Real* out, Index out_stride) {
    while (rows > 0) {
        // 7 to 11 rows are halved, so that no tile is left with one row.
        const Index now = rows <= TileRows ? rows : rows < 2 * TileRows ? (rows + 1) / 2 : TileRows;
        switch (now) {
            case 1: tile<1, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
            case 2: tile<2, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
            case 3: tile<3, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
            case 4: tile<4, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
            case 5: tile<5, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
            default: tile<6, Columns, Accumulate, Pairs>(depth, a, a_stride, panel, out, out_stride); break;
        }
        rows -= now;
        a += now * a_stride;
        out += now * out_stride;
    }
}

// out [rows, columns] (+)= a [rows, depth] times the packed matrix [depth, columns].
// Called turn by turn with backwards true and false, the first strips are those that the last call left in the cache.
template <bool Accumulate, bool Pairs = false, class Real>
void multiply(Index rows, Index depth, Index columns, const Real* a, Index a_stride, const Real* panels, Real* out,
              Index out_stride, bool backwards = false) {
    constexpr Index full = PanelVectors * Lanes<Real>;
    const Index strips = (columns + full - 1) / full;
    for (Index i = 0; i < strips; ++i) {
        const Index begin = (backwards ? strips - 1 - i : i) * full;
        const Real* const panel = panels + begin * depth;
        switch (least(columns - begin, full) / Lanes<Real>) {
            case 1: strip<1, Accumulate, Pairs>(rows, depth, a, a_stride, panel, out + begin, out_stride); break;
#if ELMAN_PANEL_VECTORS > 2
            case 2: strip<2, Accumulate, Pairs>(rows, depth, a, a_stride, panel, out + begin, out_stride); break;
            case 3: strip<3, Accumulate, Pairs>(rows, depth, a, a_stride, panel, out + begin, out_stride); break;
#endif
            default: strip<PanelVectors, Accumulate, Pairs>(rows, depth, a, a_stride, panel, out + begin, out_stride); break;
        }
    }
}

// A thread's part of `size`, in multiples of the grain.
struct Part {
    Index first, last;
};
inline Part part_of(Index size, Index grain, const Group& group) {
    const Index grains = (size + grain - 1) / grain;
    return {least(size, grains * group.number / group.count * grain),
            least(size, grains * (group.number + 1) / group.count * grain)};
}

// A thread's strips of such a product. Where the panels hold pairs, `paired` has room for a [rows, padded depth / 2].
template <bool Accumulate, class Real>
void multiply(const Group& group, Index rows, Index depth, Index columns, const Real* a, Index a_stride,
              const Real* panels, Real* out, Index out_stride, bool backwards, Real* paired) {
    const Part mine = part_of(columns, PanelVectors * Lanes<Real>, group);
    columns = mine.last - mine.first, out += mine.first;
    if constexpr (has_pairs<Real>)
        if (paired) {
            const Index stride = padded<Real>(depth) / 2, pairs = (depth + 1) / 2;
            pair_columns(a, a_stride, rows, depth, paired, stride);
            return multiply<Accumulate, true>(rows, pairs, columns, paired, stride, panels + mine.first * pairs, out,
                                              out_stride, backwards);
        }
    multiply<Accumulate>(rows, depth, columns, a, a_stride, panels + mine.first * depth, out, out_stride, backwards);
}
