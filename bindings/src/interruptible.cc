#include "interruptible.h"

#include <pybind11/pybind11.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pwalk::bindings {
namespace {

thread_local bool in_foreign_code = false;

// Python looks at signals in its main thread only. Others must not even ask for the GIL: somebody who
// waits for them may have it.
bool is_main_thread() { return ::syscall(SYS_gettid) == ::getpid(); }

/// Ctrl-C was pressed; leaves it pending for the Python code that comes next.
bool interrupt_is_pending() {
  if (!PyOS_InterruptOccurred()) return false;
  PyErr_SetInterrupt();  // asking has taken it back
  return true;
}

}  // namespace

bool signals_raised() {
  if (!is_main_thread()) return false;
  const PyGILState_STATE held = PyGILState_Ensure();
  const bool raised = in_foreign_code ? interrupt_is_pending() : PyErr_CheckSignals() != 0;
  PyGILState_Release(held);
  return raised;
}

void InterruptCheck::raise_if_any() const {
  if (raised_) throw pybind11::error_already_set();
}

ForeignCode::ForeignCode() : before_(std::exchange(in_foreign_code, true)) {}
ForeignCode::~ForeignCode() { in_foreign_code = before_; }

}  // namespace pwalk::bindings
