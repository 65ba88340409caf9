// ChaosProxy: a TCP proxy on loopback that spoils what passes it, as a bad network would.
//
// A test puts it between an agent and a daemon. It knows nothing of what it carries: bytes may come
// late, slowly, in pieces or not at all for a while, and connections end in every way that TCP has,
// also in the middle of a frame. Bytes that come are the ones that were sent, in their order: TCP
// promises that on the worst of networks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace bitpilot {

enum class Direction { kToServer, kToClient };

// What becomes of the bytes of one direction, of all connections.
struct PathOptions {
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds jitter{0};  // each piece takes up to so much more or less, in order
  std::size_t bytes_per_second = 0;     // 0: no limit
  std::size_t piece_bytes = 0;          // sent in pieces of at most so many; 0: as they came
  // Nothing passes and nobody is told, as if the cable were pulled; what is on the way comes when it
  // is in again.
  bool is_cut = false;
};

// How a connection ends.
enum class Ending {
  kReset,     // both ends see a reset
  kClose,     // both ends see an orderly end
  kHalfOpen,  // the client sees a reset; the server's end stays open, and is silent for ever
};

// Has a thread of its own. All methods may be called from any thread.
class ChaosProxy {
 public:
  // Listens on a free port of 127.0.0.1. server: "tcp://127.0.0.1:PORT".
  explicit ChaosProxy(const std::string& server);
  ~ChaosProxy();
  ChaosProxy(const ChaosProxy&) = delete;
  ChaosProxy& operator=(const ChaosProxy&) = delete;

  // "tcp://127.0.0.1:PORT": where the client shall connect.
  const std::string& endpoint() const { return endpoint_; }

  void SetPath(Direction direction, const PathOptions& path);
  void SetBothPaths(const PathOptions& path);
  // Ends all connections now.
  void EndAll(Ending ending);
  // Ends the connection on which the `bytes`-th byte from now passes in that direction, right after
  // it.
  void EndAfter(Direction direction, std::size_t bytes, Ending ending);
  // New connections are closed at once, as where nothing listens.
  void Refuse(bool refuse);
  // New connections go there.
  void Redirect(const std::string& server);
  // Opens one more connection to the server and sends it what the latest client has sent so far (64
  // KiB at most). Returns how many bytes the server answered within `patience`.
  std::size_t ReplayLatest(std::chrono::milliseconds patience);

  // Connections accepted so far, and those that are open now.
  int num_connections() const;
  int num_open() const;
  // Bytes that passed so far.
  std::size_t num_bytes(Direction direction) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string endpoint_;
};

}  // namespace bitpilot
