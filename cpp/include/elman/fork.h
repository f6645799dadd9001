// OpenMP's threads do not survive a fork, but GNU's runtime waits for them in the child, for ever.
#pragma once

namespace elman {

// From now on every thread that forks ends its own pool of OpenMP threads before; parent and child start new ones when
// they need them. Holds for every GNU OpenMP runtime in the process, torch's included.
void end_pool_before_fork();

}  // namespace elman
