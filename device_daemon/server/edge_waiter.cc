#include "device_daemon/server/edge_waiter.h"

#include <boost/asio/post.hpp>

namespace bitpilot {

EdgeWaiter::EdgeWaiter(boost::asio::io_context& io, int descriptor,
                       std::function<bool()> is_readable, std::function<void()> drain)
    : descriptor_(io, descriptor), is_readable_(std::move(is_readable)), drain_(std::move(drain)) {}

void EdgeWaiter::Wake() {
  if (wake_posted_) return;
  wake_posted_ = true;
  boost::asio::post(descriptor_.get_executor(), [self = shared_from_this()] {
    self->wake_posted_ = false;
    self->Look();
  });
}

void EdgeWaiter::Stop() {
  stopped_ = true;
  descriptor_.release();
}

void EdgeWaiter::Look() {
  if (stopped_) return;
  drain_();
  if (stopped_) return;
  if (is_readable_()) {
    Wake();
  } else if (!waiting_) {
    Wait();
  }
}

void EdgeWaiter::Wait() {
  waiting_ = true;
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_ = false;
                           if (!error) self->Look();
                         });
}

}  // namespace bitpilot
