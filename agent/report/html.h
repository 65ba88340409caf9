// Text for HTML: escaping, and numbers as people read them. Independent of the locale.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitpilot {

// `text` with &, <, >, " and ' written as entities: safe in elements and in quoted attributes.
std::string EscapeHtml(std::string_view text);

// "0.70", "-1.2" with a real minus sign; "n/a" for what is not finite.
std::string FormatFixed(double value, int digits);

// A fraction as percent: 0.8712 -> "87.12 %".
std::string FormatPercent(double fraction, int digits);

// A difference of fractions in points: -0.004 -> "−0.40", 0.01 -> "+1.00".
std::string FormatPoints(double fraction, int digits);

// Nanoseconds in the unit in which `scale_ns` has one to three digits before the point: "812.4 µs",
// "1.234 ms".
std::string FormatLatency(double ns, double scale_ns);

// "77.4 kB" (1 kB = 1,000 B).
std::string FormatBytes(std::int64_t bytes);

// "2026-11-20 22:56 UTC"
std::string FormatUtc(std::int64_t utc_ns);

// A table cell with a number.
std::string NumberCell(std::string_view text);

// <tag class="css">escaped text</tag>
std::string Element(std::string_view tag, std::string_view css, std::string_view text);

}  // namespace bitpilot
