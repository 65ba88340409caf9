// Prometheus' text form of metrics (exposition format 0.0.4), as daemon and agent write it into files
// for the node exporter's textfile collector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bitpilot {

// Writes families of samples, one after the other; each sample has the labels that all have.
class PrometheusText {
 public:
  // prefix: of every name, e.g. "bitpilot_board_". label_name, label: of every sample; no name: none.
  explicit PrometheusText(std::string prefix, std::string_view label_name = "",
                          std::string_view label = "");

  // Begins a family. type: "gauge" or "counter".
  void Family(std::string_view name, std::string_view type, std::string_view help);
  // Of the family that was begun last. label_name, label: one more; no name: none.
  void Sample(double value, std::string_view label_name = "", std::string_view label = "");

  // A family of one sample.
  void Gauge(std::string_view name, std::string_view help, double value);
  void Counter(std::string_view name, std::string_view help, std::uint64_t value);

  std::string Take() { return std::exchange(text_, {}); }

 private:
  const std::string prefix_;
  const std::string label_;  // name="value", or empty
  std::string name_;         // of the family
  std::string text_;
};

}  // namespace bitpilot
