#include "device_daemon/server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace bitpilot {
namespace {

std::string TakeVariable(const char* name) {
  const char* value = std::getenv(name);
  const std::string text = value == nullptr ? "" : value;
  unsetenv(name);
  return text;
}

std::optional<std::int64_t> NumberIn(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

ServiceManager::ServiceManager(boost::asio::io_context& io)
    : timer_(io), socket_path_(TakeVariable("NOTIFY_SOCKET")) {
  const std::optional<std::int64_t> limit_us = NumberIn(TakeVariable("WATCHDOG_USEC"));
  const std::string pid = TakeVariable("WATCHDOG_PID");
  const bool is_meant = pid.empty() || NumberIn(pid) == getpid();
  if (limit_us && is_meant) feed_every_ = std::chrono::microseconds{*limit_us / 2};
}

void ServiceManager::SayReady() {
  Send("READY=1");
  if (feed_every_) FeedWatchdog();
}

void ServiceManager::FeedWatchdog() {
  Send("WATCHDOG=1");
  timer_.expires_after(*feed_every_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) FeedWatchdog();
  });
}

void ServiceManager::Send(const std::string& state) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path_.empty() || socket_path_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // An abstract name.
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_path_.size());
  (void)sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
  close(descriptor);
}

}  // namespace bitpilot
