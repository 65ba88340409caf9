// Waits on a descriptor whose readiness is edge triggered, as that of a ZeroMQ socket is.
#pragma once

#include <functional>
#include <memory>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace bitpilot {

// Calls `drain` whenever there may be something to read, and again for as long as `is_readable`
// says so: one edge may stand for many messages. Held by shared_ptr, because a wait may complete
// after its owner is gone.
class EdgeWaiter : public std::enable_shared_from_this<EdgeWaiter> {
 public:
  // The descriptor stays its owner's: it is never closed here.
  EdgeWaiter(boost::asio::io_context& io, int descriptor, std::function<bool()> is_readable,
             std::function<void()> drain);

  // Looks soon. Also starts the waiting.
  void Wake();
  // To be called after every operation on the socket outside `drain`: it may have swallowed an
  // edge.
  void WakeIfReadable() {
    if (is_readable_()) Wake();
  }
  // Neither function is called any more.
  void Stop();

 private:
  void Look();
  void Wait();

  boost::asio::posix::stream_descriptor descriptor_;
  std::function<bool()> is_readable_;
  std::function<void()> drain_;
  bool waiting_ = false;
  bool wake_posted_ = false;
  bool stopped_ = false;
};

}  // namespace bitpilot
