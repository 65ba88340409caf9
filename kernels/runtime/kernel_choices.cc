#include "kernels/runtime/kernel_choices.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <system_error>

#include "kernels/base/check.h"
#include "kernels/base/sha256.h"
#include "kernels/runtime/kernel_build_id.h"

namespace bitpilot {
namespace {

constexpr std::string_view kTitle = "bitpilot kernel choices";
constexpr std::string_view kVersion = " 2";
constexpr std::size_t kHashDigits = 12;

bool IsOneField(std::string_view text) {
  return text.find_first_of("\t\n") == std::string_view::npos;
}

std::string OneField(std::string_view text) {
  std::string field(text);
  std::replace_if(
      field.begin(), field.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
  return field;
}

std::string FormatMargin(double margin) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", margin);
  return text;
}

std::ostringstream TextBegin() {
  std::ostringstream text;
  text << kTitle << kVersion << "\nkernels\t" << KernelBuildId() << '\n';
  return text;
}

void AddLine(const std::string& core, const std::string& layer, const KernelChoice& choice,
             std::ostringstream& text) {
  text << core << '\t' << layer << '\t' << choice.kernel << '\t' << FormatMargin(choice.margin)
       << '\t' << choice.lease << '\n';
}

struct Line {
  std::string core;
  std::string layer;
  KernelChoice choice;
};

Result<Line> ParseLine(const std::string& line) {
  std::array<std::string_view, 5> fields;
  std::string_view rest = line;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    const std::size_t tab = rest.find('\t');
    if (count < fields.size()) fields[count] = rest.substr(0, tab);
    more = tab != std::string_view::npos;
    rest.remove_prefix(more ? tab + 1 : rest.size());
  }
  double margin = 0.0;
  const auto [stop, error] =
      std::from_chars(fields[3].data(), fields[3].data() + fields[3].size(), margin);
  if (count != fields.size() || fields[1].empty() || fields[2].empty() || error != std::errc() ||
      stop != fields[3].data() + fields[3].size() || !std::isfinite(margin)) {
    return Status(StatusCode::kDataCorrupt,
                  "expected a core, a layer, a kernel, a margin and a lease between tabs, got \"" +
                      line + "\"");
  }
  return Line{std::string(fields[0]), std::string(fields[1]),
              KernelChoice{std::string(fields[2]), margin, std::string(fields[4]), false}};
}

}  // namespace

KernelChoices::KernelChoices(std::string_view core) : core_(OneField(core)) {}

const KernelChoice* KernelChoices::Find(std::string_view layer) const {
  if (const auto adopted = adopted_.find(layer); adopted != adopted_.end()) {
    return &adopted->second;
  }
  const auto found = choices_.find(std::pair(core_, std::string(layer)));
  return found == choices_.end() ? nullptr : &found->second;
}

void KernelChoices::Remember(std::string_view layer, std::string_view kernel, double margin) {
  BITPILOT_CHECK(!layer.empty() && !kernel.empty() && std::isfinite(margin));
  BITPILOT_CHECK(IsOneField(layer) && IsOneField(kernel) && IsOneField(lease_));
  ++num_timed_;
  // The class's choice does not run here.
  if (const auto adopted = adopted_.find(layer); adopted != adopted_.end()) adopted_.erase(adopted);
  choices_.insert_or_assign(std::pair(core_, std::string(layer)),
                            KernelChoice{std::string(kernel), margin, lease_, false});
}

void KernelChoices::Use(std::string_view layer) {
  BITPILOT_CHECK(Find(layer) != nullptr);
  used_.emplace(layer);
}

std::string KernelChoices::HashOfUsed() const {
  if (used_.empty()) return {};
  std::string text;
  for (const std::string& layer : used_) text += layer + '\t' + Find(layer)->kernel + '\n';
  return Sha256Hex(text).substr(0, kHashDigits);
}

void KernelChoices::Adopt(std::string_view text) {
  if (text == adopted_text_) return;
  adopted_text_ = text;
  adopted_.clear();
  if (text.empty()) return;
  Result<KernelChoices> parsed = Parse(text, core_);
  if (!parsed.ok()) return;
  for (auto& [key, choice] : parsed->choices_) {
    if (key.first != core_) continue;
    choice.is_of_class = true;
    adopted_.emplace(key.second, std::move(choice));
  }
}

std::string KernelChoices::ToText() const {
  std::ostringstream text = TextBegin();
  for (const auto& [key, choice] : choices_) AddLine(key.first, key.second, choice, text);
  return text.str();
}

std::string KernelChoices::UsedToText() const {
  if (used_.empty()) return {};
  std::ostringstream text = TextBegin();
  for (const std::string& layer : used_) AddLine(core_, layer, *Find(layer), text);
  return text.str();
}

Result<KernelChoices> KernelChoices::Parse(std::string_view text, std::string_view core) {
  std::istringstream lines{std::string(text)};
  std::string title;
  std::string build;
  if (!std::getline(lines, title) || !title.starts_with(kTitle)) {
    return Status(StatusCode::kDataCorrupt,
                  "expected the title \"" + std::string(kTitle) + "\", got \"" + title + "\"");
  }
  if (title.substr(kTitle.size()) != kVersion) {
    return Status(StatusCode::kVersionMismatch, "another version than" + std::string(kVersion));
  }
  if (!std::getline(lines, build)) {
    return Status(StatusCode::kDataCorrupt, "expected the kernels' build");
  }
  if (build != "kernels\t" + KernelBuildId()) {
    return Status(StatusCode::kVersionMismatch, "made by another build of the kernels");
  }
  KernelChoices choices(core);
  for (std::string line; std::getline(lines, line);) {
    Result<Line> parsed = ParseLine(line);
    if (!parsed.ok()) return parsed.status();
    choices.choices_.insert_or_assign(std::pair(parsed->core, parsed->layer),
                                      std::move(parsed->choice));
  }
  return choices;
}

}  // namespace bitpilot
