// While one of these lives, this thread's float units read and write denormals as zero; then the old mode is back.
#pragma once

#include <cstdint>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

namespace elman {

class FlushDenormals {
public:
    FlushDenormals() : before_(get()) { set(before_ | flush); }
    ~FlushDenormals() { set(before_); }
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

private:
#if defined(__x86_64__)
    using Mode = unsigned;
    static constexpr Mode flush = 0x8040;  // FTZ and DAZ of MXCSR
    static Mode get() { return _mm_getcsr(); }
    static void set(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
    using Mode = std::uint64_t;
    static constexpr Mode flush = Mode(1) << 24;  // FZ of FPCR
    static Mode get() {
        Mode mode;
        asm volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void set(Mode mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
    using Mode = int;
    static constexpr Mode flush = 0;
    static Mode get() { return 0; }
    static void set(Mode) {}
#endif
    const Mode before_;
};

}  // namespace elman
