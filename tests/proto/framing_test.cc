#include "proto/framing.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bitpilot {
namespace {

std::vector<std::string_view> Views(const std::vector<std::string>& frames) {
  return {frames.begin(), frames.end()};
}

Message PingMessage() {
  Message message;
  message.envelope.set_request_id(7);
  message.envelope.mutable_ping()->set_agent_time_ns(123);
  return message;
}

Message ChunkMessage() {
  Message message;
  message.envelope.mutable_artifact_chunk()->set_offset(5);
  message.raw = "chunk bytes";
  return message;
}

// The prelude by hand: magic, major 1, flags 0, type 50 (ping's field number) in little-endian
// order.
TEST(FramingTest, EncodesPreludeAsDocumented) {
  const std::vector<std::string> frames = EncodeMessage(PingMessage());
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0], std::string("BPLT\x01\x00\x32\x00", 8));
}

TEST(FramingTest, MarksTheRawFrameInThePrelude) {
  const std::vector<std::string> frames = EncodeMessage(ChunkMessage());
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0], std::string("BPLT\x01\x01\x20\x00", 8));
  EXPECT_EQ(frames[2], "chunk bytes");
}

TEST(FramingTest, DecodesWhatItEncodes) {
  const Result<Message> ping = DecodeMessage(Views(EncodeMessage(PingMessage())));
  ASSERT_TRUE(ping.ok()) << ping.status().message();
  EXPECT_EQ(ping->envelope.request_id(), 7U);
  EXPECT_EQ(ping->envelope.ping().agent_time_ns(), 123U);
  const Result<Message> chunk = DecodeMessage(Views(EncodeMessage(ChunkMessage())));
  ASSERT_TRUE(chunk.ok()) << chunk.status().message();
  EXPECT_EQ(chunk->envelope.artifact_chunk().offset(), 5U);
  EXPECT_EQ(chunk->raw, "chunk bytes");
}

Message MeasureMessage(std::size_t pixel_bytes) {
  Message message;
  message.envelope.mutable_measure_request()->set_measure_id("sixteen bytes id");
  message.envelope.mutable_measure_request()->set_golden_pixels(std::string(pixel_bytes, 'p'));
  return message;
}

// 3x640x640 pixels do not fit the envelope's megabyte.
TEST(FramingTest, SendsLargeGoldenPixelsAsTheRawFrame) {
  Message run;
  *run.envelope.mutable_energy_run_request()->mutable_measure() =
      MeasureMessage(3 * 640 * 640).envelope.measure_request();
  for (const Message& message : {MeasureMessage(3 * 640 * 640), run}) {
    ASSERT_TRUE(FitsFrames(message));
    const std::vector<std::string> frames = EncodeMessage(message);
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_LT(frames[1].size(), 100U);
    const Result<Message> back = DecodeMessage(Views(frames));
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->envelope.SerializeAsString(), message.envelope.SerializeAsString());
    EXPECT_EQ(back->raw, "");
  }
}

// Where a peer of the first version expects them.
TEST(FramingTest, KeepsSmallGoldenPixelsInTheEnvelope) {
  EXPECT_EQ(EncodeMessage(MeasureMessage(3 * 32 * 32)).size(), 2U);
  EXPECT_FALSE(NeedsRawPixels(MeasureMessage(3 * 32 * 32)));
}

TEST(FramingTest, RefusesGoldenPixelsThatCameTwice) {
  std::vector<std::string> frames = EncodeMessage(MeasureMessage(3 * 640 * 640));
  frames[1] = EncodeMessage(MeasureMessage(10))[1];
  EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
}

