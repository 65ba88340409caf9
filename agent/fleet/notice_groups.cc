#include "agent/fleet/notice_groups.h"

#include <algorithm>
#include <utility>

#include "agent/fleet/first_named.h"

namespace bitpilot {

void NoticeGroups::Add(fleet::Notice notice, Instant now) {
  const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
    return !notice.group.empty() && group.name == notice.group;
  });
  if (same != groups_.end()) {
    same->notices.push_back(std::move(notice));
    return;
  }
  Group group{notice.group, now, {}};
  group.notices.push_back(std::move(notice));
  groups_.push_back(std::move(group));
}

std::vector<NoticeGroups::Told> NoticeGroups::Take(Instant now, bool all) {
  std::vector<Told> told;
  std::erase_if(groups_, [&](Group& group) {
    if (!all && !group.name.empty() && now - group.since < kGather) return false;
    told.push_back(TellOf(std::move(group.notices)));
    return true;
  });
  return told;
}

NoticeGroups::Told NoticeGroups::TellOf(std::vector<fleet::Notice> notices) {
  Told told;
  for (const fleet::Notice& notice : notices) told.texts.push_back(notice.text);
  if (notices.size() <= kToldSingly) return told;
  std::vector<std::string> names;
  for (const fleet::Notice& notice : notices) names.push_back("'" + notice.board + "'");
  told.summary = std::to_string(notices.size()) + " boards " + notices.front().group + ": " +
                 FirstNamed(names) + "; the first: " + notices.front().text;
  return told;
}

}  // namespace bitpilot
