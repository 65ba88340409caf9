#include "device_daemon/energy/meter_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kAnswerTimeoutNs = 4'000'000'000;
// Samples wait in the pipe, which holds tens of milliseconds of the fastest meters.
constexpr std::int64_t kEmptyPipeNs = 20'000'000;
// An answer within this time aligns the clocks to 0.025 % of the shortest window.
constexpr std::int64_t kShortDelayNs = 1'000'000;
constexpr std::int64_t kLongDelayNs = 200'000'000;
constexpr int kMaxAttempts = 5;
constexpr std::int64_t kTerminationNs = 200'000'000;
constexpr std::size_t kMaxLineBytes = 256;
constexpr std::size_t kMaxSamples = 4'000'000;  // 64 MB; 200 s at 20 kHz.

Status Unavailable(std::string message) {
  return Status(StatusCode::kUnavailable, std::move(message));
}

// The child process: standard input and output are one end of a socket pair.
class Child {
 public:
  static Result<std::unique_ptr<Child>> Spawn(const std::string& command);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Status Write(std::string_view line);
  // The next line, or nothing if none came before `deadline_ns`.
  Result<std::optional<std::string>> ReadLine(std::int64_t deadline_ns);

  // How it ended, of one that closed its output before it said anything: "cannot be started: ..."
  // or "has ended with exit code 1 and no greeting". It gets a moment to end.
  std::string DescribeEarlyEnd();

 private:
  Child(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}

  pid_t pid_;
  int descriptor_;
  bool has_ended_ = false;  // and was waited for: the process id may be another's
  std::string buffer_;
  std::size_t begin_ = 0;  // Of what is not yet read in buffer_.
};

Result<std::unique_ptr<Child>> Child::Spawn(const std::string& command) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Unavailable(std::string("cannot make a pipe to the meter: ") + std::strerror(errno));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);  // The shell and what it starts end together.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    signal(SIGPIPE, SIG_DFL);  // The daemon ignores it; shells count on it.
    dup2(ends[1], STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  const int error = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return Unavailable(std::string("cannot start the meter program: ") + std::strerror(error));
  }
  setpgid(pid, pid);
  return std::unique_ptr<Child>(new Child(pid, ends[0]));
}

// SIGTERM, and SIGKILL for a program that does not mind it: a meter must not hold up the daemon.
Child::~Child() {
  close(descriptor_);
  if (has_ended_) return;
  kill(-pid_, SIGTERM);
  const std::int64_t deadline_ns = EnergyClockNs() + kTerminationNs;
  while (EnergyClockNs() < deadline_ns) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) return;
    poll(nullptr, 0, 1);
  }
  kill(-pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string Child::DescribeEarlyEnd() {
  int status = 0;
  pid_t ended = 0;
  const std::int64_t deadline_ns = EnergyClockNs() + kTerminationNs;
  while ((ended = waitpid(pid_, &status, WNOHANG)) == 0 && EnergyClockNs() < deadline_ns) {
    poll(nullptr, 0, 1);
  }
  if (ended != pid_) return "has closed its output without a greeting";
  has_ended_ = true;
  if (WIFSIGNALED(status)) {
    return "was ended by signal " + std::to_string(WTERMSIG(status)) + " before its greeting";
  }
  // The shell's own codes.
  constexpr int kNotExecutable = 126;
  constexpr int kNotFound = 127;
  const int code = WEXITSTATUS(status);
  if (code == kNotFound) {
    return "cannot be started: there is no such program; give its path if it is not in PATH";
  }
  if (code == kNotExecutable) return "cannot be started: it is not executable, or no program";
  return "has ended with exit code " + std::to_string(code) + " and no greeting";
}

Status Child::Write(std::string_view line) {
  const std::string bytes = std::string(line) + "\n";
  const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  return Unavailable("the meter program does not take '" + std::string(line) + "'; it has ended?");
}

Result<std::optional<std::string>> Child::ReadLine(std::int64_t deadline_ns) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(begin_, end - begin_);
      begin_ = end + 1;
      return std::optional(std::move(line));
    }
    buffer_.erase(0, std::exchange(begin_, 0));
    if (buffer_.size() > kMaxLineBytes) {
      return DataCorrupt("the meter program printed a line of more than " +
                         std::to_string(kMaxLineBytes) + " bytes");
    }
    pollfd ready{descriptor_, POLLIN, 0};
    const std::int64_t wait_ms =
        std::max<std::int64_t>(0, (deadline_ns - EnergyClockNs()) / 1'000'000);
    const int events = poll(&ready, 1, static_cast<int>(wait_ms));
    if (events < 0 && errno == EINTR) continue;
    if (events <= 0) return std::optional<std::string>();
    std::array<char, 65536> piece;
    const ssize_t size = read(descriptor_, piece.data(), piece.size());
    if (size <= 0) return Unavailable("the meter program has ended");
    buffer_.append(piece.data(), static_cast<std::size_t>(size));
  }
}

