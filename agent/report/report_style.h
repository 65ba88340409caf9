// The report's style sheet: one palette for light and one for dark, and how the page prints.
#pragma once

#include <string_view>

namespace bitpilot {

// Colours of roles are from the colour-blind safe palette of Okabe and Ito; bit-widths are one hue
// from light to dark.
//
// Source: Okabe and Ito, "Color Universal Design", 2008.
std::string_view ReportStyle();

}  // namespace bitpilot
