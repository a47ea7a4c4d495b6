#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pwalk/base/result.h"

/// The types an option can have, and the one way to read each from text.
/// Every parse() error says what is allowed; the caller adds the option's name.
namespace pwalk {

/// A size in bytes; text form `256M` with K M G T as powers of 1024.
struct ByteSize {
  std::uint64_t bytes = 0;
  friend bool operator==(ByteSize, ByteSize) = default;
};

/// A span of time; text form in seconds, fractions allowed.
struct Seconds {
  double value = 0;
  friend bool operator==(Seconds, Seconds) = default;
};

/// The words of an enum option: specialise with `static constexpr std::array`
/// of {word, value} named `words`.
template <class E>
struct EnumWords;

template <class T>
struct OptionValue;  // kind(), parse(text) -> Result<T>, print(value)

template <>
struct OptionValue<std::string> {
  static constexpr std::string_view kind = "text";
  static Result<std::string> parse(std::string_view text) { return std::string(text); }
  static std::string print(const std::string& value) { return value; }
};

template <>
struct OptionValue<bool> {
  static constexpr std::string_view kind = "bool";
  static Result<bool> parse(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return fail(EINVAL, "allowed are true and false");
  }
  static std::string print(bool value) { return value ? "true" : "false"; }
};

template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
struct OptionValue<T> {
  static constexpr std::string_view kind = "count";
  static Result<T> parse(std::string_view text) {
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
      return fail(EINVAL, "allowed are whole numbers from 0 to " +
                              std::to_string(std::numeric_limits<T>::max()));
    return value;
  }
  static std::string print(T value) { return std::to_string(value); }
};

template <>
struct OptionValue<ByteSize> {
  static constexpr std::string_view kind = "size";
  static Result<ByteSize> parse(std::string_view text) {
    const auto refused = fail(EINVAL, "allowed are sizes such as 4096, 512K, 64M, 2G or 1T");
    std::uint64_t number = 0;
    const char* last = text.data() + text.size();
    auto [end, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc{}) return refused;
    unsigned shift = 0;
    if (last - end == 1) {
      const auto at = std::string_view("KMGT").find(*end >= 'a' ? char(*end - 32) : *end);
      if (at == std::string_view::npos) return refused;
      shift = 10 * (unsigned(at) + 1);
    } else if (end != last) {
      return refused;
    }
    if (number > (std::numeric_limits<std::uint64_t>::max() >> shift)) return refused;
    return ByteSize{number << shift};
  }
  static std::string print(ByteSize value) {
    std::uint64_t number = value.bytes;
    std::size_t unit = 0;
    while (unit < 4 && number != 0 && number % 1024 == 0) number /= 1024, ++unit;
    return std::to_string(number) + std::string(unit ? 1 : 0, " KMGT"[unit]);
  }
};

template <>
struct OptionValue<Seconds> {
  static constexpr std::string_view kind = "seconds";
  static Result<Seconds> parse(std::string_view text) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > 1e9)
      return fail(EINVAL, "allowed are seconds from 0 to 1e9");
    return Seconds{value};
  }
  static std::string print(Seconds value) {
    std::string text = std::to_string(value.value);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
  }
};

template <class E>
  requires std::is_enum_v<E>
struct OptionValue<E> {
  static constexpr std::string_view kind = "choice";
  static Result<E> parse(std::string_view text) {
    std::string allowed;
    for (const auto& [word, value] : EnumWords<E>::words) {
      if (word == text) return value;
      allowed += (allowed.empty() ? "" : ", ") + std::string(word);
    }
    return fail(EINVAL, "allowed are " + allowed);
  }
  static std::string print(E wanted) {
    for (const auto& [word, value] : EnumWords<E>::words)
      if (value == wanted) return std::string(word);
    return "?";
  }
};

template <class T>
struct OptionValue<std::optional<T>> {
  static constexpr std::string_view kind = OptionValue<T>::kind;
  static Result<std::optional<T>> parse(std::string_view text) {
    auto value = OptionValue<T>::parse(text);
    if (!value) return tl::unexpected(value.error());
    return std::optional<T>(*std::move(value));
  }
  static std::string print(const std::optional<T>& value) {
    return value ? OptionValue<T>::print(*value) : std::string();
  }
};

/// A repeatable option.
template <class T>
struct OptionValue<std::vector<T>> {
  static constexpr std::string_view kind = OptionValue<T>::kind;
  static Result<std::vector<T>> parse(std::string_view text) {
    auto value = OptionValue<T>::parse(text);
    if (!value) return tl::unexpected(value.error());
    return std::vector<T>{*std::move(value)};
  }
  static std::string print(const std::vector<T>& values) {
    std::string text;
    for (const T& value : values) text += (text.empty() ? "" : ",") + OptionValue<T>::print(value);
    return text;
  }
};

}  // namespace pwalk
