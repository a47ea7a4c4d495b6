#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pwalk/base/option_spec.h"

namespace pwalk::tools {

/// How much room a flag gets on the brief help screen.
enum class Listing : std::uint8_t {
  line,  ///< a line of its own
  name,  ///< only its name, among others
};

/// One flag of a command line: an OptionSpec bound to the struct it fills, with
/// the types erased. Borrows that struct.
struct Flag {
  std::string name;        ///< without dashes
  std::string value_name;  ///< "SIZE"; empty for a switch
  std::string help;
  std::string heading;       ///< group on the help screen
  std::string kind;          ///< OptionValue::kind
  std::string default_text;  ///< empty: none
  std::vector<std::string> words;  ///< of a choice
  double least = 0, most = std::numeric_limits<double>::infinity();
  bool repeatable = false;
  Listing listing = Listing::line;
  /// Reads one value (a switch: "true" or "false") into the struct. EINVAL: `what`
  /// says what is allowed.
  std::function<Result<void>(std::string_view)> set;

  bool is_switch() const { return kind == "bool"; }
  /// The switch that says the opposite: "no-x" for "x", "x" for "no-x".
  std::string opposite() const { return name.rfind("no-", 0) == 0 ? name.substr(3) : "no-" + name; }
};

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// The number that least and most are about; nullopt for what is no number.
template <class T>
std::optional<double> magnitude(const T& value) {
  if constexpr (IsOptional<T>::value)
    return value ? magnitude(*value) : std::nullopt;
  else if constexpr (std::is_same_v<T, ByteSize>)
    return double(value.bytes);
  else if constexpr (std::is_same_v<T, Seconds>)
    return value.value;
  else if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>)
    return double(value);
  else
    return std::nullopt;
}

template <class T>
std::vector<std::string> words_of() {
  std::vector<std::string> words;
  if constexpr (IsOptional<T>::value) {
    return words_of<typename T::value_type>();
  } else if constexpr (std::is_enum_v<T>) {
    for (const auto& [word, value] : EnumWords<T>::words) words.emplace_back(word);
  }
  return words;
}

/// "allowed are sizes from 2M", "allowed are whole numbers from 1 to 1024".
std::string allowed_range(std::string_view kind, double least, double most);

}  // namespace detail

template <class Struct, class Value>
Flag make_flag(Struct& into, const OptionSpec<Struct, Value>& spec, std::string heading, Listing listing) {
  Flag flag;
  flag.name = spec.name;
  flag.value_name = spec.value_name;
  flag.help = spec.help;
  flag.heading = std::move(heading);
  flag.kind = OptionValue<Value>::kind;
  flag.default_text = OptionValue<Value>::print(Struct{}.*(spec.member));
  if (std::is_enum_v<Value> && flag.default_text == "?") flag.default_text.clear();
  flag.words = detail::words_of<Value>();
  flag.least = spec.least;
  flag.most = spec.most;
  flag.repeatable = detail::IsVector<Value>::value;
  flag.listing = listing;
  flag.set = [&into, spec](std::string_view text) -> Result<void> {
    auto value = OptionValue<Value>::parse(text);
    if (!value && std::isfinite(spec.most))
      return fail(EINVAL, detail::allowed_range(OptionValue<Value>::kind, spec.least, spec.most));
    if (!value) return tl::unexpected(value.error());
    if constexpr (detail::IsVector<Value>::value) {
      auto& values = into.*(spec.member);
      values.insert(values.end(), value->begin(), value->end());
    } else {
      const auto number = detail::magnitude(*value);
      if (number && (*number < spec.least || *number > spec.most))
        return fail(EINVAL, detail::allowed_range(OptionValue<Value>::kind, spec.least, spec.most));
      into.*(spec.member) = *std::move(value);
    }
    return {};
  };
  return flag;
}

}  // namespace pwalk::tools
