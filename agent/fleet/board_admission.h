// BoardAdmission: which boards may connect to this agent: answers libzmq's question about every peer of
// a context. Included by sources of this folder alone, as zmq_socket.h.
#pragma once

#include <set>
#include <string>

#include "agent/fleet/zmq_socket.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Without such an object nobody gets in at a socket of SecureAsServer().
class BoardAdmission {
 public:
  // One a context, and before its first public endpoint. Throws zmq::error_t.
  explicit BoardAdmission(zmq::context_t& context);

  void Admit(const std::string& public_key) { admitted_.insert(public_key); }
  void Dismiss(const std::string& public_key) { admitted_.erase(public_key); }
  bool IsAdmitted(const std::string& public_key) const { return admitted_.contains(public_key); }

  // To be polled for input, and then to be answered: never waits.
  zmq::socket_t& socket() { return socket_; }
  void AnswerAll();

 private:
  zmq::socket_t socket_;
  std::set<std::string> admitted_;  // Z85
};

// Opens ports of its own on loopback, secured like the public one, and tries to get in: with a listed
// key, which must work; with a key that nobody knows, with no key, as one who expects another agent,
// and with a listed key while nobody answers libzmq's question, which must not.
//
// Errors: kPermissionDenied if a stranger got in; kInternal if the listed key did not, or a port
// cannot be opened.
//
// Takes 0.2 s, and up to 5 s on a machine that has much else to do.
Status TestBoardAdmission();

// TestBoardAdmission(), which is not made again once it has passed in this process, nor once it has let a
// stranger in. May be called from any thread.
Status EnsureBoardAdmission();

}  // namespace bitpilot
