// A search problem of two variables, for tests that do their sums by hand.
#pragma once

#include <string>

#include "kernels/base/standard_networks.h"
#include "policies/search_problem.h"

namespace bitpilot {

// ResNet-8 with the weights of its second and third layer to choose, 2,304 each, from 2, 4 and 8 bits;
// all weights take 77,360 bytes at 8 bits. The twin falls from a loss of 1 to .6 and from an error of .5
// to .3 in 100 mini-batches.
inline SearchProblem SmallProblem() {
  SearchProblem problem;
  problem.topology = StandardTopology("resnet8").value();
  problem.base = UniformAssignment(problem.topology, 8, 8);
  for (const int layer : {1, 2}) {
    problem.variables.push_back({DecisionVariable::Kind::kWeights,
                                 layer,
                                 "layer " + std::to_string(layer),
                                 {2, 4, 8},
                                 {0.2, 0.1, 0.0}});
  }
  problem.uniform8 = {.latency_ns = 1000.0, .loss = 1.0, .accuracy = 0.5};
  problem.anchor.readings = {{.batches = 0, .loss = 1.0, .loss_error = 0.02, .error = 0.5},
                             {.batches = 100, .loss = 0.6, .loss_error = 0.04, .error = 0.3}};
  return problem;
}

}  // namespace bitpilot
