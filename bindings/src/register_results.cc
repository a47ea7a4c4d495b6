#include <pybind11/stl.h>

#include <mutex>

#include "interruptible.h"
#include "registrations.h"
#include "results_handle.h"
#include "results_search.h"
#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

constexpr std::size_t kPortion = 1024;  ///< paths found before Python sees them

const char* state_name(image::ImageState state) {
  switch (state) {
    case image::ImageState::growing: return "growing";
    case image::ImageState::complete: return "complete";
    case image::ImageState::cut_short: return "cut short";
  }
  return "?";
}

py::list bytes_list(const std::vector<std::string>& texts) {
  py::list list;
  for (const std::string& text : texts) list.append(py::bytes(text));
  return list;
}

py::list column_names(schema::ColumnSet columns) {
  py::list names;
  for (const auto& spec : schema::kColumns)
    if (columns.has(spec.id)) names.append(spec.name);
  return names;
}

py::dict facts(const ResultsHandle& handle) {
  const ResultsFilesystem& results = handle.results();
  const image::ScanFacts& facts = results.facts();
  py::dict told;
  told["name"] = py::bytes(facts.name);
  told["host"] = py::bytes(facts.host);
  told["roots"] = bytes_list(facts.roots);
  told["uid"] = facts.uid;
  told["version"] = py::bytes(facts.version);
  told["columns"] = column_names(facts.columns);
  told["started_ns"] = facts.started_ns;
  told["finished_ns"] = results.finished_ns();
  told["state"] = state_name(results.state());
  told["entries"] = results.totals().rows;
  told["errors"] = results.totals().errors;
  told["file_bytes"] = results.totals().file_bytes;
  told["file"] = py::bytes(results.file());
  told["image_bytes"] = results.bytes();
  return told;
}

/// A search as a Python iterator's source; several threads may share it.
class SharedSearch {
 public:
  SharedSearch(ResultsSearch search, bool as_bytes) : search_(std::move(search)), as_bytes_(as_bytes) {}

  /// Up to kPortion paths; none: that was all.
  py::list next() {
    std::vector<std::string> found;
    InterruptCheck interrupt;
    const auto more = without_gil([&]() -> Result<bool> {
      const std::lock_guard lock(mutex_);
      if (ended_) return false;
      auto result = search_.next(kPortion, found, [&] { return interrupt.due(); });
      ended_ = !result || !*result;
      return result;
    });
    interrupt.raise_if_any();
    if (!more) raise(more.error());
    py::list paths;
    for (const std::string& path : found) paths.append(name_object(path, as_bytes_));
    return paths;
  }

 private:
  std::mutex mutex_;
  ResultsSearch search_;  ///< guarded by mutex_, which is never waited for with the GIL
  bool ended_ = false;    ///< likewise
  const bool as_bytes_;
};

FindConditions conditions_of(const py::dict& asked) {
  FindConditions conditions;
  const auto take = [&](const char* name, auto& into) {
    using Value = std::decay_t<decltype(into)>;
    if (asked.contains(name)) into = asked[name].cast<Value>();
  };
  take("type", conditions.types);
  take("name", conditions.name);
  take("suffix", conditions.suffixes);
  take("larger", conditions.larger);
  take("smaller", conditions.smaller);
  take("older", conditions.older);
  take("newer", conditions.newer);
  take("owner", conditions.owner);
  take("group", conditions.group);
  return conditions;
}

std::unique_ptr<SharedSearch> find(const ResultsHandle& handle, const std::string& path, const py::object& given,
                                   const py::dict& asked, bool as_bytes) {
  FindConditions conditions = conditions_of(asked);
  auto search = without_gil([&] { return ResultsSearch::start(handle.results(), path, std::move(conditions)); });
  if (!search) raise_path_error(search.error(), given);
  return std::make_unique<SharedSearch>(*std::move(search), as_bytes);
}

}  // namespace

void register_results(py::module_& module) {
  py::class_<ResultRow>(module, "ResultRow")
      .def("name", &ResultRow::name)
      .def("value", &ResultRow::value)
      .def("status", &ResultRow::status)
      .def_property_readonly("type", &ResultRow::type)
      .def_property_readonly("error", &ResultRow::error);
  py::class_<SharedSearch>(module, "ResultsSearch").def("next", &SharedSearch::next);
  py::class_<ResultsHandle>(module, "ResultsHandle")
      .def("refreshed", &ResultsHandle::refreshed)
      .def("facts", facts)
      .def("stat", &ResultsHandle::stat)
      .def("names", &ResultsHandle::names)
      .def("rows", &ResultsHandle::rows)
      .def("split_names", &ResultsHandle::split_names)
      .def("glob", &ResultsHandle::glob)
      .def("du", &ResultsHandle::du)
      .def("find", find);
  module.def("open_results", &ResultsHandle::open, py::arg("scan"), py::arg("access"));
}

}  // namespace pwalk::bindings
