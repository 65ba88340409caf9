// How the members of events are JSON: for the sources that define events, nobody else.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/study/event_payload.h"

// std::optional is null or a value: a missing key is an error like any other.
template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(json& j, const std::optional<T>& value) {
    j = value ? json(*value) : json(nullptr);
  }
  static void from_json(const json& j, std::optional<T>& value) {
    value = j.is_null() ? std::nullopt : std::optional<T>(j.get<T>());
  }
};

namespace bitpilot {

// Enums are words. An unknown word is an error: nlohmann's own macro would take the first one
// instead.
template <typename Enum, std::size_t N>
void ReadWord(const nlohmann::json& j, const std::array<std::string_view, N>& words, Enum& value) {
  const auto word = std::find(words.begin(), words.end(), j.get<std::string>());
  if (word == words.end()) {
    throw nlohmann::json::other_error::create(599, "unknown word " + j.dump(), &j);
  }
  value = static_cast<Enum>(word - words.begin());
}

// A struct with members that studies of an older bitpilot lack: `always` and `later` are lists in
// parentheses.
#define BITPILOT_LIST(...) __VA_ARGS__
#define BITPILOT_DEFINE_GROWN_TYPE(Type, always, later)                                 \
  static void to_json(nlohmann::json& nlohmann_json_j, const Type& nlohmann_json_t) {   \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, BITPILOT_LIST always))   \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, BITPILOT_LIST later))    \
  }                                                                                     \
  static void from_json(const nlohmann::json& nlohmann_json_j, Type& nlohmann_json_t) { \
    const Type nlohmann_json_default_obj;                                               \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_FROM, BITPILOT_LIST always)) \
    NLOHMANN_JSON_EXPAND(                                                               \
        NLOHMANN_JSON_PASTE(NLOHMANN_JSON_FROM_WITH_DEFAULT, BITPILOT_LIST later))      \
  }

template <typename T>
std::string ToJson(const T& value) {
  // A board's own strings may not be UTF-8; the log must take them all the same.
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename T>
Result<T> ParseEvent(std::string_view payload) {
  try {
    return nlohmann::json::parse(payload).get<T>();
  } catch (const nlohmann::json::exception& error) {
    return DataCorrupt("payload " + std::string(payload.substr(0, 120)) +
                       " is not what this event needs: " + error.what());
  }
}

#define BITPILOT_EVENT(T)                \
  template std::string ToJson(const T&); \
  template Result<T> ParseEvent(std::string_view);

}  // namespace bitpilot
