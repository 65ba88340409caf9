// Asks for a host's addresses on a thread of its own. A name service may take half a minute, for which
// neither the loop that serves agents may wait nor ZeroMQ's only I/O thread, which carries everybody's
// messages.
#pragma once

#include <functional>
#include <memory>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>

#include "kernels/base/status.h"
#include "proto/endpoint.h"

namespace bitpilot {

// One question. Not thread-safe: use it where the io_context runs, which must outlive it.
class HostLookup {
 public:
  // As ResolveEndpoint(). Called on the thread, which outlives this object if it has to.
  using Resolve = std::function<Result<std::vector<Endpoint>>(const Endpoint&)>;
  using Handler = std::function<void(Result<std::vector<Endpoint>>)>;

  // handler: called once, by the io_context, with what `resolve` found; kUnavailable if the system
  // gives no thread. It may destroy this object.
  HostLookup(boost::asio::io_context& io, Endpoint host, Resolve resolve, Handler handler);
  // The handler is not called any more. Waits for nothing.
  ~HostLookup();
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;

 private:
  struct Question;
  std::shared_ptr<Question> question_;
};

}  // namespace bitpilot
