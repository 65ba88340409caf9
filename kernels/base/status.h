// Status and Result<T>: failures that a peer, a file or a device can cause, as values.
//
// Codes answer one question for the caller: retry, choose differently, or stop. A message says what
// was expected, what came, and where it helps what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "kernels/base/check.h"

namespace bitpilot {

// Values are part of the wire format (proto/bitpilot.proto, ErrorCode): append only.
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kInvalidArgument = 1,    // The request can never succeed as written.
  kUnsupported = 2,        // Valid, but this build, board or CPU cannot do it.
  kNotFound = 3,           // A file, network or session that was named does not exist.
  kDataCorrupt = 4,        // A checksum, magic number or structure is wrong.
  kTimeout = 5,            // The deadline passed; retrying is safe.
  kUnavailable = 6,        // The peer is away or busy; retry later.
  kPermissionDenied = 7,   // Keys, roles or file modes forbid it.
  kResourceExhausted = 8,  // Memory, disk or quota; a smaller request may succeed.
  kAborted = 9,            // Stopped by the user, a newer lease or a shutdown.
  kVersionMismatch = 10,   // Peer, file or study of another version; the message names both.
  kInternal = 11,          // A bug on our side.
};

// Name as in logs and JSON, e.g. "INVALID_ARGUMENT".
std::string_view ToString(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with "context: " in front of its message; OK stays OK.
  Status WithContext(std::string_view context) const;

  // The same failure as one of what a file holds or is: kInvalidArgument, which says that a command
  // line cannot be meant as written (exit code 2), becomes kDataCorrupt (1).
  Status AsCorruptInput() const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}
inline Status Unsupported(std::string message) {
  return Status(StatusCode::kUnsupported, std::move(message));
}
inline Status DataCorrupt(std::string message) {
  return Status(StatusCode::kDataCorrupt, std::move(message));
}

// Either a T or a non-OK Status: the subset of std::expected that we use until C++23.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}        // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    BITPILOT_CHECK(!std::get<Status>(state_).ok());
  }

  bool ok() const { return std::holds_alternative<T>(state_); }

  // REQUIRES: ok().
  const T& value() const& { return std::get<T>(state_); }
  T& value() & { return std::get<T>(state_); }
  // By value: the value of a temporary can be bound, and looped over, after the temporary is gone.
  T value() && { return std::get<T>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  // The failure, or OK when a value is held.
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }

 private:
  std::variant<T, Status> state_;
};

// Returns a failed Status from the enclosing function.
#define BITPILOT_RETURN_IF_ERROR(expression)                                          \
  do {                                                                                \
    if (::bitpilot::Status bitpilot_status_ = (expression); !bitpilot_status_.ok()) { \
      return bitpilot_status_;                                                        \
    }                                                                                 \
  } while (false)

}  // namespace bitpilot
