#include <memory>
#include <string>

#include "arrow_array.h"
#include "arrow_stream.h"
#include "batch_handle.h"
#include "consumer_handle.h"
#include "registrations.h"
#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

ArrowText arrow_text(const std::string& type, const std::string& misfit) {
  ArrowText text;
  if (type == "utf8")
    text.type = ArrowText::Type::utf8;
  else if (type != "binary")
    throw py::value_error("text '" + type + "': allowed are binary, utf8");
  if (misfit == "null")
    text.misfit = ArrowText::Misfit::null;
  else if (misfit != "replace")
    throw py::value_error("on_error '" + misfit + "': allowed are replace, null");
  return text;
}

/// The names the capsules must have (the Arrow PyCapsule interface).
template <class Struct>
constexpr const char* kCapsuleName = nullptr;
template <>
constexpr const char* kCapsuleName<ArrowSchema> = "arrow_schema";
template <>
constexpr const char* kCapsuleName<ArrowArray> = "arrow_array";
template <>
constexpr const char* kCapsuleName<ArrowArrayStream> = "arrow_array_stream";

/// A capsule that releases the struct unless a consumer has moved it out.
template <class Struct>
py::capsule capsule_of(std::unique_ptr<Struct> exported) {
  return py::capsule(exported.release(), kCapsuleName<Struct>, [](PyObject* capsule) {
    const std::unique_ptr<Struct> own(static_cast<Struct*>(PyCapsule_GetPointer(capsule, kCapsuleName<Struct>)));
    if (own && own->release) own->release(own.get());
  });
}

/// Does the schema in an "arrow_schema" capsule want text? Only `name` is looked at; nothing else can be chosen.
bool wants_utf8(const py::capsule& requested) {
  const auto* const schema = requested.get_pointer<ArrowSchema>();
  for (std::int64_t child = 0; child < schema->n_children; ++child) {
    const ArrowSchema& field = *schema->children[child];
    const std::string_view format = field.format;
    if (field.name && std::string_view(field.name) == "name") return format == "u" || format == "U" || format == "vu";
  }
  return false;
}

/// The schema capsule of a request, or none.
ArrowText negotiated(const py::object& requested, ArrowText asked) {
  if (requested.is_none()) return asked;
  if (!PyCapsule_IsValid(requested.ptr(), kCapsuleName<ArrowSchema>))
    throw py::type_error("requested_schema: allowed is an arrow_schema capsule or None");
  if (wants_utf8(py::reinterpret_borrow<py::capsule>(requested))) asked.type = ArrowText::Type::utf8;
  return asked;
}

py::capsule schema_capsule(schema::ColumnSet columns, ArrowText text) {
  auto schema = std::make_unique<ArrowSchema>();
  export_schema(columns, text, schema.get());
  return capsule_of(std::move(schema));
}

py::tuple array_capsules(const BatchHandle& batch, const py::object& requested, const std::string& type,
                         const std::string& misfit) {
  const ArrowText text = negotiated(requested, arrow_text(type, misfit));
  const schema::ColumnSet columns = batch.view().columns();
  auto array = std::make_unique<ArrowArray>();
  if (auto exported = export_batch(batch.held(), columns, text, array.get()); !exported) raise(exported.error());
  return py::make_tuple(schema_capsule(columns, text), capsule_of(std::move(array)));
}

py::capsule stream_capsule(const ConsumerHandle& consumer, const py::object& requested, const std::string& type,
                           const std::string& misfit) {
  auto stream = std::make_unique<ArrowArrayStream>();
  export_stream(consumer.consumer(), negotiated(requested, arrow_text(type, misfit)), stream.get());
  return capsule_of(std::move(stream));
}

}  // namespace

void register_arrow(py::module_& module) {
  module.def("arrow_schema", [](const BatchHandle& batch, const std::string& type, const std::string& misfit) {
    return schema_capsule(batch.view().columns(), arrow_text(type, misfit));
  });
  module.def("arrow_array", array_capsules);
  module.def("arrow_stream", stream_capsule);
}

}  // namespace pwalk::bindings
