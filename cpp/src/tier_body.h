// The body of every tier. A tier file names itself, says how wide its vectors are and includes this.
// Everything but the table is in an anonymous namespace: code compiled for one instruction set must not be picked by
// the linker for another. For the same reason no standard header with inline functions is included here.

#include "tier.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace elman {
namespace {

#include "vector.h"
#include "product.h"
#include "row.h"
#include "gemm.h"
#include "cross_entropy.h"
#include "rnn.h"
#include "lstm.h"
#include "gru.h"
#include "leaky.h"
#include "indrnn.h"
#include "peephole.h"
#include "coupled.h"
#include "min_gru.h"
#include "min_lstm.h"
#include "gru_before.h"
#include "layer_norm.h"
#include "sweep.h"

template <class Cell, class Real>
constexpr CellFunctions<Real> cell_functions() {
    return {pack_forward<Cell, Real>, pack_backward<Cell, Real>, pack_input<Cell, Real>, project<Cell, Real>,
            forward_rows<Cell, Real>, backward_rows<Cell, Real>, step_rows<Cell, Real>};
}

template <class Real>
constexpr Functions<Real> functions() {
    return {Lanes<Real>,
            {cell_functions<Rnn<false>, Real>(), cell_functions<Rnn<true>, Real>(), cell_functions<Lstm, Real>(),
             cell_functions<Gru, Real>(), cell_functions<Leaky<false>, Real>(), cell_functions<Leaky<true>, Real>(),
             cell_functions<IndRnn<false>, Real>(), cell_functions<IndRnn<true>, Real>(),
             cell_functions<Peephole, Real>(), cell_functions<Coupled, Real>(), cell_functions<MinGru, Real>(),
             cell_functions<MinLstm, Real>(), cell_functions<GruBefore, Real>(), cell_functions<LayerLstm, Real>(),
             cell_functions<LayerGru, Real>()},
            gemm_part<false, Real>,
            gemm_of_pairs<Real>(),
            gemm_workspace<Real>(),
            PanelVectors * Lanes<Real>,
            cross_entropy_rows<Real>};
}

bool supported() { return ELMAN_SUPPORTED; }

}  // namespace

const Tier ELMAN_TIER = {ELMAN_TIER_NAME, supported, functions<float>(), functions<double>()};

}  // namespace elman