class MeterSource : public EnergySource {
 public:
  MeterSource(EnergySourceInfo info, std::unique_ptr<Child> child)
      : info_(std::move(info)), child_(std::move(child)) {}

  const EnergySourceInfo& info() const override { return info_; }

  std::int64_t poll_interval_ns() const override { return kEmptyPipeNs; }

  // Begins anew while this machine is too busy for an answer to say what time it is.
  Status Start(std::int64_t /*now_ns*/) override {
    has_quantity_ = false;
    for (int attempt = 1;; ++attempt) {
      const Result<ClockPair> pair = Exchange("start", "started ");
      if (!pair.ok()) return pair.status();
      start_ = *pair;
      if (!IsLate(start_) || attempt == kMaxAttempts) return {};
      const Result<ClockPair> stopped = Exchange("stop", "stopped ");
      if (!stopped.ok()) return stopped.status();
    }
  }

  Status Poll(std::int64_t /*now_ns*/) override {
    for (;;) {
      const Result<std::optional<std::string>> line = child_->ReadLine(0);
      if (!line.ok()) return line.status().WithContext("energy source " + info_.name);
      if (!line->has_value()) return {};
      BITPILOT_RETURN_IF_ERROR(AddSample(**line));
    }
  }

  Result<EnergyTrace> Finish(std::int64_t /*now_ns*/) override {
    Result<ClockPair> stop = Exchange("stop", "stopped ");
    if (!stop.ok()) return stop.status();
    EnergyTrace trace{info_, std::exchange(samples_, {}), 0};
    BITPILOT_RETURN_IF_ERROR(LookAtTheClockAgain(*stop));
    const MeterClock clock{.meter_start_ns = start_.meter_ns,
                           .meter_stop_ns = stop->meter_ns,
                           .own_start_ns = start_.own_ns,
                           .own_stop_ns = stop->own_ns,
                           .uncertainty_ns = std::max(start_.delay_ns, stop->delay_ns) / 2};
    trace.clock_uncertainty_ns = clock.uncertainty_ns;
    const Status aligned = AlignSamples(clock, trace.samples);
    if (!aligned.ok()) return aligned.WithContext("energy source " + info_.name);
    return trace;
  }

 private:
  // The same moment on both clocks.
  struct ClockPair {
    std::int64_t own_ns = 0;
    std::int64_t meter_ns = 0;
    std::int64_t delay_ns = 0;  // Of the answer.
  };

  static bool IsLate(const ClockPair& pair) {
    // A meter that takes really long is slow by nature.
    return pair.delay_ns > kShortDelayNs && pair.delay_ns < kLongDelayNs;
  }

