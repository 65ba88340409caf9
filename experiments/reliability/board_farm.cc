#include "experiments/reliability/board_farm.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <sstream>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "device_daemon/server/gate.h"

namespace bitpilot::simulation {
namespace {

// Each board has a socket that listens and one that is connected, and libzmq's own descriptors.
void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void WriteAll(int file, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(file, text.data() + written, text.size() - written);
    if (count <= 0) return;
    written += static_cast<std::size_t>(count);
  }
}

// The farm's process: serves until `commands` ends, then tells what happened. A line that begins with
// '!' is a failure.
void Serve(const FarmOptions& options, int commands, int answers) {
  boost::asio::io_context io;
  ZmqContext context;
  AuthorizedAgents agents;
  agents[options.agent_public_key].name = "agent";
  Gate gate(
      io, context, std::move(agents), [] { return std::optional<Day>(); },
      [](const std::string&) {});
  Status status = gate.Open();
  std::vector<std::unique_ptr<SocketBoard>> boards;
  std::string lines;
  for (int i = 0; i < options.num_boards && status.ok(); ++i) {
    boards.push_back(std::make_unique<SocketBoard>(io, context, "board " + std::to_string(i),
                                                   options.measurement_time));
    status = boards.back()->Listen();
    lines += boards.back()->endpoint() + " " + boards.back()->public_key() + "\n";
  }
  if (!status.ok()) return WriteAll(answers, "!" + status.message() + "\n");
  WriteAll(answers, lines);
  boost::asio::posix::stream_descriptor end(io, commands);
  end.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                 [&io](const boost::system::error_code&) { io.stop(); });
  io.run();
  lines.clear();
  for (const auto& board : boards) {
    const SocketBoard::Counts& counts = board->counts();
    lines += std::to_string(counts.measurements) + " " + std::to_string(counts.artifact_bytes) +
             " " + std::to_string(counts.busy.count()) + "\n";
  }
  WriteAll(answers, lines);
}

}  // namespace

Result<std::unique_ptr<BoardFarm>> BoardFarm::Start(const FarmOptions& options) {
  AllowManyFiles();
  int commands[2];
  int answers[2];
  if (pipe(commands) != 0 || pipe(answers) != 0) {
    return Status(StatusCode::kUnavailable, "no pipe for the boards' process");
  }
  std::unique_ptr<BoardFarm> farm(new BoardFarm);
  farm->pid_ = fork();
  if (farm->pid_ < 0) return Status(StatusCode::kUnavailable, "no process for the boards");
  if (farm->pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(commands[1]);
    close(answers[0]);
    Serve(options, commands[0], answers[1]);
    _exit(0);
  }
  close(commands[0]);
  close(answers[1]);
  farm->to_farm_ = commands[1];
  farm->from_farm_ = answers[0];
  for (int i = 0; i < options.num_boards; ++i) {
    const std::string line = farm->ReadLine();
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) {
      return Status(StatusCode::kUnavailable, "board " + std::to_string(i) + " did not start: " +
                                                  (line.empty() ? "its process ended" : line));
    }
    farm->addresses_.push_back(
        {"board " + std::to_string(i), line.substr(0, space), line.substr(space + 1), ""});
  }
  return farm;
}

BoardFarm::~BoardFarm() {
  if (to_farm_ >= 0) close(to_farm_);
  if (from_farm_ >= 0) close(from_farm_);
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

std::string BoardFarm::ReadLine() {
  for (;;) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    const ssize_t count = read(from_farm_, bytes, sizeof bytes);
    if (count <= 0) return "";
    unread_.append(bytes, static_cast<std::size_t>(count));
  }
}

Result<std::vector<SocketBoard::Counts>> BoardFarm::Stop() {
  close(std::exchange(to_farm_, -1));
  std::vector<SocketBoard::Counts> all;
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    std::istringstream line(ReadLine());
    SocketBoard::Counts counts;
    std::int64_t busy_ns = 0;
    if (!(line >> counts.measurements >> counts.artifact_bytes >> busy_ns)) {
      return Status(StatusCode::kUnavailable, "the boards' process ended before it was told to");
    }
    counts.busy = std::chrono::nanoseconds(busy_ns);
    all.push_back(counts);
  }
  return all;
}

}  // namespace bitpilot::simulation
