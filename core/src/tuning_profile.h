#pragma once

#include <span>
#include <string_view>

#include "pwalk/scan_options.h"

namespace pwalk {

/// How a kind of filesystem wants to be walked: one row of the table in
/// tuning_profile.cc.
struct TuningProfile {
  Profile profile;
  unsigned threads;                 ///< to start with; 0: one per usable CPU
  unsigned most_threads;            ///< as far as it pays; 0: four per usable CPU
  unsigned buffer_kib;              ///< directory buffer
  Coherence coherence;              ///< unless the user says otherwise
  unsigned split_names;             ///< names per part of a large directory that idle threads help with; 0: never
  bool try_ring;                    ///< io_uring may be worth a trial
  bool directories_first;           ///< of a block's names they are asked about first: others can then walk on below them
  std::string_view threads_reason;  ///< for --explain
};

/// The row of a profile; of `automatic` that of `local`.
const TuningProfile& tuning_of(Profile profile);

/// The profile of a filesystem type as mountinfo names it ("nfs4", "fuse.sshfs").
/// What is not known is local.
Profile profile_of_filesystem(std::string_view filesystem);

}  // namespace pwalk
