#include "batch_handle.h"

#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {

const Held& BatchHandle::held() const {
  if (!held_) throw py::value_error("the batch was released");
  if (held_->is_stale())
    raise_pwalk("PwalkError", "this batch belongs to the process that forked; copy() it before forking");
  return held_;
}

void BatchHandle::release() {
  // New references are only made under the GIL, which is held here: 1 cannot become 2 meanwhile.
  if (held_.use_count() > 1) throw py::buffer_error("arrays of the batch are still in use");
  held_.reset();
}

BatchHandle BatchHandle::copy() const {
  auto copied = HeldBatch::copy_of(*held());
  if (!copied) raise(copied.error());
  return BatchHandle(*std::move(copied));
}

}  // namespace pwalk::bindings
