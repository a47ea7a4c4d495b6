#pragma once

#include <pybind11/pybind11.h>

#include "pwalk/ipc/scan_figures.h"

namespace pwalk::bindings {

/// A scan's figures in the order of pwalk.ScanStats.
inline pybind11::tuple figures_tuple(const ipc::ScanFigures& told) {
  const auto operation = [](const ipc::OperationFigures& figures) {
    return pybind11::make_tuple(double(figures.p50_ns) * 1e-3, double(figures.p99_ns) * 1e-3, figures.count);
  };
  return pybind11::make_tuple(double(told.elapsed_ns) * 1e-9, told.entries, told.files, told.directories, told.symlinks,
                              told.others, told.errors, told.vanished, told.skipped, told.file_bytes, told.batches,
                              told.waiting_directories, told.threads, told.thread_efficiency(),
                              double(told.cpu_ns) * 1e-9, told.memory_bytes, told.peak_memory_bytes,
                              double(told.backpressure_ns) * 1e-9, operation(told.open), operation(told.getdents),
                              operation(told.statx));
}

}  // namespace pwalk::bindings
