// Frames of a peer: the number of frames, two bytes of length for each, and their bytes.
#include <vector>

#include "kernels/base/check.h"
#include "proto/framing.h"
#include "proto/validation.h"
#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {

void FuzzFrames(std::string_view bytes) {
  FuzzInput input(bytes);
  const int count = input.Byte() % 5;
  std::vector<std::size_t> sizes;
  for (int i = 0; i < count; ++i) sizes.push_back(input.Number(2));
  std::vector<std::string_view> frames;
  for (const std::size_t size : sizes) frames.push_back(input.Bytes(size));
  const Result<Message> message = DecodeMessage(frames);
  if (!message.ok()) {
    BITPILOT_CHECK(!message.status().message().empty());
    return;
  }
  (void)ValidateRequest(*message);
  (void)ValidateReply(*message);
  // What was understood is said again in the same words.
  const std::vector<std::string> again = EncodeMessage(*message);
  const Result<Message> back =
      DecodeMessage(std::vector<std::string_view>(again.begin(), again.end()));
  BITPILOT_CHECK(back.ok());
  BITPILOT_CHECK(back->raw == message->raw);
  BITPILOT_CHECK(back->envelope.SerializeAsString() == message->envelope.SerializeAsString());
}

}  // namespace bitpilot
