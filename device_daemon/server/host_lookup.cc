#include "device_daemon/server/host_lookup.h"

#include <mutex>
#include <system_error>
#include <thread>

#include <boost/asio/post.hpp>

namespace bitpilot {

struct HostLookup::Question {
  void Answer(const std::shared_ptr<Question>& self, Result<std::vector<Endpoint>> found) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (io == nullptr) return;
    boost::asio::post(*io, [self, found = std::move(found)] {
      if (self->io != nullptr) self->handler(found);
    });
  }

  std::mutex mutex;
  boost::asio::io_context* io;  // Null: nobody waits any more.
  Handler handler;
};

HostLookup::HostLookup(boost::asio::io_context& io, Endpoint host, Resolve resolve, Handler handler)
    : question_(std::make_shared<Question>()) {
  question_->io = &io;
  question_->handler = std::move(handler);
  try {
    std::thread([question = question_, host = std::move(host), resolve = std::move(resolve)] {
      question->Answer(question, resolve(host));
    }).detach();
  } catch (const std::system_error& error) {
    question_->Answer(question_, Status(StatusCode::kUnavailable,
                                        std::string("cannot look up a host: ") + error.what()));
  }
}

HostLookup::~HostLookup() {
  const std::lock_guard<std::mutex> lock(question_->mutex);
  question_->io = nullptr;
}

}  // namespace bitpilot
