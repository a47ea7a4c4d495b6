#include "registrations.h"

PYBIND11_MODULE(_core, module) {
  using namespace pwalk::bindings;
  module.doc() = "What pwalk's Python files are built on. Private: import pwalk instead.";
  module.attr("__version__") = PWALK_VERSION;
  register_columns(module);
  register_dlpack(module);
  register_options(module);
  register_batch(module);
  register_consumer(module);
  register_process(module);
  register_results(module);
  register_walk(module);
  register_arrow(module);
}
