#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {
namespace {

constexpr FuzzTarget kTargets[] = {{"frames", FuzzFrames},
                                   {"messages", FuzzMessages},
                                   {"artifacts", FuzzArtifacts},
                                   {"network_file", FuzzNetworkFile},
                                   {"daemon", FuzzDaemon}};

}  // namespace

std::span<const FuzzTarget> FuzzTargets() { return kTargets; }

}  // namespace bitpilot
