#include "device_daemon/server/file_watch.h"

#include <sys/inotify.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include <boost/asio/buffer.hpp>

namespace bitpilot {
namespace {

constexpr std::uint32_t kWritten = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB;
constexpr std::uint32_t kGone = IN_MOVED_FROM | IN_DELETE;
// An editor may move the file aside before it writes the new one.
constexpr std::chrono::milliseconds kUntilGone{300};

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& io, const std::string& path,
                     std::function<void()> on_change)
    : folder_(std::filesystem::path(path).parent_path().string()),
      name_(std::filesystem::path(path).filename().string()),
      on_change_(std::move(on_change)),
      events_(io),
      timer_(io) {}

Status FileWatch::Start() {
  const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor >= 0) events_.assign(descriptor);
  if (descriptor < 0 || inotify_add_watch(descriptor, folder_.c_str(), kWritten | kGone) < 0) {
    return {StatusCode::kUnavailable, "the system does not tell when " + folder_ + "/" + name_ +
                                          " changes (" + std::strerror(errno) + ")"};
  }
  Read();
  return {};
}

void FileWatch::Read() {
  events_.async_read_some(boost::asio::buffer(buffer_),
                          [this](const boost::system::error_code& error, std::size_t size) {
                            if (error) return;
                            OnEvents(size);
                            Read();
                          });
}

void FileWatch::OnEvents(std::size_t size) {
  std::uint32_t seen = 0;
  for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, buffer_.data() + at, sizeof event);
    const char* name = buffer_.data() + at + sizeof event;
    if (event.len > 0 && name_ == name) seen |= event.mask;
    at += sizeof event + event.len;
  }
  if ((seen & kWritten) != 0) {
    timer_.cancel();
    return on_change_();
  }
  if ((seen & kGone) == 0) return;
  timer_.expires_after(kUntilGone);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_change_();
  });
}

}  // namespace bitpilot
