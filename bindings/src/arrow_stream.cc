#include "arrow_stream.h"

#include <cerrno>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "arrow_array.h"
#include "interruptible.h"

namespace pwalk::bindings {
namespace {

/// An exported stream's private_data.
class ExportedStream {
 public:
  ExportedStream(std::shared_ptr<SharedConsumer> consumer, ArrowText text)
      : consumer_(std::move(consumer)), text_(text) {}

  Result<void> get_schema(ArrowSchema* out) {
    if (auto known = learn_columns(); !known) return known;
    export_schema(*columns_, text_, out);
    return {};
  }

  /// An array without release, as the end of the stream is told.
  Result<void> get_next(ArrowArray* out) {
    *out = {};
    if (auto known = learn_columns(); !known) return known;
    auto batch = ahead_ ? SharedConsumer::Next(std::exchange(ahead_, nullptr)) : read();
    if (!batch) return tl::unexpected(batch.error());
    return *batch ? export_batch(*batch, *columns_, text_, out) : Result<void>();
  }

  int remember(const Error& error) {
    last_error_ = error.message();
    return error.code;
  }
  const char* last_error() const { return last_error_.empty() ? nullptr : last_error_.c_str(); }

 private:
  /// The columns are those of the first batch, which has to be waited for.
  Result<void> learn_columns() {
    if (columns_) return {};
    auto first = read();
    if (!first) return tl::unexpected(first.error());
    ahead_ = *std::move(first);
    columns_ = ahead_ ? ahead_->view().columns() : schema::ColumnSet::all();
    return {};
  }

  /// Null at the end.
  SharedConsumer::Next read() {
    const ForeignCode caller;
    auto next = consumer_->wait_until(std::nullopt);
    if (next && !*next && consumer_->end() == ipc::StreamEnd::scanner_died)
      return fail(ECONNRESET, "the scanner of '" + consumer_->scan_name() + "' died; what it had published was read");
    return next;
  }

  std::shared_ptr<SharedConsumer> consumer_;
  ArrowText text_;
  std::optional<schema::ColumnSet> columns_;
  std::shared_ptr<const HeldBatch> ahead_;  ///< read for its columns, not yet handed out
  std::string last_error_;
};

ExportedStream& stream_of(ArrowArrayStream* stream) { return *static_cast<ExportedStream*>(stream->private_data); }

/// Calls one of the stream's methods and gives its errno; nothing may be thrown into C.
template <class Out>
int answer(ArrowArrayStream* stream, Result<void> (ExportedStream::*method)(Out*), Out* out) {
  ExportedStream& exported = stream_of(stream);
  try {
    const auto result = (exported.*method)(out);
    return result ? 0 : exported.remember(result.error());
  } catch (const std::exception&) {
    return ENOMEM;
  }
}

}  // namespace

void export_stream(std::shared_ptr<SharedConsumer> consumer, ArrowText text, ArrowArrayStream* out) {
  out->get_schema = [](ArrowArrayStream* stream, ArrowSchema* schema) {
    return answer(stream, &ExportedStream::get_schema, schema);
  };
  out->get_next = [](ArrowArrayStream* stream, ArrowArray* array) {
    return answer(stream, &ExportedStream::get_next, array);
  };
  out->get_last_error = [](ArrowArrayStream* stream) { return stream_of(stream).last_error(); };
  out->release = [](ArrowArrayStream* stream) {
    delete &stream_of(stream);
    stream->release = nullptr;
  };
  out->private_data = new ExportedStream(std::move(consumer), text);
}

}  // namespace pwalk::bindings
