// Results that no agent has acknowledged, on the board's disk: one file each, named by its measure id.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

class ResultStore {
 public:
  // The folder "results" of the store; made when the first result is stored.
  explicit ResultStore(const std::string& store_folder) : folder_(store_folder + "/results") {}

  // Oldest first. What is damaged, as by a power cut, is removed, and told in `problems`: its
  // measurement will be asked for again.
  std::vector<v1::KeptResult> Load(std::vector<std::string>& problems) const;

  // Durable once it returns OK. Errors: as MakeFolderDurably() and WriteFileAtomically().
  //
  // measure_id: raw bytes.
  Status Store(const std::string& measure_id, const v1::KeptResult& kept) const;
  void Drop(const std::string& measure_id) const;

 private:
  std::string PathOf(const std::string& measure_id) const;

  std::string folder_;
};

}  // namespace bitpilot
