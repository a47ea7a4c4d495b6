#pragma once

namespace pwalk::run {

/// False in a vfork()ed child, whose memory is its parent's.
bool own_process();

}  // namespace pwalk::run
