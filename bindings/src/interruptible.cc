#include "interruptible.h"

namespace pwalk::bindings {

bool signals_raised() {
  const PyGILState_STATE held = PyGILState_Ensure();
  const bool raised = PyErr_CheckSignals() != 0;
  PyGILState_Release(held);
  return raised;
}

}  // namespace pwalk::bindings
