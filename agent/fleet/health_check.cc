#include "agent/fleet/health_check.h"

#include <utility>

#include "agent/fleet/job_requests.h"
#include "kernels/base/check.h"
#include "kernels/base/network.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kHealthSeed = 1;

Network HealthNetwork() {
  Topology topology;
  topology.name = "health-check";
  topology.input = {8, 8, 3};
  Operation conv;
  conv.kind = OperationKind::kConvolution;
  conv.name = "conv";
  conv.out_channels = 8;
  conv.kernel_h = conv.kernel_w = 3;
  conv.activation = Activation::kRelu;
  Operation dense;
  dense.kind = OperationKind::kFullyConnected;
  dense.name = "dense";
  dense.input = 1;
  dense.out_channels = 10;
  topology.operations = {conv, dense};
  return RandomNetwork(topology, UniformAssignment(topology, 8, 8), kHealthSeed);
}

}  // namespace

JobRequest HealthCheckRequest() {
  const Network network = HealthNetwork();
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId());
  BITPILOT_CHECK(request.ok());
  return std::move(request).value();
}

}  // namespace bitpilot
