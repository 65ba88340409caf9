#include "experiments/reliability/socket_board.h"

#include <string_view>
#include <utility>
#include <variant>

#include "proto/framing.h"
#include "proto/validation.h"

namespace bitpilot::simulation {
namespace {

// The daemon's own.
constexpr std::size_t kMaxZmqFrameBytes = std::size_t{8} << 20;
constexpr double kLatencyNs = 1e6;

daemon::CoreConfig ConfigOf(const std::string& name) {
  daemon::CoreConfig config;
  config.boot_id = (name + std::string(kSessionIdBytes, '.')).substr(0, kSessionIdBytes);
  config.capabilities.set_name(name);
  config.capabilities.set_isa("simulated");
  config.capabilities.set_backend("kernels");
  return config;
}

Message AnswerTo(const v1::MeasureRequest& request) {
  Message message;
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(request.measure_id());
  result.set_status(v1::OK);
  for (const std::string& sha256 : request.network_sha256()) {
    v1::NetworkMeasurement& network = *result.add_networks();
    network.set_network_sha256(sha256);
    network.set_latency_median_ns(kLatencyNs);
    network.set_latency_low_ns(kLatencyNs);
    network.set_latency_high_ns(kLatencyNs);
    network.set_confidence(1.0);
    network.add_window_ns(kLatencyNs);
    network.add_window_cpu_ns(kLatencyNs);
  }
  return message;
}

}  // namespace

SocketBoard::SocketBoard(boost::asio::io_context& io, ZmqContext& context, const std::string& name,
                         std::chrono::microseconds measurement_time)
    : measurement_time_(measurement_time),
      socket_(io, context, ZmqSocketKind::kRouter),
      deadline_(io),
      worker_(io),
      core_(ConfigOf(name)) {}

Status SocketBoard::Listen() {
  BITPILOT_RETURN_IF_ERROR(socket_.SecureAsServer(keys_.secret_key));
  BITPILOT_RETURN_IF_ERROR(socket_.LimitPeers(kMaxZmqFrameBytes));
  BITPILOT_RETURN_IF_ERROR(socket_.Bind("tcp://127.0.0.1:0"));
  socket_.OnMessage([this](ZmqMessage message) { Receive(std::move(message)); });
  socket_.SetLinger(0);
  return {};
}

void SocketBoard::Receive(ZmqMessage message) {
  if (message.frames.size() < 2) return;
  daemon::MessageReceived event;
  event.peer = {message.frames[0], message.user_id};
  const std::vector<std::string_view> frames(message.frames.begin() + 1, message.frames.end());
  Result<Message> decoded = DecodeMessage(frames);
  if (!decoded.ok()) return Feed(daemon::FramesRefused{event.peer, decoded.status()});
  const v1::Envelope& envelope = decoded->envelope;
  for (const std::string& sha256 : envelope.measure_request().network_sha256()) {
    const auto file = files_.find(sha256);
    if (file == files_.end() || !file->second.is_complete()) event.missing_sha256.push_back(sha256);
  }
  event.message = std::move(*decoded);
  Feed(std::move(event));
}

// Events that actions cause wait until the actions of the step before them are done.
void SocketBoard::Feed(daemon::Event event) {
  events_.push_back(std::move(event));
  if (events_.size() > 1) return;
  while (!events_.empty()) {
    for (const daemon::Action& action : core_.Step(events_.front(), Now())) {
      std::visit([this](const auto& one) { Do(one); }, action);
    }
    events_.pop_front();
  }
  ArmTimer();
}

void SocketBoard::ArmTimer() {
  deadline_.cancel();
  const std::optional<daemon::Milliseconds> deadline = core_.NextDeadline();
  if (!deadline) return;
  deadline_.expires_at(start_ + *deadline);
  deadline_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Feed(daemon::TimePassed{});
  });
}

void SocketBoard::Do(const daemon::Send& send) {
  std::vector<std::string> frames = EncodeMessage(send.message);
  frames.insert(frames.begin(), send.routing_id);
  const Status status = socket_.Send(frames);
  const v1::Envelope& envelope = send.message.envelope;
  if (status.code() == StatusCode::kResourceExhausted && envelope.has_measure_result()) {
    Feed(daemon::ResultNotSent{envelope.measure_result().measure_id()});
  }
}

void SocketBoard::Do(const daemon::PrepareArtifact& prepare) {
  File& file = files_[prepare.request.sha256];
  file.total_bytes = prepare.total_bytes;
  Feed(daemon::ArtifactAnswered{prepare.request,
                                ArtifactState{file.have_bytes, file.is_complete()}});
}

void SocketBoard::Do(const daemon::AppendArtifact& append) {
  File& file = files_[append.request.sha256];
  counts_.artifact_bytes += append.bytes.size();
  if (append.offset == file.have_bytes) file.have_bytes += append.bytes.size();
  Feed(
      daemon::ArtifactAnswered{append.request, ArtifactState{file.have_bytes, file.is_complete()}});
}

void SocketBoard::Do(const daemon::StartJob& start) {
  const auto finish = [this, job = start.job, request = start.request.envelope.measure_request()] {
    ++counts_.measurements;
    Feed(daemon::WorkerAnswered{job, AnswerTo(request)});
  };
  if (measurement_time_.count() == 0) return finish();
  worker_.expires_after(measurement_time_);
  worker_.async_wait([this, finish](const boost::system::error_code& error) {
    if (error) return;
    counts_.busy += measurement_time_;  // a timer that is late is no work
    finish();
  });
}

void SocketBoard::Do(const daemon::StopJob& stop) {
  worker_.cancel();
  Feed(daemon::WorkerFailed{stop.job, v1::CANCELLED, "stopped"});
}

}  // namespace bitpilot::simulation
