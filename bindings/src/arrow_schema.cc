#include "arrow_schema.h"

#include <memory>
#include <string>
#include <vector>

namespace pwalk::bindings {
namespace {

/// What an exported schema owns besides itself; its private_data.
struct SchemaContent {
  SchemaContent() = default;
  SchemaContent(const SchemaContent&) = delete;
  ~SchemaContent() {
    for (const auto& child : children) release_if_ours(child.get());
    release_if_ours(dictionary.get());
  }

  // A child that a consumer has moved out has a null release and belongs to it.
  static void release_if_ours(ArrowSchema* schema) {
    if (schema && schema->release) schema->release(schema);
  }

  std::string name;
  std::vector<std::unique_ptr<ArrowSchema>> children;
  std::vector<ArrowSchema*> child_pointers;
  std::unique_ptr<ArrowSchema> dictionary;
};

void release_schema(ArrowSchema* schema) {
  schema->release = nullptr;
  delete static_cast<SchemaContent*>(schema->private_data);
}

/// `format` must live forever.
void fill_schema(ArrowSchema* out, const char* format, bool nullable, std::unique_ptr<SchemaContent> content) {
  for (const auto& child : content->children) content->child_pointers.push_back(child.get());
  *out = {};
  out->format = format;
  out->name = content->name.c_str();
  out->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
  out->n_children = std::int64_t(content->children.size());
  out->children = content->child_pointers.data();
  out->dictionary = content->dictionary.get();
  out->release = release_schema;
  out->private_data = content.release();
}

std::unique_ptr<ArrowSchema> leaf(std::string_view name, const char* format, bool nullable,
                                  std::unique_ptr<ArrowSchema> dictionary = nullptr) {
  auto schema = std::make_unique<ArrowSchema>();
  auto content = std::make_unique<SchemaContent>();
  content->name = name;
  content->dictionary = std::move(dictionary);
  fill_schema(schema.get(), format, nullable, std::move(content));
  return schema;
}

}  // namespace

void export_schema(schema::ColumnSet columns, ArrowText text, ArrowSchema* out) {
  const bool may_miss = text.type == ArrowText::Type::utf8 && text.misfit == ArrowText::Misfit::null;
  auto content = std::make_unique<SchemaContent>();
  content->children.push_back(leaf("directory", "s", may_miss, leaf("", text.format(), may_miss)));
  content->children.push_back(leaf("name", text.format(), may_miss));
  for (const auto& spec : schema::kColumns)
    if (columns.has(spec.id)) content->children.push_back(leaf(spec.name, spec.arrow_format.data(), true));
  for (const auto& spec : schema::kTextColumns)
    if (columns.has(spec.id)) content->children.push_back(leaf(spec.name, text.format(), true));
  fill_schema(out, "+s", false, std::move(content));
}

}  // namespace pwalk::bindings
