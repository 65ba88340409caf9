// Worker channel: how the daemon and its measuring worker exchange messages over a socket pair.
//
// They speak the protocol's own messages. On the byte stream each message is
//   u32 number of frames | per frame u32 size | the frames of EncodeMessage()
// in the machine's byte order, since both ends are the same program. The daemon treats the worker
// as untrusted: a worker that ran a hostile network may send anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"
#include "proto/framing.h"

namespace bitpilot {

// REQUIRES: as EncodeMessage().
std::string EncodeForChannel(const Message& message);

// Cuts a byte stream into messages. Holds at most one message's bytes beyond what was appended
// last.
class ChannelDecoder {
 public:
  void Append(std::string_view bytes) { buffer_.append(bytes); }

  // The next complete message, or nothing until more bytes are appended.
  //
  // Errors (the stream cannot be used any more):
  //   kDataCorrupt, kVersionMismatch  impossible sizes, or what DecodeMessage() refuses.
  Result<std::optional<Message>> Next();

 private:
  std::string buffer_;
};

// Blocking ends for the worker, which has nothing else to do.
//
// Errors:
//   kUnavailable  the other end is closed.
//   kDataCorrupt  as ChannelDecoder::Next().
Result<Message> ReadMessage(int descriptor, ChannelDecoder& decoder);
Status WriteMessage(int descriptor, const Message& message);

}  // namespace bitpilot
