#include "device_daemon/server/file_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include <boost/asio/buffer.hpp>

namespace bitpilot {
namespace {

constexpr std::uint32_t kWritten = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB;
constexpr std::uint32_t kGone = IN_MOVED_FROM | IN_DELETE;
constexpr std::uint32_t kFolderGone = IN_MOVE_SELF | IN_DELETE_SELF;
// An editor may move the file aside before it writes the new one.
constexpr std::chrono::milliseconds kUntilGone{300};

std::int64_t NanosecondsOf(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& io, const std::string& path,
                     std::function<void()> on_change)
    : path_(path),
      folder_(std::filesystem::path(path).parent_path().string()),
      name_(std::filesystem::path(path).filename().string()),
      on_change_(std::move(on_change)),
      events_(io),
      gone_timer_(io),
      look_timer_(io),
      told_(LookNow()) {}

void FileWatch::Start() {
  // A system that has no more of these leaves the look of every second.
  const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor >= 0) {
    events_.assign(descriptor);
    Read();
  }
  KeepLooking();
}

FileWatch::Look FileWatch::LookNow() const {
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) return {};
  return {true,
          file.st_dev,
          file.st_ino,
          file.st_size,
          NanosecondsOf(file.st_mtim),
          NanosecondsOf(file.st_ctim)};
}

void FileWatch::KeepLooking() {
  LookAgain();
  look_timer_.expires_after(kLookEvery);
  look_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) KeepLooking();
  });
}

void FileWatch::LookAgain() {
  WatchFolder();
  const Look now = LookNow();
  if (now == told_) return;
  if (std::get<0>(now)) return Tell();
  TellUnlessItComesBack();
}

// Again and again: the same folder keeps its number, another one in its place has its own.
void FileWatch::WatchFolder() {
  if (!events_.is_open()) return;
  const int watch = inotify_add_watch(events_.native_handle(), folder_.c_str(),
                                      kWritten | kGone | kFolderGone | IN_ONLYDIR);
  if (watch == watch_) return;
  if (watch_ >= 0) inotify_rm_watch(events_.native_handle(), watch_);
  watch_ = watch;
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
  bool is_lost = false;  // The folder, or events of it.
  for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, buffer_.data() + at, sizeof event);
    const char* name = buffer_.data() + at + sizeof event;
    if (event.len > 0 && name_ == name) seen |= event.mask;
    is_lost = is_lost || (event.mask & IN_Q_OVERFLOW) != 0 ||
              (event.wd == watch_ && (event.mask & (kFolderGone | IN_UNMOUNT | IN_IGNORED)) != 0);
    at += sizeof event + event.len;
  }
  if ((seen & kWritten) != 0) return Tell();
  if ((seen & kGone) != 0) TellUnlessItComesBack();
  if (is_lost) LookAgain();
}

// The look comes first: what changes while the file is read is seen by the next one.
void FileWatch::Tell() {
  is_waiting_for_it_ = false;
  gone_timer_.cancel();
  told_ = LookNow();
  on_change_();
}

void FileWatch::TellUnlessItComesBack() {
  if (std::exchange(is_waiting_for_it_, true)) return;
  gone_timer_.expires_after(kUntilGone);
  gone_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && is_waiting_for_it_) Tell();
  });
}

}  // namespace bitpilot
