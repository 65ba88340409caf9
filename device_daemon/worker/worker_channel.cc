#include "device_daemon/worker/worker_channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

constexpr std::uint32_t kMaxFrames = 3;

void AppendU32(std::string& bytes, std::uint32_t value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t U32At(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

Status Closed(std::string_view what) {
  return {StatusCode::kUnavailable, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

std::string EncodeForChannel(const Message& message) {
  const std::vector<std::string> frames = EncodeMessage(message);
  std::string bytes;
  AppendU32(bytes, static_cast<std::uint32_t>(frames.size()));
  for (const std::string& frame : frames)
    AppendU32(bytes, static_cast<std::uint32_t>(frame.size()));
  for (const std::string& frame : frames) bytes += frame;
  return bytes;
}

Result<std::optional<Message>> ChannelDecoder::Next() {
  const std::optional<Message> nothing;
  if (buffer_.size() < sizeof(std::uint32_t)) return nothing;
  const std::uint32_t num_frames = U32At(buffer_, 0);
  if (num_frames == 0 || num_frames > kMaxFrames) {
    return DataCorrupt("the worker announced " + std::to_string(num_frames) + " frames");
  }
  std::size_t offset = sizeof(std::uint32_t) * (1 + num_frames);
  if (buffer_.size() < offset) return nothing;
  std::vector<std::string_view> frames;
  std::size_t end = offset;
  for (std::uint32_t i = 0; i < num_frames; ++i) {
    const std::uint32_t size = U32At(buffer_, sizeof(std::uint32_t) * (1 + i));
    if (size > kMaxRawBytes) {
      return DataCorrupt("the worker announced a frame of " + std::to_string(size) + " bytes");
    }
    end += size;
  }
  if (buffer_.size() < end) return nothing;
  for (std::uint32_t i = 0; i < num_frames; ++i) {
    const std::uint32_t size = U32At(buffer_, sizeof(std::uint32_t) * (1 + i));
    frames.push_back(std::string_view(buffer_).substr(offset, size));
    offset += size;
  }
  Result<Message> message = DecodeMessage(frames);
  if (!message.ok()) return message.status();
  buffer_.erase(0, end);
  return std::optional<Message>(std::move(message).value());
}

Result<Message> ReadMessage(int descriptor, ChannelDecoder& decoder) {
  std::vector<char> bytes(std::size_t{64} << 10);
  for (;;) {
    Result<std::optional<Message>> next = decoder.Next();
    if (!next.ok()) return next.status();
    if (next->has_value()) return std::move(**next);
    const ssize_t got = read(descriptor, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Closed("the daemon closed the channel");
    decoder.Append({bytes.data(), static_cast<std::size_t>(got)});
  }
}

Status WriteMessage(int descriptor, const Message& message) {
  const std::string bytes = EncodeForChannel(message);
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t wrote = send(descriptor, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return Closed("the daemon does not read the channel");
    sent += static_cast<std::size_t>(wrote);
  }
  return {};
}

}  // namespace bitpilot
