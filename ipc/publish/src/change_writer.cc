#include "change_writer.h"

namespace pwalk::publish {

/// Every row was in a batch before, so it fits into an empty one.
Result<void> ChangeWriter::append(const schema::Entry& entry) {
  Result<void> handed;
  static_cast<void>(packer_.append(entry, publishing(handed)));
  return handed;
}

Result<void> ChangeWriter::close(const schema::DirectoryRecord& record) {
  Result<void> handed;
  static_cast<void>(packer_.close(record, publishing(handed)));
  return handed;
}

Result<void> ChangeWriter::flush() {
  Result<void> handed;
  packer_.flush(publishing(handed));
  return handed;
}

}  // namespace pwalk::publish
