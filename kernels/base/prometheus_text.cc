#include "kernels/base/prometheus_text.h"

#include <charconv>

namespace bitpilot {
namespace {

// name="value", with backslashes, quotes and line breaks of the value escaped.
std::string Label(std::string_view name, std::string_view value) {
  if (name.empty()) return {};
  std::string text = std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return text + "\"";
}

}  // namespace

PrometheusText::PrometheusText(std::string prefix, std::string_view label_name,
                               std::string_view label)
    : prefix_(std::move(prefix)), label_(Label(label_name, label)) {}

void PrometheusText::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = prefix_ + std::string(name);
  text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
  text_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
}

void PrometheusText::Sample(double value, std::string_view label_name, std::string_view label) {
  char number[32];
  const auto end = std::to_chars(number, number + sizeof number, value).ptr;
  std::string labels = label_;
  const std::string more = Label(label_name, label);
  if (!labels.empty() && !more.empty()) labels += ",";
  labels += more;
  text_ +=
      name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + std::string(number, end) + "\n";
}

void PrometheusText::Gauge(std::string_view name, std::string_view help, double value) {
  Family(name, "gauge", help);
  Sample(value);
}

void PrometheusText::Counter(std::string_view name, std::string_view help, std::uint64_t value) {
  Family(name, "counter", help);
  Sample(static_cast<double>(value));
}

}  // namespace bitpilot
