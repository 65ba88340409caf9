#include "agent/report/html.h"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace bitpilot {
namespace {

constexpr std::string_view kMinus = "\u2212";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string FormatFixed(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  std::array<char, 400> text{};  // DBL_MAX has 309 digits before the point
  const auto end = std::to_chars(text.data(), text.data() + text.size(), std::abs(value),
                                 std::chars_format::fixed, digits);
  const std::string magnitude(text.data(), end.ptr);
  const bool is_zero = magnitude.find_first_not_of("0.") == std::string::npos;
  return (value < 0 && !is_zero ? std::string(kMinus) : "") + magnitude;
}

std::string FormatPercent(double fraction, int digits) {
  return FormatFixed(100.0 * fraction, digits) + " %";
}

std::string FormatPoints(double fraction, int digits) {
  const std::string text = FormatFixed(100.0 * fraction, digits);
  return (fraction > 0 && text.find_first_not_of("0.") != std::string::npos ? "+" : "") + text;
}

std::string FormatLatency(double ns, double scale_ns) {
  if (scale_ns < 1e3) return FormatFixed(ns, 0) + " ns";
  if (scale_ns < 1e6) return FormatFixed(ns / 1e3, 1) + " \u00b5s";
  return FormatFixed(ns / 1e6, 3) + " ms";
}

std::string FormatBytes(std::int64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  if (bytes < 1'000'000) return FormatFixed(static_cast<double>(bytes) / 1e3, 1) + " kB";
  return FormatFixed(static_cast<double>(bytes) / 1e6, 2) + " MB";
}

std::string FormatUtc(std::int64_t utc_ns) {
  const auto seconds = static_cast<std::time_t>(utc_ns / 1'000'000'000);
  std::tm parts{};
  std::array<char, 64> text{};
  if (gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts) == 0) {
    return "n/a";
  }
  return text.data();
}

std::string Element(std::string_view tag, std::string_view css, std::string_view text) {
  std::string html = "<" + std::string(tag);
  if (!css.empty()) html += " class=\"" + std::string(css) + "\"";
  return html + ">" + EscapeHtml(text) + "</" + std::string(tag) + ">";
}

std::string NumberCell(std::string_view text) { return Element("td", "number", text); }

}  // namespace bitpilot
