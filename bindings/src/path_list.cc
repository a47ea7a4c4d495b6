#include "path_list.h"

#include <algorithm>
#include <string>

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

PyObject* new_bytes(const char* data, std::size_t size) {
  PyObject* const bytes = PyBytes_FromStringAndSize(data, Py_ssize_t(size));
  if (!bytes) throw py::error_already_set();
  return bytes;
}

/// Puts paths together; remembers the directory of the last one, since rows of one directory lie together.
class PathWriter {
 public:
  explicit PathWriter(const schema::EntryBatchView& view) : view_(view) {}

  /// New reference.
  PyObject* write(std::uint32_t row) {
    enter(view_.directory_index()[row]);
    const std::string_view name = view_.name(row);
    PyObject* const path = new_bytes(nullptr, start_.size() + name.size());
    char* const out = PyBytes_AS_STRING(path);
    std::copy(start_.begin(), start_.end(), out);
    std::copy(name.begin(), name.end(), out + start_.size());
    return path;
  }

 private:
  void enter(std::int32_t directory) {
    if (directory == directory_) return;
    directory_ = directory;
    start_.clear();
    view_.append_directory_path(std::uint32_t(directory), start_);
    start_ += '/';
  }

  const schema::EntryBatchView& view_;
  std::int32_t directory_ = -1;
  std::string start_;  ///< the directory's path and a slash
};

/// Object array, filled by write(row) -> new reference.
template <class Write>
py::array object_array(std::uint32_t rows, Write write) {
  py::array array(py::dtype("O"), std::vector<py::ssize_t>{py::ssize_t(rows)});
  auto** const slots = static_cast<PyObject**>(array.mutable_data());
  for (std::uint32_t row = 0; row < rows; ++row) Py_XSETREF(slots[row], write(row));
  return array;
}

}  // namespace

py::bytes path_of(const schema::EntryBatchView& view, std::uint32_t row) {
  return py::reinterpret_steal<py::bytes>(PathWriter(view).write(row));
}

py::list all_paths(const schema::EntryBatchView& view) {
  py::list paths(view.rows());
  PathWriter writer(view);
  for (std::uint32_t row = 0; row < view.rows(); ++row)
    PyList_SET_ITEM(paths.ptr(), row, writer.write(row));
  return paths;
}

py::list paths_of(const schema::EntryBatchView& view, const py::array_t<std::int64_t>& rows) {
  const auto wanted = rows.unchecked<1>();
  py::list paths(std::size_t(wanted.shape(0)));
  PathWriter writer(view);
  for (py::ssize_t i = 0; i < wanted.shape(0); ++i) {
    if (wanted(i) < 0 || wanted(i) >= view.rows())
      throw py::index_error("row " + std::to_string(wanted(i)) + " of a batch of " +
                            std::to_string(view.rows()));
    PyList_SET_ITEM(paths.ptr(), i, writer.write(std::uint32_t(wanted(i))));
  }
  return paths;
}

py::list directory_paths(const schema::EntryBatchView& view) {
  py::list paths(view.directory_count());
  std::string path;
  for (std::uint32_t directory = 0; directory < view.directory_count(); ++directory) {
    path.clear();
    view.append_directory_path(directory, path);
    PyList_SET_ITEM(paths.ptr(), directory, new_bytes(path.data(), path.size()));
  }
  return paths;
}

py::array directory_array(const schema::EntryBatchView& view) {
  const py::list paths = directory_paths(view);
  return object_array(view.rows(), [&](std::uint32_t row) {
    return Py_NewRef(PyList_GET_ITEM(paths.ptr(), view.directory_index()[row]));
  });
}

py::array name_array(const schema::EntryBatchView& view) {
  return object_array(view.rows(), [&](std::uint32_t row) {
    const std::string_view name = view.name(row);
    return new_bytes(name.data(), name.size());
  });
}

py::array text_array(const schema::EntryBatchView& view, schema::Column column) {
  const schema::TextView& text = view.text(column);
  return object_array(view.rows(), [&](std::uint32_t row) {
    const std::string_view value = text.at(row);
    return new_bytes(value.data(), value.size());
  });
}

py::array_t<bool> names_end_with(const schema::EntryBatchView& view,
                                 const std::vector<std::string>& suffixes) {
  py::array_t<bool> ends{py::ssize_t(view.rows())};
  bool* const out = ends.mutable_data();
  for (std::uint32_t row = 0; row < view.rows(); ++row)
    out[row] = std::any_of(suffixes.begin(), suffixes.end(), [name = view.name(row)](const auto& suffix) {
      return name.ends_with(suffix);
    });
  return ends;
}

}  // namespace pwalk::bindings
