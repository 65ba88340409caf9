// The study of a measuring agent: what it announced, and what came of it.
#pragma once

#include <memory>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

class Study;

class MeasuredStudy {
 public:
  // Kind of the event that announces a measurement, before its board hears of it.
  static constexpr char kAnnouncedKind[] = "announced";

  // Makes the study, or goes on with it.
  //
  // Errors: as Study::Create() and Study::OpenForResume().
  static Result<std::unique_ptr<MeasuredStudy>> Open(const std::string& path);
  ~MeasuredStudy();
  MeasuredStudy(const MeasuredStudy&) = delete;
  MeasuredStudy& operator=(const MeasuredStudy&) = delete;

  // The id, 32 hexadecimal digits, of what was announced and is not recorded; if there is nothing, a
  // new one is announced. Durable when it returns.
  //
  // Errors: of the study.
  Result<std::string> NextId();

  // measurement_id: under which the board knows it, in hexadecimal digits. Durable when it returns.
  //
  // Errors: of the study.
  Status Record(const std::string& announced, const std::string& measurement_id,
                const Measurement& measurement, const BoardInfo& board);

 private:
  MeasuredStudy(std::unique_ptr<Study> study, std::string unfinished);

  std::unique_ptr<Study> study_;
  std::string unfinished_;  // empty: nothing is
};

}  // namespace bitpilot