TEST(FramingTest, SaysWhatDoesNotFitAMessage) {
  EXPECT_TRUE(FitsFrames(MeasureMessage(kMaxRawBytes)));
  EXPECT_FALSE(FitsFrames(MeasureMessage(kMaxRawBytes + 1)));
  Message many_outputs = MeasureMessage(10);
  for (int i = 0; i < 64; ++i) {
    many_outputs.envelope.mutable_measure_request()->add_golden_logits(std::string(40'000, 'l'));
  }
  EXPECT_FALSE(FitsFrames(many_outputs));
  EXPECT_FALSE(FitsFrames({ChunkMessage().envelope, std::string(kMaxRawBytes + 1, 'x')}));
}

TEST(FramingTest, NamesBothVersionsOfAnotherMajor) {
  std::vector<std::string> frames = EncodeMessage(PingMessage());
  frames[0][4] = 9;
  const Status status = DecodeMessage(Views(frames)).status();
  EXPECT_EQ(status.code(), StatusCode::kVersionMismatch);
  EXPECT_NE(status.message().find('9'), std::string::npos);
  EXPECT_NE(status.message().find('1'), std::string::npos);
}

TEST(FramingTest, RefusesDamagedPreludes) {
  const std::vector<std::string> good = EncodeMessage(PingMessage());
  for (const std::string& prelude :
       {std::string(), std::string("BPLT"), std::string("BPLX\x01\x00\x32\x00", 8),
        std::string("BPLT\x01\x02\x32\x00", 8), std::string("BPLT\x01\x00\x33\x00", 8),
        std::string("BPLT\x01\x00\x32\x01", 8), good[0] + "x"}) {
    const std::vector<std::string> frames{prelude, good[1]};
    EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
  }
}

TEST(FramingTest, RefusesWrongNumbersOfFrames) {
  const std::vector<std::string> ping = EncodeMessage(PingMessage());
  const std::vector<std::string> chunk = EncodeMessage(ChunkMessage());
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {ping[0]},
                                                       {ping[0], ping[1], "more"},
                                                       {chunk[0], chunk[1]},
                                                       {chunk[0], chunk[1], chunk[2], "more"}};
  for (const std::vector<std::string>& frames : wrong) {
    EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
  }
}

TEST(FramingTest, RefusesOversizedFramesBeforeParsing) {
  std::vector<std::string> frames = EncodeMessage(ChunkMessage());
  frames[2] = std::string(kMaxRawBytes + 1, 'x');
  EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
  frames = EncodeMessage(PingMessage());
  frames[1] = std::string(kMaxEnvelopeBytes + 1, '\0');
  EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
}

TEST(FramingTest, RefusesABodyThatThePreludeDidNotAnnounce) {
  const std::vector<std::string> ping = EncodeMessage(PingMessage());
  Message pong;
  pong.envelope.mutable_pong();
  const std::vector<std::string> frames{ping[0], EncodeMessage(pong)[1]};
  EXPECT_EQ(DecodeMessage(Views(frames)).status().code(), StatusCode::kDataCorrupt);
  const std::vector<std::string> empty{ping[0], ""};
  EXPECT_EQ(DecodeMessage(Views(empty)).status().code(), StatusCode::kDataCorrupt);
}

// Field 15 as a varint: a newer peer's addition.
TEST(FramingTest, IgnoresUnknownFields) {
  std::vector<std::string> frames = EncodeMessage(PingMessage());
  frames[1] += std::string("\x78\x01", 2);
  EXPECT_TRUE(DecodeMessage(Views(frames)).ok());
}

// Whatever the bytes, decoding returns. What it accepts can be encoded again.
TEST(FramingTest, F31SurvivesMutatedBytes) {
  std::mt19937 random(20'261'120);
  const std::vector<std::vector<std::string>> seeds = {EncodeMessage(PingMessage()),
                                                       EncodeMessage(ChunkMessage())};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> frames = seeds[random() % seeds.size()];
    const int mutations = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < mutations; ++i) {
      std::string& frame = frames[random() % frames.size()];
      const std::size_t at = frame.empty() ? 0 : random() % frame.size();
      switch (random() % 4) {
        case 0:
          if (!frame.empty()) frame[at] = static_cast<char>(random());
          break;
        case 1:
          frame.insert(at, 1, static_cast<char>(random()));
          break;
        case 2:
          frame.resize(at);
          break;
        default:
          frames.push_back(frame);
      }
    }
    const Result<Message> message = DecodeMessage(Views(frames));
    if (!message.ok()) continue;
    ++accepted;
    EXPECT_TRUE(DecodeMessage(Views(EncodeMessage(*message))).ok());
  }
  EXPECT_GT(accepted, 100);  // The mutations reach behind the first checks.
}

TEST(FramingTest, CarriesEveryStatusCodeOverTheWire) {
  for (int code = 1; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    const Status status(static_cast<StatusCode>(code), "why");
    const Status back = FromProto(ToProto(status));
    EXPECT_EQ(back.code(), status.code());
    EXPECT_EQ(back.message(), "why");
  }
}

TEST(FramingTest, TreatsUnknownErrorCodesAsInternal) {
  for (const std::uint32_t code : {0U, 12U, 0xFFFFFFFFU}) {
    v1::Error error;
    error.set_code(code);
    EXPECT_EQ(FromProto(error).code(), StatusCode::kInternal);
  }
}

}  // namespace
}  // namespace bitpilot
