#include "device_daemon/server/outward_links.h"

#include "device_daemon/server/expected_agent.h"
#include "device_daemon/server/log.h"
#include "proto/framing.h"

namespace bitpilot {
namespace {

constexpr std::string_view kRoute = "outward ";  // A router's own ids begin with a zero.

}  // namespace

OutwardLinks::OutwardLinks(boost::asio::io_context& io, ZmqContext& context, CurveKeys own_keys,
                           std::string agent_name, std::string store_folder,
                           std::size_t max_frame_bytes, Handlers handlers)
    : io_(io),
      context_(context),
      own_keys_(std::move(own_keys)),
      agent_name_(std::move(agent_name)),
      store_folder_(std::move(store_folder)),
      max_frame_bytes_(max_frame_bytes),
      handlers_(std::move(handlers)),
      before_(ReadExpectedAgent(store_folder_)) {}

Status OutwardLinks::Open(const std::vector<std::string>& endpoints) {
  for (const std::string& text : endpoints) {
    Result<Endpoint> endpoint = ParseEndpoint(text, EndpointUse::kConnect);
    if (!endpoint.ok()) return endpoint.status();
    const std::size_t number = links_.size();
    OutwardLink::Handlers handlers;
    handlers.whom = [this] { return Whom(); };
    handlers.on_up = [this, number] { OnUp(number); };
    handlers.on_message = [this, number](ZmqMessage message) {
      handlers_.on_message({RouteOf(number), links_[number]->expected()}, std::move(message));
    };
    handlers.on_trouble = [](const std::string& line) { LogLine(line, "agent_not_there"); };
    links_.push_back(std::make_unique<OutwardLink>(io_, context_, own_keys_, std::move(*endpoint),
                                                   max_frame_bytes_, std::move(handlers)));
    links_.back()->Start();
  }
  return {};
}

Result<std::string> OutwardLinks::Whom() {
  const AuthorizedAgents& agents = handlers_.agents();
  Result<ExpectedAgent> chosen =
      ChooseExpectedAgent(agents, agent_name_, handlers_.today(), before_);
  if (!chosen.ok()) return chosen.status();
  Say(chosen->note);
  // The first one counts as met, in case another is listed before it is there. After that only those
  // do who were: while the clock is not set, the list may leave only one who is not.
  if (!agents.contains(before_)) Remember(chosen->public_key);
  return std::move(chosen->public_key);
}

bool OutwardLinks::MayStay(const std::string& public_key) const {
  const AuthorizedAgents& agents = handlers_.agents();
  if (!agents.contains(public_key)) return false;
  // A day on which no key has expired.
  const Result<ExpectedAgent> chosen =
      ChooseExpectedAgent(agents, agent_name_, Day::min(), public_key);
  return !chosen.ok() || chosen->public_key == public_key;
}

void OutwardLinks::Reconsider() {
  for (const std::unique_ptr<OutwardLink>& link : links_) {
    if (!link->is_up() || !MayStay(link->expected())) {
      link->Start();
      continue;
    }
    const Result<ExpectedAgent> next =
        ChooseExpectedAgent(handlers_.agents(), agent_name_, handlers_.today(), link->expected());
    Say(next.ok() ? next->note
                  : ToString(link->agent()) +
                        " stays connected, but could not be again: " + next.status().message());
  }
}

void OutwardLinks::OnUp(std::size_t number) {
  OutwardLink& link = *links_[number];
  LogLine("connected to " + ToString(link.agent()), "agent_connected");
  Remember(link.expected());
  (void)link.Send(EncodeMessage(handlers_.announcement()));
}

void OutwardLinks::Remember(const std::string& public_key) {
  if (public_key == before_) return;
  before_ = public_key;
  const Status kept = WriteExpectedAgent(store_folder_, public_key);
  if (!kept.ok()) LogLine("whom --connect expects: " + kept.message(), "expected_agent_not_stored");
}

void OutwardLinks::Say(const std::string& note) {
  if (note == last_note_) return;
  last_note_ = note;
  if (!note.empty()) LogLine(note, "expected_agent");
}

std::string OutwardLinks::RouteOf(std::size_t number) const {
  return std::string(kRoute) + std::to_string(number) + " " + links_[number]->expected();
}

bool OutwardLinks::IsRoute(std::string_view routing_id) { return routing_id.starts_with(kRoute); }

Status OutwardLinks::Send(const std::string& routing_id, const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (RouteOf(i) == routing_id) return links_[i]->Send(frames);
  }
  return {StatusCode::kUnavailable, "the agent is not expected any more"};
}

}  // namespace bitpilot