  // Replaces `pair` by one that says more exactly what time it is: that of a recording which is
  // begun for nothing else.
  Status LookAtTheClockAgain(ClockPair& pair) {
    for (int attempt = 1; IsLate(pair) && attempt < kMaxAttempts; ++attempt) {
      const Result<ClockPair> again = Exchange("start", "started ");
      if (!again.ok()) return again.status();
      if (again->delay_ns < pair.delay_ns) pair = *again;
      const Result<ClockPair> stopped = Exchange("stop", "stopped ");
      if (!stopped.ok()) return stopped.status();
    }
    return {};
  }

  Status AddSample(std::string_view line) {
    EnergyQuantity quantity = info_.quantity;
    const Result<EnergySample> sample = ParseMeterSample(line, quantity);
    if (!sample.ok()) return sample.status().WithContext("energy source " + info_.name);
    if (has_quantity_ && quantity != info_.quantity) {
      return DataCorrupt("energy source " + info_.name + " mixes samples of power and of energy");
    }
    info_.quantity = quantity;
    has_quantity_ = true;
    if (samples_.size() == kMaxSamples) {
      return Status(StatusCode::kResourceExhausted,
                    "energy source " + info_.name + " sent more than " +
                        std::to_string(kMaxSamples) + " samples; let it sample more slowly");
    }
    samples_.push_back(*sample);
    return {};
  }

  // Sends `question`, takes samples until the answer, and stamps both clocks.
  Result<ClockPair> Exchange(std::string_view question, std::string_view answer) {
    BITPILOT_RETURN_IF_ERROR(Poll(0));  // What waits in the pipe must not count as delay.
    const std::int64_t asked_ns = EnergyClockNs();
    BITPILOT_RETURN_IF_ERROR(child_->Write(question));
    for (;;) {
      const Result<std::optional<std::string>> line = child_->ReadLine(asked_ns + kAnswerTimeoutNs);
      if (!line.ok()) return line.status().WithContext("energy source " + info_.name);
      if (!line->has_value()) {
        return Unavailable("energy source " + info_.name + " did not answer '" +
                           std::string(question) + "' within 4 s");
      }
      if (!(*line)->starts_with(answer)) {
        BITPILOT_RETURN_IF_ERROR(AddSample(**line));
        continue;
      }
      ClockPair pair;
      const std::string_view number = std::string_view(**line).substr(answer.size());
      const auto [stop, error] =
          std::from_chars(number.data(), number.data() + number.size(), pair.meter_ns);
      if (error != std::errc() || stop != number.data() + number.size()) {
        return DataCorrupt("energy source " + info_.name + ": expected '" + std::string(answer) +
                           "TIME_NS', got " + Quoted(**line));
      }
      pair.delay_ns = EnergyClockNs() - asked_ns;
      pair.own_ns = asked_ns + pair.delay_ns / 2;
      if (question == "start") samples_.clear();  // Of a recording before this one.
      return pair;
    }
  }

  EnergySourceInfo info_;
  std::unique_ptr<Child> child_;
  std::vector<EnergySample> samples_;
  ClockPair start_;
  bool has_quantity_ = false;
};

}  // namespace

Result<std::unique_ptr<EnergySource>> StartMeterProgram(const std::string& command) {
  Result<std::unique_ptr<Child>> child = Child::Spawn(command);
  if (!child.ok()) return child.status();
  const std::string context = "--meter '" + command + "'";
  const Result<std::optional<std::string>> line =
      (*child)->ReadLine(EnergyClockNs() + kAnswerTimeoutNs);
  if (line.status().code() == StatusCode::kUnavailable) {
    return Unavailable(context + " " + (*child)->DescribeEarlyEnd());
  }
  if (!line.ok()) return line.status().WithContext(context);
  if (!line->has_value()) return Unavailable(context + ": no greeting within 4 s");
  Result<EnergySourceInfo> info = ParseMeterGreeting(**line);
  if (!info.ok()) return info.status().WithContext(context);
  return std::unique_ptr<EnergySource>(
      std::make_unique<MeterSource>(std::move(*info), std::move(*child)));
}

}  // namespace bitpilot
