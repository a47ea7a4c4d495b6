#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "pwalk/schema/entry.h"

namespace pwalk::schema {

/// The member of Entry that feeds each column, in the order of kColumns.
inline constexpr std::tuple kEntryFields{&Entry::type,   &Entry::inode,     &Entry::device,   &Entry::size,
                                         &Entry::blocks, &Entry::mode,      &Entry::nlink,    &Entry::uid,
                                         &Entry::gid,    &Entry::rdev,      &Entry::atime,    &Entry::mtime,
                                         &Entry::ctime,  &Entry::btime,     &Entry::mount_id, &Entry::depth,
                                         &Entry::error,  &Entry::operation, &Entry::flags};
static_assert(std::tuple_size_v<decltype(kEntryFields)> == kColumnCount);

/// Calls f(constant of the column's index, member pointer) for every column; unrolled.
template <class F>
constexpr void for_each_field(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f(std::integral_constant<std::size_t, I>{}, std::get<I>(kEntryFields)), ...);
  }
  (std::make_index_sequence<kColumnCount>{});
}

/// Type of the member behind column I.
template <std::size_t I>
using FieldType = std::remove_reference_t<decltype(std::declval<Entry&>().*std::get<I>(kEntryFields))>;

}  // namespace pwalk::schema
