// SimBoard's part that plays the operator, who drains boards and takes them back.
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"
#include "proto/framing.h"

namespace bitpilot::simulation {
namespace {

// An operator whose order was not answered gives it again.
constexpr std::chrono::milliseconds kOrderAgain{1'000};

}  // namespace

void SimBoard::SetDrained(bool is_drained) {
  is_to_be_drained_ = is_drained;
  Order();
}

void SimBoard::Order() {
  const bool is_drained = is_to_be_drained_;
  if (drain_reason_.has_value() == is_drained) return;
  world_.After(kOrderAgain, [this] { Order(); });
  if (!is_up() || IsHanging()) return;
  world_.Trace("the operator " + std::string(is_drained ? "drains" : "undrains") + " board " +
               std::to_string(index_));
  Message hello;
  hello.envelope.set_request_id(1);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  hello.envelope.mutable_hello()->set_agent_build("operator");
  OperatorSays(hello);
  Message order;
  order.envelope.set_session_id(operator_session_);
  order.envelope.set_request_id(2);
  order.envelope.mutable_drain_request()->set_drain(is_drained);
  order.envelope.mutable_drain_request()->set_reason("a new fan");
  OperatorSays(order);
}

void SimBoard::OperatorSays(const Message& message) {
  Feed(daemon::MessageReceived{{kOperator, kOperator, v1::ADMIN}, message, {}});
}

void SimBoard::Do(const daemon::StoreDrain& store) {
  const bool fails = DiskIsFull();
  if (!fails) {
    drain_reason_.reset();
    if (store.drain) drain_reason_ = store.reason;
    world_.oracle().OnDrained(index_, store.drain, world_.now());
  }
  Feed(daemon::DrainStored{fails ? Status(StatusCode::kResourceExhausted, "no space left")
                                 : Status()});
  if (world_.bug() != PlantedBug::kBoardStopsAtADrain || !worker_ || !store.drain) return;
  const daemon::JobId job = worker_->job;
  EndWorker();
  Feed(daemon::WorkerFailed{job, v1::CANCELLED, "drained"});
}

}  // namespace bitpilot::simulation
