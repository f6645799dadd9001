// The product of two matrices of any size, by blocks that stay in the cache while they are used.
//
// A block of B is packed into the panels of product.h; of A, whose rows the tile reads one number at a time, only a
// transposed one is turned. K is cut into equal blocks, by its size alone.

constexpr Index block_depth = 384, block_rows = 192;
template <class Real>
constexpr Index block_columns = 1536 / Index(sizeof(Real));
constexpr Index strip_columns = PanelVectors * ELMAN_VECTOR_BYTES / 4;

template <class Real>
constexpr Index gemm_workspace() {
    return block_depth * block_columns<Real> + 2 * block_rows * (block_depth + Lanes<Real>) + block_rows * strip_columns;
}

// Packs B [depth, columns], at most a strip.
template <class Real>
void pack_strip(const Real* b, Index row, Index column, Index depth, Index columns, Real* panel) {
    constexpr Index n = Lanes<Real>;
    const Index stride = padded<Real>(columns);
    if (column == 1) {
        for (Index k = 0; k < depth; ++k)
            for (Index j = 0; j < columns; j += n) store(panel + k * stride + j, load_some(b + k * row + j, columns - j));
    } else {
        for (Index j = 0; j < columns; j += n)
            transpose(b + j * column, column, least(n, columns - j), depth, panel + j, stride);
    }
}

// One thread's part. workspace: gemm_workspace.
template <bool Pairs, class Real>
void gemm_part(const Gemm<Real>& g, Real* workspace) {
    constexpr Index n = Lanes<Real>, full = PanelVectors * n, turned_stride = block_depth + n;
    if (g.depth == 0 && !g.accumulate)
        for (Index i = 0; i < g.rows; ++i) clear(g.c + i * g.c_row, g.columns);
    if (g.depth == 0) return;
    Real* const panels = workspace;
    Real* const turned = panels + block_depth * block_columns<Real>;
    Real* const paired = turned + block_rows * turned_stride;
    Real* const edge = paired + block_rows * turned_stride;
    const Index cuts = (g.depth + block_depth - 1) / block_depth, length = (g.depth + cuts - 1) / cuts;
    for (Index j = 0; j < g.columns; j += block_columns<Real>) {
        const Index columns = least(block_columns<Real>, g.columns - j);
        const Index direct = columns % n ? columns / full * full : columns, rest = columns - direct;
        for (Index k = 0; k < g.depth; k += length) {
            const Index numbers = least(length, g.depth - k), depth = Pairs ? (numbers + 1) / 2 : numbers;
            const bool add = g.accumulate || k > 0;
            for (Index begin = 0; begin < columns; begin += full) {
                const Index some = least(full, columns - begin);
                Real* const panel = panels + begin * depth;
                Real* const whole = Pairs ? turned : panel;
                pack_strip(g.b + k * g.b_row + (j + begin) * g.b_column, g.b_row, g.b_column, numbers, some, whole);
                if constexpr (Pairs) pair_rows(whole, numbers, padded<Real>(some), panel);
            }
            for (Index i = 0; i < g.rows; i += block_rows) {
                const Index rows = least(block_rows, g.rows - i);
                const Real* a = g.a + i * g.a_row + k * g.a_column;
                Index stride = g.a_row;
                if (g.a_column != 1) {
                    for (Index some = 0; some < numbers; some += n)
                        transpose(a + some * g.a_column, g.a_column, least(n, numbers - some), rows, turned + some,
                                  turned_stride);
                    a = turned, stride = turned_stride;
                }
                if constexpr (Pairs) {
                    pair_columns(a, stride, rows, numbers, paired, turned_stride);
                    a = paired, stride = turned_stride;
                }
                Real* const c = g.c + i * g.c_row + j;
                if (add)
                    multiply<true, Pairs>(rows, depth, direct, a, stride, panels, c, g.c_row);
                else
                    multiply<false, Pairs>(rows, depth, direct, a, stride, panels, c, g.c_row);
                if (!rest) continue;
                multiply<false, Pairs>(rows, depth, padded<Real>(rest), a, stride, panels + direct * depth, edge, full);
                for (Index r = 0; r < rows; ++r)
                    for_blocks<Real>(rest, [&](Index column, auto lanes) {
                        Real* const to = c + r * g.c_row + direct + column;
                        const Vector<Real> sum = lanes.get(edge + r * full + column);
                        lanes.put(to, add ? lanes.get(to) + sum : sum);
                    });
            }
        }
    }
}

template <class Real>
constexpr auto gemm_of_pairs() -> void (*)(const Gemm<Real>&, Real*) {
#ifdef __AVX512F__
    if constexpr (sizeof(Real) == sizeof(float)) return gemm_part<true, Real>;
#endif
    return nullptr;
}
