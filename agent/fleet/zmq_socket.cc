#include "agent/fleet/zmq_socket.h"

#include <cerrno>
#include <iterator>

#include "kernels/base/check.h"
#include "proto/zap.h"

namespace bitpilot {
namespace {

constexpr std::size_t kRawKeyLength = 32;
constexpr int kMaxMessageBytes = 8 << 20;
constexpr int kHighWaterMark = 64;

}  // namespace

bool IsCurveKey(std::string_view key) {
  std::uint8_t decoded[kRawKeyLength];
  return key.size() == kZ85KeyLength &&
         zmq_z85_decode(decoded, std::string(key).c_str()) != nullptr;
}

std::string EncodeZ85(const std::string& raw_key) {
  BITPILOT_CHECK(raw_key.size() == kRawKeyLength);
  char text[kZ85KeyLength + 1];
  zmq_z85_encode(text, reinterpret_cast<const std::uint8_t*>(raw_key.data()), raw_key.size());
  return text;
}

void SetPeerLimits(zmq::socket_t& socket) {
  namespace opt = zmq::sockopt;
  socket.set(opt::linger, 0);
  socket.set(opt::maxmsgsize, std::int64_t{kMaxMessageBytes});
  socket.set(opt::sndhwm, kHighWaterMark);
  socket.set(opt::rcvhwm, kHighWaterMark);
  socket.set(opt::handshake_ivl, 5000);
  // TCP alone notices a pulled cable after half an hour.
  socket.set(opt::heartbeat_ivl, 1000);
  socket.set(opt::heartbeat_timeout, 3000);
  socket.set(opt::heartbeat_ttl, 5000);
  socket.set(opt::tcp_keepalive, 1);
  socket.set(opt::tcp_keepalive_idle, 30);
}

void SecureAsServer(zmq::socket_t& socket, const std::string& secret_key) {
  namespace opt = zmq::sockopt;
  socket.set(opt::curve_server, true);
  socket.set(opt::curve_secretkey, secret_key);
  socket.set(opt::zap_domain, kZapDomain);
  const int enforce = 1;
  if (zmq_setsockopt(socket.handle(), kZapEnforceDomain, &enforce, sizeof enforce) != 0) {
    throw zmq::error_t();
  }
}

std::vector<zmq::message_t> ReceiveFrames(zmq::socket_t& socket) {
  std::vector<zmq::message_t> frames;
  if (!zmq::recv_multipart(socket, std::back_inserter(frames), zmq::recv_flags::dontwait)) {
    frames.clear();
  }
  return frames;
}

std::vector<std::string> ToTexts(const std::vector<zmq::message_t>& frames) {
  std::vector<std::string> texts;
  texts.reserve(frames.size());
  for (const zmq::message_t& frame : frames) texts.push_back(frame.to_string());
  return texts;
}

Result<Message> DecodeFrames(const std::vector<zmq::message_t>& frames, std::size_t first) {
  std::vector<std::string_view> views;
  for (std::size_t i = first; i < frames.size(); ++i) views.push_back(frames[i].to_string_view());
  return DecodeMessage(views);
}

Sent SendFrames(zmq::socket_t& socket, const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < frames.size();) {
    const int more = i + 1 == frames.size() ? 0 : ZMQ_SNDMORE;
    // Only the first frame can be refused: ZeroMQ takes a message whole or not at all.
    const int sent =
        zmq_send(socket.handle(), frames[i].data(), frames[i].size(), ZMQ_DONTWAIT | more);
    if (sent >= 0) {
      ++i;
      continue;
    }
    const int error = zmq_errno();
    if (error == EINTR) continue;
    if (error == EAGAIN) return Sent::kNotNow;
    if (error == EHOSTUNREACH) return Sent::kNoPeer;
    throw zmq::error_t();
  }
  return Sent::kAll;
}

}  // namespace bitpilot
