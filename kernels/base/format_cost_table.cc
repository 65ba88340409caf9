// FormatCostTable(): the text that ParseCostTable() reads.
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <tuple>

#include "kernels/base/cost_table.h"

namespace bitpilot {
namespace {

constexpr std::string_view kFormat = "bitpilot-cost-table 1\n";

// Shortest text that reads back as the same number.
std::string FormatNumber(double value) {
  std::array<char, 32> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

std::string FormatQuoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return quoted + '"';
}

// As a word: quoted only where it must be.
std::string FormatWord(std::string_view text) {
  return text.empty() || text.find_first_of(" \t\r\n\"#\\") != std::string_view::npos
             ? FormatQuoted(text)
             : std::string(text);
}

std::string FormatKey(const std::tuple<std::string, int, int>& key) {
  const auto& [name, weight_bits, activation_bits] = key;
  std::string text = "op " + FormatWord(name);
  if (weight_bits == 0) return text;
  return text + " w " + std::to_string(weight_bits) + " a " + std::to_string(activation_bits);
}

}  // namespace

std::string FormatCostTable(const CostTable& table) {
  std::string text = std::string(kFormat);
  text += "operations " + std::to_string(table.operations.size()) + "\n";
  text += "name " + FormatWord(table.name) + "\n";
  text += "source " + FormatQuoted(table.source) + "\n";
  if (!table.energy_unit.empty()) text += "energy_unit " + FormatWord(table.energy_unit) + "\n";
  if (table.energy_fit_error)
    text += "energy_fit_error " + FormatNumber(*table.energy_fit_error) + "\n";
  text += "overhead latency_ns " + FormatNumber(table.overhead_latency_ns);
  if (table.overhead_energy > 0.0) text += " energy " + FormatNumber(table.overhead_energy);
  text += "\n";
  for (const auto& [key, cost] : table.operations) {
    text += FormatKey(key) + " latency_ns " + FormatNumber(cost.latency_ns);
    if (cost.energy) text += " energy " + FormatNumber(*cost.energy);
    text += '\n';
  }
  return text;
}

}  // namespace bitpilot
