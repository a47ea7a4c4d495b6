#include "results_handle.h"

#include <sys/stat.h>

#include <vector>

#include "interruptible.h"
#include "pwalk/image/disk_usage.h"
#include "pwalk/image/glob.h"
#include "pwalk/ipc/kept_images.h"
#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

using schema::Column;

constexpr Column kStatusColumns[] = {Column::mode,  Column::inode, Column::device, Column::nlink,
                                     Column::uid,   Column::gid,   Column::size,   Column::atime,
                                     Column::mtime, Column::ctime, Column::blocks, Column::rdev};

ImageAccess access_named(const std::string& word) {
  if (word == "auto") return ImageAccess::automatic;
  if (word == "map") return ImageAccess::map;
  if (word == "copy") return ImageAccess::copy;
  throw py::value_error("access '" + word + "': allowed are auto, map, copy");
}

bool is_regular_file(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

Result<ResultsFilesystem> open_results(const std::string& scan, ImageAccess access) {
  if (access == ImageAccess::automatic) return ipc::open_image(scan);
  if (is_regular_file(scan)) return ResultsFilesystem::open(scan, access);
  auto found = ipc::open_image(scan);
  return found ? ResultsFilesystem::open(found->file(), access) : found;
}

py::object value_of(const EntryRef& entry, Column column) {
  if (!entry.has(column)) return py::none();
  if (schema::spec_of(column).element == schema::ElementType::i8) return py::int_(entry.get<std::int64_t>(column));
  return py::int_(entry.get<std::uint64_t>(column));
}

/// Calls work() without the GIL; raises what went wrong as os functions do.
template <class Work>
auto read_image(const py::object& given, Work&& work) {
  auto result = without_gil(std::forward<Work>(work));
  if (!result) raise_path_error(result.error(), given);
  return *std::move(result);
}

}  // namespace

py::object name_object(std::string_view name, bool as_bytes) {
  PyObject* const object = as_bytes ? PyBytes_FromStringAndSize(name.data(), Py_ssize_t(name.size()))
                                    : PyUnicode_DecodeFSDefaultAndSize(name.data(), Py_ssize_t(name.size()));
  if (!object) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

py::object ResultRow::value(const std::string& column) const {
  const auto found = schema::column_named(column);
  if (!found) throw py::key_error(column);
  return value_of(entry_, *found);
}

py::tuple ResultRow::status() const {
  py::tuple values(std::size(kStatusColumns));
  for (std::size_t i = 0; i < std::size(kStatusColumns); ++i) values[i] = value_of(entry_, kStatusColumns[i]);
  return values;
}

ResultsHandle ResultsHandle::open(const std::string& scan, const std::string& access) {
  const ImageAccess how = access_named(access);
  auto opened = without_gil([&] { return open_results(scan, how); });
  if (!opened) raise(opened.error(), scan);
  return ResultsHandle(*std::move(opened));
}

ResultsHandle ResultsHandle::refreshed() const {
  auto newer = without_gil([this] { return results_.refreshed(); });
  if (!newer) raise(newer.error(), results_.file());
  return ResultsHandle(*std::move(newer));
}

Listing ResultsHandle::listing(const std::string& path, const py::object& given) const {
  Listing entries = read_image(given, [&] { return results_.list(path); });
  if (entries.record() && entries.record()->error != 0) raise_path_error({int(entries.record()->error), ""}, given);
  return entries;
}

ResultRow ResultsHandle::stat(const std::string& path, const py::object& given) const {
  return {results_, read_image(given, [&] { return results_.stat(path); })};
}

py::list ResultsHandle::names(const std::string& path, const py::object& given, bool as_bytes) const {
  const Listing entries = listing(path, given);
  py::list names(entries.size());
  std::size_t at = 0;
  for (const EntryRef entry : entries)
    PyList_SET_ITEM(names.ptr(), Py_ssize_t(at++), name_object(entry.name(), as_bytes).release().ptr());
  return names;
}

py::list ResultsHandle::rows(const std::string& path, const py::object& given) const {
  py::list rows;
  for (const EntryRef entry : listing(path, given)) rows.append(ResultRow(results_, entry));
  return rows;
}

py::tuple ResultsHandle::split_names(const std::string& path, const py::object& given, bool as_bytes) const {
  const Listing entries = listing(path, given);
  py::list directories, others;
  py::set links;
  for (const EntryRef entry : entries) {
    const py::object name = name_object(entry.name(), as_bytes);
    (entry.is_directory() || entry.leads_to_directory() ? directories : others).append(name);
    if (entry.leads_to_directory()) links.add(name);
  }
  return py::make_tuple(directories, others, links);
}

py::list ResultsHandle::glob(const std::string& pattern, bool as_bytes) const {
  std::vector<std::string> found;
  InterruptCheck interrupt;
  const auto done = without_gil([&] {
    return pwalk::glob(results_, pattern, [&](std::string_view path, const EntryRef&) {
      found.emplace_back(path);
      return !interrupt.due();
    });
  });
  interrupt.raise_if_any();
  if (!done) raise(done.error());
  py::list paths;
  for (const std::string& path : found) paths.append(name_object(path, as_bytes));
  return paths;
}

py::tuple ResultsHandle::du(const std::string& path, const py::object& given) const {
  InterruptCheck interrupt;
  const DiskUsage usage = read_image(given, [&] {
    CountedInodes counted;
    return disk_usage(results_, path, counted, [&](const UsageReport&) { return !interrupt.due(); });
  });
  interrupt.raise_if_any();
  return py::make_tuple(usage.inodes, usage.apparent_bytes, usage.allocated_bytes);
}

}  // namespace pwalk::bindings
