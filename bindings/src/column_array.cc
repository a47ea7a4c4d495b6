#include "column_array.h"

#include <algorithm>

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

py::dtype dtype_of(schema::ElementType element) {
  switch (element) {
    case schema::ElementType::u1:
      return py::dtype::of<std::uint8_t>();
    case schema::ElementType::u4:
      return py::dtype::of<std::uint32_t>();
    case schema::ElementType::u8:
      return py::dtype::of<std::uint64_t>();
    case schema::ElementType::i8:
      return py::dtype::of<std::int64_t>();
  }
  throw py::type_error("a column of an unknown element type");
}

py::capsule keeping(const Held& held) {
  return py::capsule(new Held(held), [](void* kept) { delete static_cast<Held*>(kept); });
}

void forbid_writing(py::array& array) {
  py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
}

py::array read_only_view(const Held& held, py::dtype dtype, std::size_t count, std::size_t stride,
                         const void* values) {
  // An address is needed even for no rows at all: without one pybind11 would allocate.
  const void* const address = values ? values : held->view().bytes().data();
  py::array array(std::move(dtype), {py::ssize_t(count)}, {py::ssize_t(stride)}, address,
                  keeping(held));
  forbid_writing(array);
  return array;
}

template <class T>
py::array span_view(const Held& held, std::span<const T> values) {
  return read_only_view(held, py::dtype::of<T>(), values.size(), sizeof(T), values.data());
}

template <class View>
py::array_t<bool> valid_rows(const View& view, std::uint32_t rows) {
  py::array_t<bool> valid{py::ssize_t(rows)};
  bool* out = valid.mutable_data();
  if (!view.valid)
    std::fill_n(out, rows, true);
  else
    for (std::uint32_t row = 0; row < rows; ++row) out[row] = view.is_valid(row);
  return valid;
}

}  // namespace

py::array column_view(const Held& held, schema::Column column) {
  const schema::ColumnView& view = held->view().column(column);
  return read_only_view(held, dtype_of(schema::spec_of(column).element), held->view().rows(),
                        view.constant ? 0 : view.width, view.values);
}

py::array_t<bool> valid_array(const HeldBatch& held, schema::Column column) {
  return schema::is_text(column) ? valid_rows(held.view().text(column), held.view().rows())
                                 : valid_rows(held.view().column(column), held.view().rows());
}

py::array name_offsets_view(const Held& held) { return span_view(held, held->view().name_offsets()); }

py::array name_bytes_view(const Held& held) {
  const auto bytes = held->view().name_bytes();
  return read_only_view(held, py::dtype::of<std::uint8_t>(), bytes.size(), 1, bytes.data());
}

py::array directory_index_view(const Held& held) {
  return span_view(held, held->view().directory_index());
}

}  // namespace pwalk::bindings
