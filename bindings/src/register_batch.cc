#include <pybind11/stl.h>

#include "batch_handle.h"
#include "path_list.h"
#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

std::optional<schema::Column> find_column(const BatchHandle& batch, const std::string& name) {
  const auto column = schema::column_named(name);
  return column && batch.view().columns().has(*column) ? column : std::nullopt;
}

schema::Column column_of(const BatchHandle& batch, const std::string& name) {
  const auto column = find_column(batch, name);
  if (!column) throw py::key_error(name);
  return *column;
}

py::tuple column_names(const BatchHandle& batch) {
  py::list names;
  for (const auto& spec : schema::kColumns)
    if (batch.view().columns().has(spec.id)) names.append(spec.name);
  for (const auto& spec : schema::kTextColumns)
    if (batch.view().columns().has(spec.id)) names.append(spec.name);
  return py::tuple(names);
}

std::string_view operation_name(schema::Operation operation) {
  const auto index = std::size_t(operation);
  return index < schema::kOperationNames.size() ? schema::kOperationNames[index] : "unknown";
}

py::tuple record_tuple(const schema::PlacedRecord& placed, const py::list& paths) {
  const schema::DirectoryRecord& record = placed.record;
  const py::object path = paths[placed.directory];
  return py::make_tuple(py::len(path) ? path : py::bytes("/"), record.entries, record.bytes,
                        bool(record.flags & schema::kComplete),
                        bool(record.flags & schema::kDirectoryVanished), record.error,
                        operation_name(record.operation));
}

py::list directory_records(const BatchHandle& batch) {
  const auto& view = batch.view();
  py::list records(view.record_count());
  const py::list paths = view.record_count() ? directory_paths(view) : py::list();
  for (std::uint32_t i = 0; i < view.record_count(); ++i)
    records[i] = record_tuple(view.record(i), paths);
  return records;
}

std::uint32_t row_of(const BatchHandle& batch, py::ssize_t row) {
  const auto rows = py::ssize_t(batch.view().rows());
  if (row < -rows || row >= rows)
    throw py::index_error("row " + std::to_string(row) + " of a batch of " + std::to_string(rows));
  return std::uint32_t(row < 0 ? row + rows : row);
}

void register_arrays(py::class_<BatchHandle>& batch) {
  batch.def("column", [](const BatchHandle& self, const std::string& name) {
    const schema::Column column = column_of(self, name);
    return schema::is_text(column) ? text_array(self.view(), column) : column_view(self.held(), column);
  });
  batch.def("valid", [](const BatchHandle& self, const std::string& name) {
    return valid_array(*self.held(), column_of(self, name));
  });
  batch.def("null_count", [](const BatchHandle& self, const std::string& name) {
    const schema::Column column = column_of(self, name);
    return schema::is_text(column) ? self.view().text(column).null_count : self.view().column(column).null_count;
  });
  batch.def("name_offsets", [](const BatchHandle& self) { return name_offsets_view(self.held()); });
  batch.def("name_bytes", [](const BatchHandle& self) { return name_bytes_view(self.held()); });
  batch.def("directory_index", [](const BatchHandle& self) { return directory_index_view(self.held()); });
  batch.def("names_end_with", [](const BatchHandle& self, const std::vector<std::string>& suffixes) {
    return names_end_with(self.view(), suffixes);
  });
}

void register_paths(py::class_<BatchHandle>& batch) {
  batch.def("path", [](const BatchHandle& self, py::ssize_t row) { return path_of(self.view(), row_of(self, row)); });
  batch.def("paths", [](const BatchHandle& self) { return all_paths(self.view()); });
  batch.def("paths_of", [](const BatchHandle& self, const py::array_t<std::int64_t>& rows) {
    return paths_of(self.view(), rows);
  });
  batch.def("names", [](const BatchHandle& self) { return name_array(self.view()); });
  batch.def("directories", [](const BatchHandle& self) { return directory_array(self.view()); });
  batch.def("directory_paths", [](const BatchHandle& self) { return directory_paths(self.view()); });
}

}  // namespace

void register_batch(py::module_& module) {
  py::class_<BatchHandle> batch(module, "BatchHandle");
  batch.def("__len__", [](const BatchHandle& self) { return self.view().rows(); });
  batch.def_property_readonly("columns", column_names);
  batch.def_property_readonly("lane", [](const BatchHandle& self) { return self.held()->lane(); });
  batch.def_property_readonly("sequence", [](const BatchHandle& self) { return self.held()->sequence(); });
  batch.def_property_readonly("redelivered", [](const BatchHandle& self) { return self.held()->redelivered(); });
  batch.def_property_readonly("nbytes", [](const BatchHandle& self) { return self.view().bytes().size(); });
  batch.def("directory_records", directory_records);
  batch.def("release", &BatchHandle::release);
  batch.def("copy", &BatchHandle::copy);
  register_arrays(batch);
  register_paths(batch);
}

}  // namespace pwalk::bindings
