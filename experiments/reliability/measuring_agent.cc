#include "experiments/reliability/measuring_agent.h"

#include <memory>
#include <string>
#include <utility>

#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/job_requests.h"
#include "experiments/reliability/measured_study.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/sha256.h"
#include "kernels/base/topology.h"

namespace bitpilot {
namespace {

FleetBoard Describe(const MeasuringAgentOptions& options) {
  FleetBoard board;
  board.client.board_name = options.board.name;
  board.client.endpoint = options.board.endpoint;
  board.client.connect_timeout = board.client.reconnect_timeout = kForever;
  board.client.lease_wait = kForever;
  // Or an agent waits for half a minute for the lease of the one that was killed.
  board.client.lease.kind = LeaseKind::kPerJob;
  board.keys = options.keys;
  board.address = options.board;
  return board;
}

}  // namespace

std::string IdOfAttempt(const std::string& announced, int attempt) {
  return BytesToHex(fleet::AttemptId(HexToBytes(announced), attempt));
}

Network NumberedNetwork(std::uint64_t number) {
  Topology topology;
  topology.name = "numbered";
  topology.input = {8, 8, 3};
  Operation conv;
  conv.kind = OperationKind::kConvolution;
  conv.name = "conv";
  conv.input = 0;
  conv.out_channels = 8;
  conv.kernel_h = conv.kernel_w = 3;
  conv.activation = Activation::kRelu;
  Operation dense;
  dense.kind = OperationKind::kFullyConnected;
  dense.name = "dense";
  dense.input = 1;
  dense.out_channels = 10;
  topology.operations = {conv, dense};
  return RandomNetwork(topology, UniformAssignment(topology, 4, 4, /*search_ends=*/true), number);
}

Status RunMeasuringAgent(const MeasuringAgentOptions& options) {
  const Result<std::unique_ptr<MeasuredStudy>> study = MeasuredStudy::Open(options.study);
  if (!study.ok()) return study.status();
  fleet::FleetOptions fleet_options;
  fleet_options.quarantine_after =
      0;  // its worker is killed over and over, which says nothing of it
  FleetDriver fleet(fleet_options, {});
  const fleet::BoardId board = fleet.AddBoard(Describe(options));
  const Result<BoardInfo> info = fleet.WaitUntilReady(board, {});
  if (!info.ok()) return info.status();
  for (;;) {
    const Result<std::string> id = (*study)->NextId();
    if (!id.ok()) return id.status();
    // The network follows from the id, and so is the same after a death.
    const Network network = NumberedNetwork(std::stoull(id->substr(0, 12), nullptr, 16));
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    Result<JobRequest> request = MakeMeasureRequest(job, HexToBytes(*id));
    if (!request.ok()) return request.status();
    fleet::JobSpec spec;
    spec.request = std::move(request).value();
    spec.only_on = board;
    const Result<fleet::JobEnded> ended = fleet.Wait(fleet.Submit(std::move(spec)), {});
    if (!ended.ok()) return ended.status();
    BITPILOT_RETURN_IF_ERROR(ended->result.status);
    // First the study, then the board, which may forget it then.
    BITPILOT_RETURN_IF_ERROR(
        (*study)->Record(*id, BytesToHex(ended->measure_id), ended->result.measurement, *info));
    fleet.Record(*ended);
  }
}

}  // namespace bitpilot
