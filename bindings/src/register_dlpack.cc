#include <pybind11/numpy.h>

#include <memory>

#include "dlpack_abi.h"
#include "registrations.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

/// A tensor over an array's memory, and what keeps that alive.
template <class Managed>
struct Export {
  Managed managed{};
  std::int64_t shape, stride;
  PyObject* array;  ///< a reference of ours
};

/// From any thread, with or without the GIL. Once the interpreter has ended nothing can be given back, nor needs to be.
template <class Managed>
void give_back(Managed* managed) {
  auto* const exported = static_cast<Export<Managed>*>(managed->context);
  if (Py_IsInitialized()) {
    const PyGILState_STATE held = PyGILState_Ensure();
    Py_DECREF(exported->array);
    PyGILState_Release(held);
  }
  delete exported;
}

template <class Managed>
constexpr const char* kName = "dltensor";
template <>
constexpr const char* kName<dlpack::ManagedTensorVersioned> = "dltensor_versioned";

/// A consumer renames the capsule when it takes the tensor over.
template <class Managed>
void end_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kName<Managed>)) return;
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, kName<Managed>));
  managed->deleter(managed);
}

dlpack::DataType type_of(const py::array& array) {
  const std::uint8_t bits = std::uint8_t(array.itemsize() * 8);
  switch (array.dtype().kind()) {
    case 'u': return {dlpack::kUint, bits, 1};
    case 'i': return {dlpack::kInt, bits, 1};
    case 'b': return {dlpack::kBool, bits, 1};
    default: throw py::buffer_error("DLPack cannot express this array's type");
  }
}

template <class Managed>
py::object capsule_of(const py::array& array, void (*complete)(Managed&, bool copied), bool copied) {
  if (array.ndim() != 1) throw py::buffer_error("a column has one dimension");
  auto exported = std::make_unique<Export<Managed>>();
  exported->shape = array.shape(0);
  exported->stride = array.strides(0) / array.itemsize();
  Managed& managed = exported->managed;
  managed.tensor = {const_cast<void*>(array.data()), dlpack::kCpu,     1, type_of(array),
                    &exported->shape,                &exported->stride, 0};
  complete(managed, copied);
  managed.context = exported.get();
  managed.deleter = give_back<Managed>;
  PyObject* const capsule = PyCapsule_New(&managed, kName<Managed>, end_capsule<Managed>);
  if (!capsule) throw py::error_already_set();
  exported.release()->array = array.inc_ref().ptr();
  return py::reinterpret_steal<py::object>(capsule);
}

/// The array as a DLPack capsule. The old structure cannot say that memory must not be written: give it only
/// arrays that may be.
py::object dlpack_capsule(const py::array& array, bool versioned, bool copied) {
  if (versioned)
    return capsule_of<dlpack::ManagedTensorVersioned>(
        array,
        [](auto& managed, bool is_copy) {
          managed.version = {1, 0};
          managed.flags = is_copy ? dlpack::kIsCopied : dlpack::kReadOnly;
        },
        copied);
  return capsule_of<dlpack::ManagedTensor>(array, [](auto&, bool) {}, copied);
}

}  // namespace

void register_dlpack(py::module_& module) {
  module.def("dlpack", dlpack_capsule, py::arg("array"), py::arg("versioned"), py::arg("copied"));
}

}  // namespace pwalk::bindings
