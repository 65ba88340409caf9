// Lists as messages and help texts show them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace bitpilot {

// "a, b, c": `text_of` of every element of `range`, in its order; empty for none.
//
// text_of: a function or a member that gives what a std::string_view can be made of; by default the
// element is that itself.
template <typename Range, typename TextOf = std::identity>
std::string Joined(const Range& range, TextOf text_of = {}) {
  std::string joined;
  bool is_first = true;
  for (const auto& element : range) {
    if (!std::exchange(is_first, false)) joined += ", ";
    joined += std::string_view(std::invoke(text_of, element));
  }
  return joined;
}

}  // namespace bitpilot
