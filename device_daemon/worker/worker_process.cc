#include "device_daemon/worker/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "device_daemon/worker/worker.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kTerminationGrace{1};

// What a worker says may be anything.
daemon::Milliseconds ToMilliseconds(std::uint64_t limit_ms) {
  return daemon::Milliseconds{std::min<std::uint64_t>(limit_ms, kMaxDeadlineMs)};
}

std::string DescribeExit(int status) {
  if (WIFSIGNALED(status)) {
    return "the worker was ended by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  }
  return "the worker exited with status " + std::to_string(WEXITSTATUS(status));
}

// Starts `command` in a process group of its own with `descriptor` as kWorkerDescriptor, default
// signals, and nothing else open but the standard streams.
Result<pid_t> SpawnWith(const WorkerCommand& command, int descriptor) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, descriptor, kWorkerDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, kWorkerDescriptor + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments{const_cast<char*>(command.program.c_str())};
  for (const std::string& argument : command.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, command.program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return Status(StatusCode::kInternal,
                  "cannot start " + command.program + ": " + std::strerror(error));
  }
  return pid;
}

}  // namespace

WorkerProcess::WorkerProcess(asio::io_context& io, WorkerCommand command, WorkerMemory memory,
                             Handler handler)
    : io_(io),
      command_(std::move(command)),
      memory_(std::move(memory)),
      handler_(std::move(handler)),
      socket_(io),
      child_signals_(io, SIGCHLD),
      kill_timer_(io) {}

WorkerProcess::~WorkerProcess() {
  if (pid_ == 0) return;
  KillGroup(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void WorkerProcess::Start(daemon::JobId job, const Message& request) {
  BITPILOT_CHECK(!job_);
  job_ = job;
  std::string bytes;
  if (pid_ == 0) {
    const Status spawned = Spawn();
    if (!spawned.ok()) {
      // Not from within Start(): its caller is in the middle of a step.
      asio::post(io_, [this, spawned] { Fail(v1::CRASH, spawned.message()); });
      return;
    }
    Message baseline;
    *baseline.envelope.mutable_board_baseline() = memory_.recall();
    bytes = EncodeForChannel(baseline);
  }
  Write(bytes + EncodeForChannel(request));
}

void WorkerProcess::Stop(daemon::JobId job) {
  if (job_ != job || pid_ == 0 || stopping_) return;
  stopping_ = true;
  KillGroup(SIGTERM);
  kill_timer_.expires_after(kTerminationGrace);
  kill_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) KillGroup(SIGKILL);
  });
}

Status WorkerProcess::Spawn() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return {StatusCode::kInternal, std::string("socketpair: ") + std::strerror(errno)};
  }
  const Result<pid_t> pid = SpawnWith(command_, ends[1]);
  close(ends[1]);
  if (!pid.ok()) {
    close(ends[0]);
    return pid.status();
  }
  pid_ = *pid;
  stopping_ = false;
  garbage_.reset();
  decoder_ = ChannelDecoder();
  socket_.assign(asio::local::stream_protocol(), ends[0]);
  child_signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) OnChildExit();
  });
  Read();
  return {};
}

void WorkerProcess::Write(std::string bytes) {
  // The write owns its bytes: a worker that answers before it read them all must not see them
  // change.
  const auto owned = std::make_shared<const std::string>(std::move(bytes));
  // A failure shows as the worker's end.
  asio::async_write(socket_, asio::buffer(*owned),
                    [owned](const boost::system::error_code&, std::size_t) {});
}

void WorkerProcess::Read() {
  socket_.async_read_some(
      asio::buffer(buffer_),
      [this, pid = pid_](const boost::system::error_code& error, std::size_t size) {
        if (error || pid != pid_) return;
        OnBytes(size);
        if (pid == pid_ && !garbage_) Read();
      });
}

void WorkerProcess::OnBytes(std::size_t size) {
  if (stopping_) return;
  decoder_.Append({buffer_.data(), size});
  for (;;) {
    Result<std::optional<Message>> next = decoder_.Next();
    if (!next.ok()) {
      garbage_ = next.status();
      KillGroup(SIGKILL);
      return;
    }
    if (!next->has_value()) return;
    Message message = std::move(**next);
    if (message.envelope.has_board_baseline()) {
      memory_.learn(message.envelope.board_baseline());
      continue;
    }
    if (!job_) continue;  // Nobody asked.
    if (message.envelope.has_measure_progress()) {
      const v1::MeasureProgress& progress = message.envelope.measure_progress();
      handler_(daemon::WorkerProgressed{*job_, progress.phase(), progress.windows_done(),
                                        ToMilliseconds(progress.remaining_ms()),
                                        ToMilliseconds(progress.silence_ms())});
    } else {
      const daemon::JobId job = *job_;
      job_.reset();
      handler_(daemon::WorkerAnswered{job, std::move(message)});
    }
  }
}

void WorkerProcess::OnChildExit() {
  siginfo_t exit{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &exit, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      exit.si_pid != pid_) {
    child_signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) OnChildExit();
    });
    return;
  }
  // What it left behind. Until it is waited for, its number is nobody else's.
  KillGroup(SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  kill_timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (garbage_) {
    Fail(v1::PROTOCOL_ERROR, garbage_->message());
  } else {
    Fail(v1::CRASH, DescribeExit(status));
  }
}

void WorkerProcess::KillGroup(int signal) {
  if (pid_ != 0) kill(-pid_, signal);
}

void WorkerProcess::Fail(v1::MeasureStatus status, std::string detail) {
  if (!job_) return;
  const daemon::JobId job = *job_;
  job_.reset();
  handler_(daemon::WorkerFailed{job, status, std::move(detail)});
}

}  // namespace bitpilot
