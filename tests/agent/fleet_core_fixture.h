// FleetCore with SimulatedBoards at the ends of perfect wires, unless a test cuts them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agent/fleet/fleet_core.h"
#include "tests/agent/fleet_client_fixture.h"
#include "tests/agent/fleet_simulated_board.h"

namespace bitpilot {

class FleetCoreTest : public testing::Test {
 protected:
  void Use(const fleet::FleetOptions& options) {
    core_ = std::make_unique<fleet::FleetCore>(options);
  }

  // Boards are called "b1", "b2", ... by their ids.
  void AddBoard(fleet::BoardId id, const std::string& tag = "pi", bool has_power_cycle = false,
                LeaseKind lease = LeaseKind::kReservation) {
    fleet::BoardSpec spec;
    spec.id = id;
    spec.client = TestOptions();
    spec.client.board_name = "b" + std::to_string(id);
    spec.client.connect_timeout = spec.client.reconnect_timeout = spec.client.lease_wait = kForever;
    spec.client.lease.kind = lease;
    spec.tags = {tag};
    spec.has_power_cycle = has_power_cycle;
    Step(fleet::BoardAdded{spec});
    Settle();
  }

  void Submit(JobId id, const std::string& tag = "pi", int priority = 0,
              const std::string& stream = "") {
    fleet::JobSpec job;
    job.request = MeasureRequestOf(id);
    job.class_tag = tag;
    job.priority = priority;
    job.stream = stream;
    Step(fleet::JobAdded{std::move(job)});
    Settle();
  }

  void Step(fleet::Event event) {
    for (fleet::Action& action : core_->Step(std::move(event), now_)) {
      if (auto* link = std::get_if<fleet::LinkAction>(&action)) {
        OnLink(*link);
      } else if (auto* attempt = std::get_if<fleet::AttemptEnded>(&action)) {
        attempts_.push_back(*attempt);
      } else if (auto* ended = std::get_if<fleet::JobEnded>(&action)) {
        EXPECT_FALSE(ended_.contains(ended->result.id)) << "a job ends once";
        order_.push_back(ended->result.id);
        ended_.emplace(ended->result.id, std::move(*ended));
      } else if (auto* notice = std::get_if<fleet::Notice>(&action)) {
        notices_.push_back(notice->text);
        if (!notice->group.empty()) grouped_[notice->group].insert(notice->board);
      } else if (auto* changed = std::get_if<fleet::BoardChanged>(&action)) {
        states_[changed->board] = changed->state;
      } else if (auto* described = std::get_if<fleet::BoardDescribed>(&action)) {
        infos_[described->board] = described->info;
      } else if (auto* chosen = std::get_if<fleet::KernelsChosen>(&action)) {
        kernels_[chosen->class_tag] = chosen->text;
      } else if (auto* cut = std::get_if<fleet::CutPower>(&action)) {
        ++power_cuts_[cut->board];
      } else if (auto* gone = std::get_if<fleet::BoardGone>(&action)) {
        gone_.insert(gone->board);
      } else if (std::holds_alternative<fleet::FleetClosed>(action)) {
        ++num_closed_;
      }
    }
  }

  void OnLink(fleet::LinkAction& link) {
    if (std::holds_alternative<OpenLink>(link.action)) {
      opening_.insert(link.board);
    } else if (std::holds_alternative<CloseLink>(link.action)) {
      opening_.erase(link.board);
      std::erase_if(to_boards_, [&](const auto& one) { return one.first == link.board; });
    } else {
      to_boards_.emplace_back(link.board, std::get<SendMessage>(link.action).message);
    }
  }

  // Carries messages both ways until nothing moves.
  void Settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const fleet::BoardId id : std::exchange(opening_, {})) {
        if (cut_.contains(id)) continue;
        Step(fleet::LinkEvent{id, LinkUp{}});
        moved = true;
      }
      for (const auto& [id, message] : std::exchange(to_boards_, {})) {
        if (cut_.contains(id)) continue;
        moved = true;
        if (message.envelope.has_measure_request()) {
          asked_[id].push_back(message.envelope.measure_request().measure_id());
        }
        if (message.envelope.has_result_ack()) {
          acknowledged_[id].push_back(message.envelope.result_ack().measure_id());
        }
        for (const Message& reply : boards_[id].Receive(message, now_)) {
          Step(fleet::LinkEvent{id, MessageReceived{reply}});
        }
      }
    }
  }

  void Pass(std::chrono::milliseconds time) {
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ += std::chrono::milliseconds(50);
      for (auto& [id, board] : boards_) {
        if (cut_.contains(id)) continue;
        for (const Message& message : board.Advance(now_)) {
          Step(fleet::LinkEvent{id, MessageReceived{message}});
        }
      }
      Step(fleet::TimePassed{});
      Settle();
    }
  }

  // A cable pulled, with or without a word.
  void Cut(fleet::BoardId id) {
    cut_.insert(id);
    Step(fleet::LinkEvent{id, LinkDown{"cable"}});
  }
  void Mend(fleet::BoardId id) {
    cut_.erase(id);
    Step(fleet::LinkEvent{id, LinkDown{"cable"}});
  }

  // What a board answers the next measurements with, instead of numbers.
  void AnswerWith(fleet::BoardId id, v1::MeasureStatus status, int times) {
    boards_[id].next_status = status;
    boards_[id].num_next_status = times;
  }

  bool HasNumbersOf(JobId id) const {
    const auto found = ended_.find(id);
    return found != ended_.end() && found->second.result.status.ok() &&
           HasNumbers(found->second.result.measurement.status);
  }
  fleet::BoardId BoardOf(JobId id) const { return ended_.at(id).board.value_or(0); }
  std::size_t CountNotices(const std::string& part) const {
    return static_cast<std::size_t>(std::count_if(
        notices_.begin(), notices_.end(),
        [&](const std::string& text) { return text.find(part) != std::string::npos; }));
  }

  std::map<fleet::BoardId, SimulatedBoard> boards_;
  std::unique_ptr<fleet::FleetCore> core_ =
      std::make_unique<fleet::FleetCore>(fleet::FleetOptions());
  Instant now_{1'000'000};
  std::set<fleet::BoardId> cut_;
  std::set<fleet::BoardId> opening_;
  std::vector<std::pair<fleet::BoardId, Message>> to_boards_;
  std::map<fleet::BoardId, std::vector<std::string>> asked_;         // measure ids
  std::map<fleet::BoardId, std::vector<std::string>> acknowledged_;  // measure ids
  std::map<JobId, fleet::JobEnded> ended_;
  std::vector<JobId> order_;
  std::vector<fleet::AttemptEnded> attempts_;
  std::vector<std::string> notices_;
  std::map<std::string, std::set<std::string>> grouped_;  // boards of notices, by their group
  std::map<fleet::BoardId, fleet::BoardState> states_;
  std::map<fleet::BoardId, BoardInfo> infos_;
  std::map<fleet::BoardId, int> power_cuts_;
  std::map<std::string, std::string> kernels_;  // by class
  std::set<fleet::BoardId> gone_;
  int num_closed_ = 0;
};

}  // namespace bitpilot
