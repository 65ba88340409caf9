// The study's configuration, as the report prints it.
#pragma once

#include <optional>
#include <string>

#include "agent/report/report_data.h"

namespace bitpilot {

// Text of a configuration entry: a string as it is, a list of numbers with commas, anything else as
// JSON; "" if the entry is missing, null or empty.
std::string ConfigText(const ReportData& data, const std::string& key);

std::optional<double> ConfigNumber(const ReportData& data, const std::string& key);

// True if the entry is exactly `value`.
bool ConfigIs(const ReportData& data, const std::string& key, bool value);

}  // namespace bitpilot
