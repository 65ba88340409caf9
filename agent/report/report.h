// The report: one search as one self-contained HTML file, made from its study alone.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// The report of the study at `study_path`: a page that loads nothing, runs no scripts and can be
// sent around. A running or interrupted search gives a report of what there is; latencies that come
// from a model are labelled MODEL; a log that does not verify is shown as damaged.
//
// Errors: as Study::OpenReadOnly(); kDataCorrupt for an event that cannot be read.
Result<std::string> MakeReport(const std::string& study_path);

// Writes it to `html_path`, replacing an older one.
//
// Errors: as MakeReport() and WriteFileAtomically().
Status WriteReport(const std::string& study_path, const std::string& html_path);

}  // namespace bitpilot
