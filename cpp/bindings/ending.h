// Threads that are still at work when the interpreter ends. Until Python 3.14 it ends such a thread, a daemon, where the
// thread next wants the interpreter's lock, by unwinding its stack: C++ frames in between, ours and torch's, do not allow
// that and abort the process. Here the thread rests until the process is gone, as it does from Python 3.14 on.
#pragma once

#include <Python.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>

namespace {

[[noreturn]] void rest() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

bool is_ending() {
#if PY_VERSION_HEX >= 0x030d0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

// While one of these lives, this thread does not hold the interpreter's lock.
class WithoutGil {
public:
    WithoutGil() : state_(PyEval_SaveThread()) {}
    ~WithoutGil() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {  // throws nothing but the thread's end
            rest();
        }
    }
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

private:
    PyThreadState* const state_;
};

std::terminate_handler terminate_before = nullptr;
std::thread::id main_thread;

[[noreturn]] void rest_or_terminate() {
    if (is_ending() && std::this_thread::get_id() != main_thread) rest();
    if (terminate_before) terminate_before();
    std::abort();
}

// The same for threads whose end reaches frames of torch, which calls our operators. To be called once.
void rest_where_the_interpreter_ends() {
    main_thread = std::this_thread::get_id();
    terminate_before = std::set_terminate(rest_or_terminate);
}

}  // namespace
