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
    return block_depth * block_columns<Real> + block_rows * (block_depth + Lanes<Real>) + block_rows * strip_columns;
}

// Packs B [depth, columns].
template <class Real>
void pack_block(const Real* b, Index row, Index column, Index depth, Index columns, Real* panels) {
    constexpr Index n = Lanes<Real>, full = PanelVectors * n;
    for (Index begin = 0; begin < columns; begin += full, panels += full * depth) {
        const Index end = least(begin + full, columns), stride = padded<Real>(end - begin);
        if (column == 1) {
            for (Index k = 0; k < depth; ++k)
                for (Index j = begin; j < end; j += n)
                    store(panels + k * stride + j - begin, load_some(b + k * row + j, end - j));
        } else {
            for (Index j = begin; j < end; j += n)
                transpose(b + j * column, column, least(n, end - j), depth, panels + j - begin, stride);
        }
    }
}

// One thread's part. workspace: gemm_workspace.
template <class Real>
void gemm_part(const Gemm<Real>& g, Real* workspace) {
    constexpr Index n = Lanes<Real>, full = PanelVectors * n;
    if (g.depth == 0 && !g.accumulate)
        for (Index i = 0; i < g.rows; ++i) clear(g.c + i * g.c_row, g.columns);
    if (g.depth == 0) return;
    Real* const panels = workspace;
    Real* const turned = panels + block_depth * block_columns<Real>;
    Real* const edge = turned + block_rows * (block_depth + n);
    const Index cuts = (g.depth + block_depth - 1) / block_depth, length = (g.depth + cuts - 1) / cuts;
    for (Index j = 0; j < g.columns; j += block_columns<Real>) {
        const Index columns = least(block_columns<Real>, g.columns - j);
        const Index direct = columns % n ? columns / full * full : columns, rest = columns - direct;
        for (Index k = 0; k < g.depth; k += length) {
            const Index depth = least(length, g.depth - k);
            const bool add = g.accumulate || k > 0;
            pack_block(g.b + k * g.b_row + j * g.b_column, g.b_row, g.b_column, depth, columns, panels);
            for (Index i = 0; i < g.rows; i += block_rows) {
                const Index rows = least(block_rows, g.rows - i);
                const Real* a = g.a + i * g.a_row + k * g.a_column;
                Index stride = g.a_row;
                if (g.a_column != 1) {
                    stride = padded<Real>(depth) + n;
                    for (Index some = 0; some < depth; some += n)
                        transpose(a + some * g.a_column, g.a_column, least(n, depth - some), rows, turned + some, stride);
                    a = turned;
                }
                Real* const c = g.c + i * g.c_row + j;
                if (add)
                    multiply<true>(rows, depth, direct, a, stride, panels, c, g.c_row);
                else
                    multiply<false>(rows, depth, direct, a, stride, panels, c, g.c_row);
                if (!rest) continue;
                multiply<false>(rows, depth, padded<Real>(rest), a, stride, panels + direct * depth, edge, full);
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
