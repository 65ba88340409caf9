// Networks on compiled kernels, compared with the reference bit for bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

std::vector<std::uint8_t> RandomPixels(std::int64_t count, std::uint64_t seed);

// Of a standard topology, with random widths.
Network StandardNetwork(const std::string& name, std::uint64_t seed);

CompiledNetwork Compile(const Network& network, Isa isa, ThreadPool* pool = nullptr);

// Expects that the run allocates nothing.
std::vector<float> Infer(CompiledNetwork& compiled, const Network& network,
                         const std::vector<std::uint8_t>& pixels);

// Pools last: networks of all tests share them.
ThreadPool* PoolOf(int num_threads, bool caller_helps);

// Asserts equal logits by one thread, and by two or three. Where all threads are to meet, they wait
// for each other, which takes long where they share a CPU.
void ExpectMatchesReference(const Network& network, Isa isa, std::uint64_t seed,
                            bool threads_meet = false);

// Levels that a CPU of this architecture may have.
std::vector<Isa> IsasOfThisArchitecture();

}  // namespace bitpilot
