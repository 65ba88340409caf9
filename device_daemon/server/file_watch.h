// Tells when a file is written, replaced or removed, also with its folder.
//
// The system tells of most changes at once (inotify), but of the folder that it was asked to watch: not
// of another one that takes its place, a file system that is mounted over it, or what a symbolic link
// leads to. So the file is looked at every second, too.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bitpilot {

// Not thread-safe: use it where the io_context runs.
class FileWatch {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{1'000};

  FileWatch(boost::asio::io_context& io, const std::string& path, std::function<void()> on_change);

  // Neither the file nor its folder need be there.
  void Start();

 private:
  // What stat(2) says of a file: whether it is there, device, inode, size, and when its content and it
  // were changed, in nanoseconds.
  using Look =
      std::tuple<bool, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

  Look LookNow() const;
  void LookAgain();
  void KeepLooking();
  void WatchFolder();
  void Read();
  void OnEvents(std::size_t size);
  void Tell();
  void TellUnlessItComesBack();

  const std::string path_;
  const std::string folder_;
  const std::string name_;
  std::function<void()> on_change_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer gone_timer_;
  boost::asio::steady_timer look_timer_;
  int watch_ = -1;  // inotify's number of the folder.
  Look told_;       // Of the file as it was when it was told of last.
  bool is_waiting_for_it_ = false;
  alignas(8) std::array<char, 4096> buffer_;
};

}  // namespace bitpilot
