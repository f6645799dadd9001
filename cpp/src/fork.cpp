// A pool belongs to the thread that started it, and a child has only the thread that forked: ending that one is enough.
// LLVM's runtime looks after itself.

#include "elman/fork.h"

#ifdef __linux__
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <cstring>
#include <string>
#include <vector>

namespace elman {
namespace {

constexpr int hard = 2;  // omp_pause_hard of OpenMP 5.0

int add_gnu_runtime(dl_phdr_info* library, std::size_t, void* paths) {
    if (std::strstr(library->dlpi_name, "libgomp"))
        static_cast<std::vector<std::string>*>(paths)->emplace_back(library->dlpi_name);
    return 0;
}

void end_pools() {
    std::vector<std::string> paths;  // opened later: inside the iteration the loader's lock is taken
    dl_iterate_phdr(add_gnu_runtime, &paths);
    for (const std::string& path : paths) {
        void* const library = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
        if (!library) continue;
        const auto pause = reinterpret_cast<int (*)(int)>(dlsym(library, "omp_pause_resource_all"));
        if (pause) pause(hard);
        dlclose(library);
    }
}

}  // namespace

void end_pool_before_fork() { pthread_atfork(end_pools, nullptr, nullptr); }

}  // namespace elman
#else
namespace elman {
void end_pool_before_fork() {}
}  // namespace elman
#endif
