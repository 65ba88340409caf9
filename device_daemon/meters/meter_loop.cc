#include "device_daemon/meters/meter_loop.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace bitpilot {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kIdleWaitNs = 3600 * kSecondNs;

std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

class MeterLoop {
 public:
  MeterLoop(const MeterClockError& clock_error, MeterSamples& samples)
      : clock_error_(clock_error), samples_(samples), origin_ns_(NowNs()) {}

  int Run() {
    for (;;) {
      if (!WaitForInput()) {
        PrintSamplesUntil(NowNs());
        std::fflush(stdout);
        continue;
      }
      std::array<char, 256> piece;
      const ssize_t size = read(STDIN_FILENO, piece.data(), piece.size());
      if (size <= 0) return 0;
      input_.append(piece.data(), static_cast<std::size_t>(size));
      for (std::size_t end = 0; (end = input_.find('\n')) != std::string::npos;) {
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        if (!Answer(line)) return 1;
      }
    }
  }

 private:
  // False when the next sample is due first.
  bool WaitForInput() const {
    std::int64_t wait_ns = kIdleWaitNs;
    if (start_ns_) {
      if (const auto next_ns = samples_.NextNs()) wait_ns = *start_ns_ + *next_ns - NowNs();
    }
    if (wait_ns < 0) wait_ns = 0;
    const timespec wait{wait_ns / kSecondNs, wait_ns % kSecondNs};
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ppoll(&input, 1, &wait, nullptr) > 0;
  }

  std::int64_t MeterNs(std::int64_t now_ns) const {
    const auto since_origin = static_cast<double>(now_ns - origin_ns_);
    return clock_error_.offset_ns +
           std::llround(since_origin * (1.0 + clock_error_.skew_ppm * 1e-6));
  }

  void PrintSamplesUntil(std::int64_t now_ns) {
    if (!start_ns_) return;
    for (;;) {
      const auto next_ns = samples_.NextNs();
      if (!next_ns || *start_ns_ + *next_ns > now_ns) return;
      std::printf("%lld,%s\n", static_cast<long long>(MeterNs(*start_ns_ + *next_ns)),
                  samples_.Take().c_str());
    }
  }

  bool Answer(const std::string& line) {
    const std::int64_t now_ns = NowNs();
    if (line == "start") {
      samples_.Restart();
      start_ns_ = now_ns;
      std::printf("started %lld\n", static_cast<long long>(MeterNs(now_ns)));
    } else if (line == "stop") {
      PrintSamplesUntil(now_ns);
      start_ns_.reset();
      std::printf("stopped %lld\n", static_cast<long long>(MeterNs(now_ns)));
    } else {
      std::fprintf(stderr, "expected start or stop, got '%s'\n", line.c_str());
      return false;
    }
    std::fflush(stdout);
    return true;
  }

  MeterClockError clock_error_;
  MeterSamples& samples_;
  std::int64_t origin_ns_;
  std::optional<std::int64_t> start_ns_;  // Absent between recordings.
  std::string input_;
};

}  // namespace

int ServeMeter(const std::string& greeting, const MeterClockError& clock_error,
               MeterSamples& samples) {
  std::printf("%s\n", greeting.c_str());
  std::fflush(stdout);
  return MeterLoop(clock_error, samples).Run();
}

}  // namespace bitpilot
