#pragma once

#include <pybind11/pybind11.h>

namespace pwalk::bindings {

void register_arrow(pybind11::module_& module);
void register_batch(pybind11::module_& module);
void register_columns(pybind11::module_& module);
void register_consumer(pybind11::module_& module);
void register_dlpack(pybind11::module_& module);
void register_options(pybind11::module_& module);
void register_process(pybind11::module_& module);
void register_results(pybind11::module_& module);
void register_walk(pybind11::module_& module);

}  // namespace pwalk::bindings
