// Everything that can happen to a fleet, and everything that it can do.
//
// FleetCore::Step() maps the one to the other; agent/fleet/fleet_driver.h carries out the actions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/fleet/client_core.h"
#include "agent/fleet/fleet_job.h"
#include "agent/fleet/measure_retries.h"
#include "kernels/base/status.h"

// A namespace of its own: one board's core has events of the same names.
namespace bitpilot::fleet {

using BoardId = std::uint32_t;

struct BoardSpec {
  BoardId id = 0;  // never used again in this fleet
  ClientOptions client;
  std::vector<std::string> tags;  // its classes, beside "", which has every board
  bool has_power_cycle = false;   // CutPower can be carried out
};

struct JobSpec {
  // request.id is never used again in this fleet. Of a measurement, measure_id is what the ids of its
  // attempts derive from (AttemptId()), and never used for another one anywhere: take a random one
  // (NewMeasureId()), or MeasureIdOf() a name that no other study comes to. Boards keep results by it
  // for a day: a study that is resumed asks for what it had asked for, and gets what it did not live to
  // record. The job owns its network files.
  JobRequest request;
  std::string class_tag;  // boards of this class may run it
  // This board alone: as one of class_tag, so not while it is to be judged for that or is left out of it;
  // where class_tag is empty, whatever class it has.
  std::optional<BoardId> only_on;
  // By whose kernels it runs where class_tag is empty and the board has several classes, or waits to be
  // judged for them.
  std::string kernels_of;
  int priority = 0;    // the higher one goes first
  std::string stream;  // streams of equal priority take turns
  // Of a measurement that another run of the agent began: how many of its attempts are recorded.
  int first_attempt = 0;
};

// The measure id of a job's attempt; the first one has the job's own.
//
// job_id: 16 bytes.
std::string AttemptId(const std::string& job_id, int attempt);

enum class BoardState {
  kConnecting,   // was not reached yet
  kReady,        // idle
  kBusy,         // runs a job
  kResting,      // too hot, or short of power: asked again in a moment
  kHeld,         // leased to another agent
  kAway,         // was lost, and is tried again
  kQuarantined,  // failed too often, until a health check passes
  kChecking,     // the health check runs
  kDraining,     // takes no new work, as it said itself
  kLeftOut,      // unlike the other boards of its classes
  kFailed,       // refused for good, or until it is tried again
  kGivenBack,    // reserved, and not needed while other agents wait; taken again when it is
  kLeaving,      // was removed
};
std::string_view ToString(BoardState state);

struct FleetOptions {
  // Jobs that wait, run, or have ended and are not recorded. More are refused.
  std::size_t max_jobs = 4096;
  RetryOptions retries;
  // A job of a board that is away for so long is given to another one.
  std::chrono::milliseconds move_after{20'000};
  // A reserved board without work is given back after so long, if its agent wants leases per job (an
  // older bitpilotd knows reservations only) or if jobs of another class wait for boards that other
  // agents hold.
  std::chrono::milliseconds give_back_after{2'000};
  // How long a class with jobs may be without a board that works before its jobs end with
  // kUnavailable.
  std::chrono::milliseconds max_wait = kForever;
  // A board that failed for good is tried anew after so long; nothing: never.
  std::optional<std::chrono::milliseconds> retry_failed_after;

  // CRASH, TIMED_OUT, WRONG_OUTPUT, LOST and PROTOCOL_ERROR in a row, of so many different networks,
  // quarantine a board. 0: never.
  int quarantine_after = 3;
  // A measurement that a sound board passes: OK or NOISY releases it. Nothing: nothing does.
  std::optional<JobRequest> health_check;
  std::chrono::milliseconds check_pause{10'000};  // doubles with every failure
  std::chrono::milliseconds longest_check_pause{1'800'000};

  // A board that does not answer for so long is power-cycled, and again after each boot_time, but at most
  // max_power_cycles times until it measures a day after the last time.
  std::chrono::milliseconds power_cycle_after{120'000};
  std::chrono::milliseconds boot_time{120'000};
  int max_power_cycles = 3;
  std::chrono::milliseconds power_cycles_forgotten_after = std::chrono::hours{24};

  // What boards of a class must be like. A class that is not named takes after most of the boards that
  // describe themselves within class_gathering of the first one, or before if those are all that are
  // listed, or more than half.
  std::map<std::string, BoardInfo> expected;
  std::chrono::milliseconds class_gathering{2'000};
  // A board that every class leaves out is looked at again after so long: a governor is put right, a
  // daemon is updated.
  std::chrono::milliseconds look_again_after{60'000};

  // Classes whose boards work for them after BoardJudged alone.
  std::set<std::string> judged_classes;
};

// ----------------------------------------------------------------------------------------------------
// events

struct BoardAdded {
  BoardSpec spec;
};
struct BoardRemoved {  // its job goes to another board, its lease is given back
  BoardId board = 0;
};
// What is known of which kernels boards of a class run, of earlier runs of the agent.
struct KernelChoicesKnown {
  std::string class_tag;
  std::string text;  // kernels/runtime/kernel_choices.h, ToText()
};
// Something happened on a board's link: LinkUp, LinkDown, LinkRefused, LinkImpossible,
// MessageReceived or GarbageReceived.
struct LinkEvent {
  BoardId board = 0;
  ClientEvent event;
};
// Whether a board that is like its class measures as the class does: it works for one of
// FleetOptions::judged_classes if so. It holds until the board comes back as another one, and says nothing
// of one that came back so before it arrived.
struct BoardJudged {
  BoardId board = 0;
  std::string fingerprint;  // FingerprintOf() the board that was judged
  std::string tag;
  bool is_pooled = false;
  std::string why;  // it is not
};
struct PowerCycled {  // CutPower was carried out, or failed
  BoardId board = 0;
  Status status;
};
struct JobAdded {
  JobSpec job;
};
struct JobDropped {  // nobody wants it any more: nothing more is heard of it
  JobId job = 0;
};
// What AttemptEnded or JobEnded told is where it cannot get lost any more.
struct AttemptRecorded {
  JobId job = 0;
  int attempt = 0;
};
struct CloseRequested {};
struct TimePassed {};

using Event =
    std::variant<BoardAdded, BoardRemoved, BoardJudged, KernelChoicesKnown, LinkEvent, PowerCycled,
                 JobAdded, JobDropped, AttemptRecorded, CloseRequested, TimePassed>;

// ----------------------------------------------------------------------------------------------------
// actions

// OpenLink, CloseLink or SendMessage of a board's link.
struct LinkAction {
  BoardId board = 0;
  ClientAction action;
};
// An attempt failed, and another one follows.
struct AttemptEnded {
  JobId job = 0;
  int attempt = 0;
  std::string measure_id;
  BoardId board = 0;
  MeasureStatus status = MeasureStatus::kLost;
  std::string detail;
};
// The job's only result.
struct JobEnded {
  JobResult result;  // .status kUnavailable: no board could do it, which says nothing of it
  int attempt = 0;
  std::string measure_id;        // of the attempt; empty for an inference
  std::optional<BoardId> board;  // that gave the result or had the job last; nothing if none did
  BoardInfo info;                // what that board was like then
};
struct BoardChanged {
  BoardId board = 0;
  BoardState state = BoardState::kConnecting;
  std::string why;
  Status failure;  // of kFailed
};
// The board's description, when its first lease is granted and whenever it differs then.
struct BoardDescribed {
  BoardId board = 0;
  BoardInfo info;
};
// Of this agent's key, what the board measures or has a result of that nobody acknowledged, as it said with
// its latest lease. Not told where there was never such a thing.
struct MeasurementsKnown {
  BoardId board = 0;
  std::vector<std::string> measure_ids;
};
// A board of the class found out which kernels are the fastest of further layers.
struct KernelsChosen {
  std::string class_tag;
  std::string text;  // of all that is known of the class
};
struct CutPower {  // run the board's power-cycle command; PowerCycled follows
  BoardId board = 0;
};
struct Notice {  // for people
  std::string text;
  // What several boards may have in common ("are back"): many such notices are told as one
  // (agent/fleet/notice_groups.h). Empty: told by itself.
  std::string group = {};
  std::string board = {};  // of a group: whose notice this is
};
struct BoardGone {  // after BoardRemoved: its link is closed
  BoardId board = 0;
};
struct FleetClosed {};

using Action =
    std::variant<LinkAction, AttemptEnded, JobEnded, BoardChanged, BoardDescribed,
                 MeasurementsKnown, KernelsChosen, CutPower, Notice, BoardGone, FleetClosed>;

}  // namespace bitpilot::fleet
