// What a tier offers, as a table of functions. One table per instruction set; the dispatch picks one at run time.
#pragma once

#include "elman/cross_entropy.h"
#include "elman/gemm.h"
#include "elman/recurrent.h"

namespace elman {

// Rows [first, last), which go through the steps together, by one thread or by several of which each has its own units.
struct Group {
    Index first, last;
    Index number = 0, count = 1;  // this thread, of so many
    void (*barrier)() = nullptr;  // of several threads
    void wait() const {
        if (barrier) barrier();
    }
};

// One of `count` shares of a packing.
struct Share {
    Index number, count;
};

template <class Real>
struct CellFunctions {
    // For h W_hh^T: [H, G * width], and behind it the biases that join W_ih x and the product, [G * width] each.
    // whole: null, or memory for G * H rows of a strip, and the matrix is packed as pairs of bfloat16.
    void (*pack_forward)(Index hidden, const Real* weight_hh, const Real* bias_ih, const Real* bias_hh, Real* panels, Share,
                         Real* whole);
    // For da W_hh: [G * H, width], likewise.
    void (*pack_backward)(Index hidden, const Real* weight_hh, Real* panels, Share, Real* whole);
    // For W_ih x: [I, G * width].
    void (*pack_input)(Index hidden, Index input, const Real* weight_ih, Real* panels, Share);
    // projected [rows, G * width] = x [rows, I] times those panels.
    void (*project)(Index hidden, Index input, Index rows, const Real* x, const Real* panels, Real* projected);
    // workspace: (4 + G) * width for each row of the group, and for each of its threads another G * width with bfloat16.
    // A group of several threads is for cells that have one product and no normalisation, and without norms.
    void (*forward)(const Forward<Real>&, const Group&, Real* workspace);
    void (*backward)(const Backward<Real>&, const Group&, Real* workspace);
    // Units [first, last) of every row; `h_before` [B, H] is the state before. workspace: (4 * G + 1) * width.
    void (*step)(const Step<Real>&, const Real* h_before, Index first, Index last, Real* workspace);
};

template <class Real>
struct Functions {
    Index lanes;                   // elements of a vector; width is H padded to a multiple of it
    CellFunctions<Real> cells[cell_count];  // in the order of Cell
    void (*gemm)(const Gemm<Real>&, Real* workspace);  // one thread's part
    void (*gemm_bfloat16)(const Gemm<Real>&, Real* workspace);  // or null
    Index gemm_workspace;
    Index strip_columns;  // of a packed matrix, at most
    void (*cross_entropy)(const CrossEntropy<Real>&, Index first_row, Index last_row);
};

struct Tier {
    const char* name;
    bool (*supported)();
    Functions<float> f32;
    Functions<double> f64;
};

extern const Tier scalar_tier;
#ifdef __x86_64__
extern const Tier avx2_tier;
extern const Tier avx512_tier;
#endif

}  // namespace elman
