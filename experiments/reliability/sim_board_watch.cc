// SimBoard's part that tells the oracle of its queue, and that plays the planted bugs.
#include "experiments/reliability/job_name.h"
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

// Of the few agents of a simulated lab: twice what any had in thousands of seeds, and less than what a
// daemon allows, so that what is never given back is seen.
constexpr std::size_t kMostSessions = 44;
constexpr std::size_t kMostJobs = 12;
constexpr std::size_t kMostResults = 12;

}  // namespace

void SimBoard::WatchQueue(const daemon::MessageReceived& event,
                          const std::vector<daemon::Action>& actions) {
  const v1::Envelope& request = event.message.envelope;
  if (!request.has_infer_request() && !request.has_measure_request()) return;
  for (const daemon::Action& action : actions) {
    const auto* send = std::get_if<daemon::Send>(&action);
    if (send == nullptr || send->message.envelope.request_id() != request.request_id()) continue;
    const v1::Envelope& reply = send->message.envelope;
    if (reply.session_id() == request.session_id() && !reply.has_measure_accepted()) return;
  }
  world_.oracle().OnAccepted(index_, request.session_id(), event.peer.user_id, JobNameOf(request),
                             world_.now());
}

// A job may end without having run.
void SimBoard::WatchAnswer(const daemon::MessageReceived* event, const daemon::Send& send) {
  const v1::Envelope& answer = send.message.envelope;
  // What answers the message that just came ends no job that waits: if it was refused as a copy of a
  // request, the request's job still waits.
  if (event != nullptr && event->message.envelope.session_id() == answer.session_id() &&
      event->message.envelope.request_id() == answer.request_id()) {
    return;
  }
  if (answer.has_measure_result()) {
    world_.oracle().OnAnswered(index_, answer.measure_result().measure_id());
  } else if (answer.has_error()) {
    world_.oracle().OnAnswered(index_, InferenceName(answer.session_id(), answer.request_id()));
  }
}

void SimBoard::WatchBounds() {
  const v1::BoardStatus status = core_->BoardStatusAt(world_.now());
  Oracle& oracle = world_.oracle();
  oracle.OnQueue("sessions of a board", status.sessions(), kMostSessions);
  oracle.OnQueue("jobs of a board", static_cast<std::size_t>(status.queue_size()), kMostJobs);
  oracle.OnQueue("kept results of a board", status.kept_results(), kMostResults);
}

// What a board with the planted bug does with a request that its core just answered.
void SimBoard::PlayBugs(const Message& request, const std::vector<daemon::Action>& actions) {
  if (!request.envelope.has_measure_request()) return;
  last_measure_ = request;
  if (world_.bug() != PlantedBug::kBoardRunsADuplicate) return;
  for (const daemon::Action& action : actions) {
    const auto* send = std::get_if<daemon::Send>(&action);
    if (send == nullptr) continue;
    const v1::Envelope& reply = send->message.envelope;
    const bool is_known = reply.has_measure_result() || reply.measure_accepted().duplicate();
    if (is_known) return RunAgainstTheRules(request, /*is_measurement=*/true);
  }
}

// As a core would that told its worker so.
void SimBoard::RunAgainstTheRules(const Message& request, bool is_measurement) {
  const v1::Envelope& envelope = request.envelope;
  world_.oracle().OnExecutionStarted(
      index_, envelope.session_id(),
      {JobNameOf(envelope), index_, boot_, NetworksOf(envelope), Kind()}, is_measurement,
      world_.now());
}

}  // namespace bitpilot::simulation
