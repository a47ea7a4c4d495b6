#pragma once

#include <array>
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
                                         &Entry::error,  &Entry::operation, &Entry::flags,    &Entry::project,
                                         &Entry::stripe_count, &Entry::stripe_size, &Entry::mdt};
static_assert(std::tuple_size_v<decltype(kEntryFields)> == kColumnCount);

/// Calls f(constant of the column's index, member pointer) for columns First to Last - 1; unrolled.
template <std::size_t First, std::size_t Last, class F>
constexpr void for_fields_between(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f(std::integral_constant<std::size_t, First + I>{}, std::get<First + I>(kEntryFields)), ...);
  }
  (std::make_index_sequence<Last - First>{});
}

/// For every fixed-width column.
template <class F>
constexpr void for_each_field(F&& f) {
  for_fields_between<0, kColumnCount>(std::forward<F>(f));
}

/// The member of Entry that feeds each text column, in the order of kTextColumns.
inline constexpr std::array kEntryTexts{&Entry::target, &Entry::pool};
static_assert(kEntryTexts.size() == kTextColumnCount);

/// Type of the member behind column I.
template <std::size_t I>
using FieldType = std::remove_reference_t<decltype(std::declval<Entry&>().*std::get<I>(kEntryFields))>;

}  // namespace pwalk::schema
