#include "arrow_array.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "arrow_text.h"
#include "text/utf8.h"

namespace pwalk::bindings {
namespace {

using Held = std::shared_ptr<const HeldBatch>;

/// What an exported array owns besides itself; its private_data. Never touches Python.
struct ArrayContent {
  explicit ArrayContent(Held batch, ArrowText as = {}) : held(std::move(batch)), text(as) {}
  ArrayContent(const ArrayContent&) = delete;
  ~ArrayContent() {
    for (const auto& child : children) release_if_ours(child.get());
    release_if_ours(dictionary.get());
  }

  // A child that a consumer has moved out has a null release and belongs to it.
  static void release_if_ours(ArrowArray* array) {
    if (array && array->release) array->release(array);
  }

  Held held;
  std::vector<const void*> buffers;
  std::vector<std::uint64_t> repeated;  ///< a constant column, written out
  TextColumn text;                      ///< text that is not in the batch as it has to be
  std::vector<std::unique_ptr<ArrowArray>> children;
  std::vector<ArrowArray*> child_pointers;
  std::unique_ptr<ArrowArray> dictionary;
};

void release_array(ArrowArray* array) {
  array->release = nullptr;
  delete static_cast<ArrayContent*>(array->private_data);
}

void fill_array(ArrowArray* out, std::int64_t length, std::int64_t nulls, std::unique_ptr<ArrayContent> content) {
  for (const auto& child : content->children) content->child_pointers.push_back(child.get());
  *out = {};
  out->length = length;
  out->null_count = nulls;
  out->n_buffers = std::int64_t(content->buffers.size());
  out->buffers = content->buffers.data();
  out->n_children = std::int64_t(content->children.size());
  out->children = content->child_pointers.data();
  out->dictionary = content->dictionary.get();
  out->release = release_array;
  out->private_data = content.release();
}

std::unique_ptr<ArrowArray> make_array(std::int64_t length, std::int64_t nulls,
                                       std::unique_ptr<ArrayContent> content) {
  auto array = std::make_unique<ArrowArray>();
  fill_array(array.get(), length, nulls, std::move(content));
  return array;
}

/// `rows` copies of one element, in words so that any element type is aligned.
std::vector<std::uint64_t> repeat(const std::byte* element, std::size_t width, std::size_t rows) {
  std::vector<std::uint64_t> words((rows * width + 7) / 8);
  auto* const bytes = reinterpret_cast<std::byte*>(words.data());
  for (std::size_t row = 0; row < rows; ++row) std::memcpy(bytes + row * width, element, width);
  return words;
}

std::unique_ptr<ArrowArray> column_array(const Held& held, schema::Column column) {
  const schema::ColumnView& view = held->view().column(column);
  const std::uint32_t rows = held->view().rows();
  auto content = std::make_unique<ArrayContent>(held);
  if (view.constant) content->repeated = repeat(view.values, view.width, rows);
  const void* const values = view.constant ? static_cast<const void*>(content->repeated.data()) : view.values;
  content->buffers = {view.valid, values};
  return make_array(rows, view.null_count, std::move(content));
}

std::unique_ptr<ArrowArray> built_text(std::unique_ptr<ArrayContent> content) {
  const TextColumn& text = content->text;
  content->buffers = {text.valid(), text.offsets(), text.bytes()};
  const auto length = text.size(), nulls = text.null_count();
  return make_array(length, nulls, std::move(content));
}

bool names_fit(const schema::EntryBatchView& view, ArrowText text) {
  if (text.type == ArrowText::Type::binary) return true;
  for (std::uint32_t row = 0; row < view.rows(); ++row)
    if (!tools::is_utf8(view.name(row))) return false;
  return true;
}

constexpr const char* kTooLong = "a batch's text is longer than 2 GiB, which Arrow's offsets cannot say";

Result<std::unique_ptr<ArrowArray>> name_array(const Held& held, ArrowText text) {
  const auto& view = held->view();
  auto content = std::make_unique<ArrayContent>(held, text);
  if (names_fit(view, text)) {
    content->buffers = {nullptr, view.name_offsets().data(), view.name_bytes().data()};
    return make_array(view.rows(), 0, std::move(content));
  }
  for (std::uint32_t row = 0; row < view.rows(); ++row)
    if (!content->text.append(view.name(row))) return fail(EOVERFLOW, kTooLong);
  return built_text(std::move(content));
}

bool fits(const schema::TextView& column, std::uint32_t rows, ArrowText text) {
  if (text.type == ArrowText::Type::binary) return true;
  for (std::uint32_t row = 0; row < rows; ++row)
    if (!tools::is_utf8(column.at(row))) return false;
  return true;
}

/// As it lies in the batch, if all of it is text of the type asked for.
Result<std::unique_ptr<ArrowArray>> text_array(const Held& held, schema::Column id, ArrowText text) {
  const schema::TextView& column = held->view().text(id);
  const std::uint32_t rows = held->view().rows();
  auto content = std::make_unique<ArrayContent>(held, text);
  if (fits(column, rows, text)) {
    content->buffers = {column.valid, column.offsets.data(), column.bytes.data()};
    return make_array(rows, column.null_count, std::move(content));
  }
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (!column.is_valid(row))
      content->text.append_null();
    else if (!content->text.append(column.at(row)))
      return fail(EOVERFLOW, kTooLong);
  }
  return built_text(std::move(content));
}

Result<std::unique_ptr<ArrowArray>> directory_array(const Held& held, ArrowText text) {
  const auto& view = held->view();
  auto paths = std::make_unique<ArrayContent>(held, text);
  std::string path;
  for (std::uint32_t directory = 0; directory < view.directory_count(); ++directory) {
    path.clear();
    view.append_directory_path(directory, path);
    if (!paths->text.append(path)) return fail(EOVERFLOW, kTooLong);
  }
  auto content = std::make_unique<ArrayContent>(held);
  content->buffers = {nullptr, view.directory_index().data()};
  content->dictionary = built_text(std::move(paths));
  return make_array(view.rows(), 0, std::move(content));
}

}  // namespace

Result<void> export_batch(const Held& held, schema::ColumnSet columns, ArrowText text, ArrowArray* out) {
  auto content = std::make_unique<ArrayContent>(held);
  for (const auto part : {directory_array, name_array}) {
    auto array = part(held, text);
    if (!array) return tl::unexpected(array.error());
    content->children.push_back(*std::move(array));
  }
  for (const auto& spec : schema::kColumns) {
    if (!columns.has(spec.id)) continue;
    if (!held->view().columns().has(spec.id))
      return fail(EINVAL, "a batch lacks the column " + std::string(spec.name));
    content->children.push_back(column_array(held, spec.id));
  }
  for (const auto& spec : schema::kTextColumns) {
    if (!columns.has(spec.id)) continue;
    if (!held->view().columns().has(spec.id))
      return fail(EINVAL, "a batch lacks the column " + std::string(spec.name));
    auto array = text_array(held, spec.id, text);
    if (!array) return tl::unexpected(array.error());
    content->children.push_back(*std::move(array));
  }
  content->buffers = {nullptr};
  fill_array(out, held->view().rows(), 0, std::move(content));
  return {};
}

}  // namespace pwalk::bindings
