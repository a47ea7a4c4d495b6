#include <pybind11/stl.h>

#include <cmath>

#include "batch_handle.h"
#include "consumer_handle.h"
#include "figures_tuple.h"
#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

using std::chrono::milliseconds;

constexpr double kLongestSeconds = 1e9;

milliseconds to_milliseconds(double seconds) {
  if (!(seconds >= 0)) throw py::value_error("timeout must be a number of seconds from 0, or None");
  return milliseconds(std::llround(std::ceil(std::min(seconds, kLongestSeconds) * 1000)));
}

ipc::StartAt start_named(const std::string& word) {
  if (word == "first") return ipc::StartAt::first;
  if (word == "oldest") return ipc::StartAt::oldest;
  if (word == "now") return ipc::StartAt::now;
  throw py::value_error("start '" + word + "': allowed are first, oldest, now");
}

schema::ColumnSet columns_named(const std::vector<std::string>& names) {
  schema::ColumnSet columns;
  for (const std::string& name : names) {
    const auto column = schema::column_named(name);
    if (!column && name != "directory" && name != "name" && name != "path")
      throw py::value_error("columns: no column '" + name + "'");
    if (column) columns.insert(*column);
  }
  return columns;
}

ConsumerHandle attach(const std::string& scan, double timeout, const std::string& start, bool verify,
                      const std::string& label, std::uint32_t rank, std::uint32_t world,
                      const std::optional<std::vector<std::string>>& columns, const std::string& group) {
  ipc::AttachOptions options;
  options.rank = rank;
  options.world = world;
  options.group = group;
  if (columns) options.columns = columns_named(*columns);
  options.scan = scan;
  options.timeout = to_milliseconds(timeout);
  options.start = start_named(start);
  options.label = label;
  options.verify_rows = verify;
  return ConsumerHandle::attach(std::move(options));
}

std::optional<BatchHandle> next(ConsumerHandle& consumer, std::optional<double> timeout) {
  std::optional<milliseconds> wait;
  if (timeout) wait = to_milliseconds(*timeout);
  auto batch = consumer.next(wait);
  if (!batch) return std::nullopt;
  return BatchHandle(std::move(batch));
}

py::tuple stats(const ConsumerHandle& consumer) {
  const ipc::ConsumerStats seen = consumer.consumer()->stats();
  return py::make_tuple(seen.batches, seen.rows, seen.file_bytes, seen.directories, seen.errors,
                        seen.content_hash, seen.missed_rows, double(seen.waited_ns) * 1e-9, seen.redelivered);
}

/// In the order of pwalk.ScanStats; None if the scanner has told nothing yet.
py::object scan_stats(const ConsumerHandle& consumer) {
  const auto told = consumer.consumer()->scan_figures();
  if (!told) return py::none();
  return figures_tuple(*told);
}

}  // namespace

void register_consumer(py::module_& module) {
  module.def("attach", attach, py::arg("scan"), py::arg("timeout"), py::arg("start"), py::arg("verify"),
             py::arg("label"), py::arg("rank") = 0, py::arg("world") = 1, py::arg("columns") = py::none(),
             py::arg("group") = "");
  py::class_<ConsumerHandle> consumer(module, "ConsumerHandle");
  consumer.def("next", next, py::arg("timeout"));
  consumer.def("close", &ConsumerHandle::close);
  consumer.def("fileno", &ConsumerHandle::fileno);
  consumer.def("stats", stats);
  consumer.def("scan_stats", scan_stats);
  consumer.def("in_pool", [](const ConsumerHandle& self, std::uintptr_t address) {
    return self.consumer()->in_pool(reinterpret_cast<const void*>(address));
  });
  consumer.def("scanner_pid", [](const ConsumerHandle& self) { return self.consumer()->scanner_pid(); });
  consumer.def_property_readonly("closed", [](const ConsumerHandle& self) { return self.consumer()->closed(); });
  consumer.def_property_readonly("name", [](const ConsumerHandle& self) { return self.consumer()->scan_name(); });
  consumer.def_property_readonly("image", [](const ConsumerHandle& self) {
    return py::bytes(self.consumer()->image_file());
  });
  consumer.def_property_readonly("complete", [](const ConsumerHandle& self) {
    return self.consumer()->end() == ipc::StreamEnd::complete;
  });
  consumer.def_property_readonly("ended", [](const ConsumerHandle& self) {
    return self.consumer()->end() != ipc::StreamEnd::running;
  });
}

}  // namespace pwalk::bindings
