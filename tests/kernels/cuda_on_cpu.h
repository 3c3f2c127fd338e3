// Lets kernels.cu compile as C++ and runs a kernel's blocks and threads one after the other. Faithful for kernels whose
// threads do not talk to each other, which is why kernels.cu has no shared memory.
#include <utility>
#define __global__
#define __device__
struct Dim { unsigned int x, y, z; };
static thread_local Dim blockIdx, blockDim, threadIdx;

template <typename... Parameters, std::size_t... Position>
void run(void (*kernel)(Parameters...), unsigned int blocks, unsigned int threads, void** arguments,
         std::index_sequence<Position...>) {
    blockDim = {threads, 1, 1};
    for (blockIdx = {0, 0, 0}; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx = {0, 0, 0}; threadIdx.x < threads; ++threadIdx.x)
            kernel(*static_cast<Parameters*>(arguments[Position])...);
}
template <typename... Parameters>
void run(void (*kernel)(Parameters...), unsigned int blocks, unsigned int threads, void** arguments) {
    run(kernel, blocks, threads, arguments, std::index_sequence_for<Parameters...>());
}
#define RUNNER(name)                                                                             \
    extern "C" void run_##name(unsigned int blocks, unsigned int threads, void** arguments) {    \
        run(name, blocks, threads, arguments);                                                   \
    }
