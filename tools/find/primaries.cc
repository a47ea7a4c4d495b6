#include "find/primaries.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <bitset>
#include <limits>

#include "find/ls_line.h"
#include "find/number_range.h"
#include "find/path_regex.h"
#include "find/permissions.h"
#include "find/printf_format.h"
#include "text/date_text.h"
#include "text/escape.h"

namespace pwalk::tools::find {
namespace {

using schema::Column;
using schema::ColumnSet;
using Made = Result<Primary>;

Primary test_of(Test test, ColumnSet needs = {}) { return {std::move(test), needs, false}; }
Primary action_of(Test test, ColumnSet needs = {}) { return {std::move(test), needs, true}; }

// ---- names and paths ----------------------------------------------------------

template <bool WholePath, int Flags>
Made glob(const std::string& pattern, const PrimarySetting&) {
  // The subject needs its NUL; the buffer belongs to the test.
  return test_of([pattern, subject = std::string()](Visit& visit) mutable {
    subject = WholePath ? visit.path : visit.name();
    return ::fnmatch(pattern.c_str(), subject.c_str(), Flags) == 0;
  });
}

template <bool IgnoreCase>
Made regex(const std::string& pattern, const PrimarySetting& setting) {
  auto compiled = PathRegex::compile(pattern, setting.regex_type, IgnoreCase);
  if (!compiled) return tl::unexpected(compiled.error());
  return test_of([compiled = *compiled](Visit& visit) { return compiled.matches(visit.path); });
}

// ---- attributes -----------------------------------------------------------------

Made type(const std::string& letters, const PrimarySetting&) {
  const auto refused = fail(EINVAL, "allowed are b c d f l p s, several with commas between");
  std::bitset<256> wanted;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const bool comma_place = i % 2 == 1;
    if (comma_place ? letters[i] != ',' : std::string_view("bcdflps").find(letters[i]) == std::string_view::npos) return refused;
    if (!comma_place) wanted.set(static_cast<unsigned char>(letters[i]));
  }
  if (letters.size() % 2 == 0) return refused;
  return test_of([wanted](Visit& visit) { return wanted[static_cast<unsigned char>(visit.entry.type())]; }, {Column::type});
}

template <Column C>
Made number(const std::string& text, const PrimarySetting&) {
  auto range = parse_number_range(text);
  if (!range) return tl::unexpected(range.error());
  return test_of([range = *range](Visit& visit) { return visit.knows(C) && range.has(visit.get<std::uint64_t>(C)); }, {C});
}

Made size(const std::string& text, const PrimarySetting&) {
  auto range = parse_size_range(text);
  if (!range) return tl::unexpected(range.error());
  return test_of(
      [range = *range](Visit& visit) { return visit.knows(Column::size) && range.has(visit.get<std::uint64_t>(Column::size)); },
      {Column::size});
}

/// A regular file without bytes, or a directory in which nothing was found. One that
/// could not be read is neither; the walk complains of it.
bool is_empty(Visit& visit) {
  if (visit.entry.type() == 'f') return visit.knows(Column::size) && visit.get<std::uint64_t>(Column::size) == 0;
  if (visit.entry.type() != 'd') return false;
  const auto listing = visit.walk.listing();
  if (!listing) return false;  // the walk meets the same damage next
  const auto& record = (*listing)->record();
  return (*listing)->empty() && record && record->error == 0 && (record->flags & schema::kComplete);
}

Made empty(const std::string&, const PrimarySetting&) { return test_of(is_empty, {Column::type, Column::size}); }

Made permissions(const std::string& text, const PrimarySetting&) {
  auto wanted = parse_permissions(text);
  if (!wanted) return tl::unexpected(wanted.error());
  return test_of(
      [wanted = *wanted](Visit& visit) {
        return visit.knows(Column::mode) && wanted.has(visit.get<std::uint32_t>(Column::mode));
      },
      {Column::mode});
}

// ---- owners -----------------------------------------------------------------------

/// 2^32 - 1 is chown's "leave it as it is", so nobody's.
constexpr std::uint64_t kLargestId = std::numeric_limits<std::uint32_t>::max() - 1;

template <Column C, std::optional<std::uint32_t> (*NumberOf)(const std::string&)>
Made owner(const std::string& name, const PrimarySetting&) {
  auto wanted = NumberOf(name);
  if (!wanted)
    if (const auto range = parse_number_range(name); range && range->sense == NumberRange::Sense::exactly && range->number <= kLargestId)
      wanted = std::uint32_t(range->number);
  if (!wanted) return fail(EINVAL, "allowed are names known here, and numbers");
  return test_of([wanted = *wanted](Visit& visit) { return visit.knows(C) && visit.get<std::uint32_t>(C) == wanted; }, {C});
}

template <Column C, const std::string* (OwnerNames::*Look)(std::uint32_t)>
Made nobody(const std::string&, const PrimarySetting&) {
  return test_of(
      [](Visit& visit) { return visit.knows(C) && !(visit.run.names.*Look)(visit.get<std::uint32_t>(C)); }, {C});
}

// ---- times --------------------------------------------------------------------------

std::optional<Column> time_named(char kind) {
  switch (kind) {
    case 'a': return Column::atime;
    case 'B': return Column::btime;
    case 'c': return Column::ctime;
    case 'm': return Column::mtime;
    default: return std::nullopt;
  }
}

template <Column C, AgeRange::Unit U>
Made age(const std::string& text, const PrimarySetting&) {
  auto range = parse_age_range(text, U);
  if (!range) return tl::unexpected(range.error());
  return test_of(
      [range = *range](Visit& visit) {
        return visit.knows(C) && range.has(visit.get<std::int64_t>(C), visit.run.now_ns);
      },
      {C});
}

Primary newer_than(Column column, std::int64_t reference) {
  return test_of(
      [column, reference](Visit& visit) { return visit.knows(column) && visit.get<std::int64_t>(column) > reference; },
      {column});
}

// ---- actions and constants ------------------------------------------------------------

template <char End>
bool print_path(Visit& visit) {
  std::string& out = visit.run.output->buffer();
  if (visit.run.for_terminal && End == '\n')
    append_escaped(out, visit.path);
  else
    out += visit.path;
  out += End;
  return true;
}

template <char End>
Made print(const std::string&, const PrimarySetting&) {
  return action_of(print_path<End>);
}

Made ls(const std::string&, const PrimarySetting&) {
  return action_of(
      [line = std::make_shared<LsLine>()](Visit& visit) {
        line->append(visit, visit.run.output->buffer());
        return true;
      },
      {Column::inode, Column::blocks, Column::mode, Column::nlink, Column::uid, Column::gid, Column::size, Column::mtime});
}

Made printf(const std::string& text, const PrimarySetting&) {
  auto format = PrintfFormat::parse(text);
  if (!format) return tl::unexpected(format.error());
  const ColumnSet needs = format->needs();
  return action_of(
      [format = std::make_shared<PrintfFormat>(*std::move(format))](Visit& visit) {
        format->append(visit, visit.run.output->buffer());
        return true;
      },
      needs);
}

Made prune(const std::string&, const PrimarySetting&) {
  return test_of([](Visit& visit) {
    visit.walk.skip();
    return true;
  });
}

Made quit(const std::string&, const PrimarySetting&) {
  return test_of([](Visit& visit) { return visit.run.quit = true; });
}

template <bool Value>
Made constant(const std::string&, const PrimarySetting&) {
  return test_of([](Visit&) { return Value; });
}

constexpr PrimaryKind kPrimaries[] = {
    {"-name", true, glob<false, 0>},
    {"-iname", true, glob<false, FNM_CASEFOLD>},
    {"-path", true, glob<true, 0>},
    {"-wholename", true, glob<true, 0>},
    {"-ipath", true, glob<true, FNM_CASEFOLD>},
    {"-iwholename", true, glob<true, FNM_CASEFOLD>},
    {"-regex", true, regex<false>},
    {"-iregex", true, regex<true>},
    {"-type", true, type},
    {"-size", true, size},
    {"-empty", false, empty},
    {"-links", true, number<Column::nlink>},
    {"-inum", true, number<Column::inode>},
    {"-uid", true, number<Column::uid>},
    {"-gid", true, number<Column::gid>},
    {"-perm", true, permissions},
    {"-user", true, owner<Column::uid, OwnerNames::uid_of>},
    {"-group", true, owner<Column::gid, OwnerNames::gid_of>},
    {"-nouser", false, nobody<Column::uid, &OwnerNames::user>},
    {"-nogroup", false, nobody<Column::gid, &OwnerNames::group>},
    {"-mtime", true, age<Column::mtime, AgeRange::Unit::day>},
    {"-atime", true, age<Column::atime, AgeRange::Unit::day>},
    {"-ctime", true, age<Column::ctime, AgeRange::Unit::day>},
    {"-mmin", true, age<Column::mtime, AgeRange::Unit::minute>},
    {"-amin", true, age<Column::atime, AgeRange::Unit::minute>},
    {"-cmin", true, age<Column::ctime, AgeRange::Unit::minute>},
    {"-print", false, print<'\n'>},
    {"-print0", false, print<'\0'>},
    {"-ls", false, ls},
    {"-printf", true, printf},
    {"-prune", false, prune},
    {"-quit", false, quit},
    {"-true", false, constant<true>},
    {"-false", false, constant<false>},
};

}  // namespace

const PrimaryKind* primary_named(std::string_view name) {
  for (const PrimaryKind& kind : kPrimaries)
    if (kind.name == name) return &kind;
  return nullptr;
}

std::optional<Result<Primary>> newer_primary(std::string_view name, const std::string& value, const PrimarySetting& setting) {
  if (name == "-newer") name = "-newermm";
  if (name == "-anewer") name = "-neweram";
  if (name == "-cnewer") name = "-newercm";
  if (name.size() != 8 || name.substr(0, 6) != "-newer") return std::nullopt;
  const auto column = time_named(name[6]);
  if (!column || (name[7] != 't' && !time_named(name[7]))) return std::nullopt;
  const auto reference = name[7] == 't' ? parse_date(value, setting.outer.now_ns) : setting.outer.time_of_file(value, name[7]);
  if (!reference) return Made(tl::unexpected(reference.error()));
  return Made(newer_than(*column, *reference));
}

Primary print_primary() { return action_of(print_path<'\n'>); }

}  // namespace pwalk::tools::find
