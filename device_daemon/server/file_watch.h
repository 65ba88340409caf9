// Tells when a file is written, replaced or removed (inotify).
#pragma once

#include <array>
#include <functional>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "kernels/base/status.h"

namespace bitpilot {

// Not thread-safe: use it where the io_context runs.
class FileWatch {
 public:
  FileWatch(boost::asio::io_context& io, const std::string& path, std::function<void()> on_change);

  // The file need not be there, its folder must.
  //
  // Errors: kUnavailable if the system tells nothing of it.
  Status Start();

 private:
  void Read();
  void OnEvents(std::size_t size);

  std::string folder_;
  std::string name_;
  std::function<void()> on_change_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer timer_;
  alignas(8) std::array<char, 4096> buffer_;
};

}  // namespace bitpilot
