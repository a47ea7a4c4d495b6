#include "change_writer.h"

namespace pwalk::publish {

void ChangeWriter::enter(std::string_view path, std::uint64_t inode) {
  path_ = path;
  inode_ = inode;
  begun_ = false;
}

Result<void> ChangeWriter::append(const schema::Entry& entry) {
  return put([&] { return builder_.append(entry); });
}

Result<void> ChangeWriter::close(const schema::DirectoryRecord& record) {
  return put([&] { return builder_.end_directory(record); });
}

// A full batch goes out first; an empty one takes anything.
template <class Put>
Result<void> ChangeWriter::put(Put&& put_once) {
  for (;;) {
    if (!begun_) builder_.begin_directory(path_, inode_);
    begun_ = true;
    if (put_once()) return {};
    if (auto flushed = flush(); !flushed) return flushed;
  }
}

Result<void> ChangeWriter::flush() {
  begun_ = false;
  if (builder_.empty()) return {};
  return lanes_.accept(worker_, builder_.finish());
}

}  // namespace pwalk::publish
