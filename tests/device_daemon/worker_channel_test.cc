#include "device_daemon/worker/worker_channel.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace bitpilot {
namespace {

Message Logits(const std::string& raw) {
  Message message;
  message.envelope.mutable_infer_result()->set_num_images(1);
  message.raw = raw;
  return message;
}

TEST(ChannelDecoderTest, CutsMessagesHoweverTheBytesArrive) {
  const std::string stream = EncodeForChannel(Logits("first")) + EncodeForChannel(Logits("second"));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{17}, stream.size()}) {
    ChannelDecoder decoder;
    std::string seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      decoder.Append(std::string_view(stream).substr(at, piece));
      for (;;) {
        const Result<std::optional<Message>> next = decoder.Next();
        ASSERT_TRUE(next.ok()) << next.status().message();
        if (!next->has_value()) break;
        seen += (*next)->raw + ";";
      }
    }
    EXPECT_EQ(seen, "first;second;") << piece;
  }
}

TEST(ChannelDecoderTest, RefusesImpossibleSizesAtOnce) {
  for (const std::string& bytes :
       {std::string("\0\0\0\0", 4), std::string("\4\0\0\0", 4), std::string(8, '\xFF'),
        std::string("\1\0\0\0\xFF\xFF\xFF\x7F", 8)}) {
    ChannelDecoder decoder;
    decoder.Append(bytes);
    EXPECT_EQ(decoder.Next().status().code(), StatusCode::kDataCorrupt);
  }
}

TEST(ChannelDecoderTest, SurvivesMutatedBytes) {
  std::mt19937 random(99);
  const std::string good = EncodeForChannel(Logits("payload"));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (std::uint32_t i = 0; i <= random() % 3; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    ChannelDecoder decoder;
    decoder.Append(bytes);
    const Result<std::optional<Message>> next = decoder.Next();
    if (next.ok() && next->has_value()) {
      EXPECT_LE((*next)->raw.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace bitpilot
