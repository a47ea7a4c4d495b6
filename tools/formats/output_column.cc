#include "formats/output_column.h"

#include <algorithm>
#include <string>

#include "text/escape.h"

namespace pwalk::tools {
namespace {

using Source = OutputColumn::Source;

constexpr OutputColumn kTextColumns[] = {
    {"path", Source::path}, {"directory", Source::directory}, {"name", Source::name}};

std::optional<OutputColumn> column_called(std::string_view name) {
  for (const OutputColumn& column : kTextColumns)
    if (column.name == name) return column;
  if (const auto id = schema::column_named(name))
    return OutputColumn{schema::name_of(*id), schema::is_text(*id) ? Source::text : Source::batch, *id};
  return std::nullopt;
}

std::string every_name() {
  std::string names;
  for (const OutputColumn& column : kTextColumns) names += std::string(column.name) + ", ";
  for (const schema::ColumnSpec& spec : schema::kColumns) names += std::string(spec.name) + ", ";
  for (const schema::TextColumnSpec& spec : schema::kTextColumns) names += std::string(spec.name) + ", ";
  names.resize(names.size() - 2);
  return names;
}

}  // namespace

Result<std::vector<OutputColumn>> parse_output_columns(std::string_view list) {
  std::vector<OutputColumn> columns;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    const std::string_view name = list.substr(from, comma - from);
    const auto column = column_called(name);
    if (!column)
      return fail(EINVAL, "there is no column '" + escaped(name) + "'; allowed are names from " + every_name() + ", separated by commas");
    const auto is_it = [&](const OutputColumn& other) { return other.name == column->name; };
    if (std::any_of(columns.begin(), columns.end(), is_it)) return fail(EINVAL, std::string(name) + " stands there twice; once is allowed");
    columns.push_back(*column);
    from = comma + 1;
  }
  return columns;
}

std::vector<OutputColumn> default_csv_columns() {
  return *parse_output_columns(
      "path,type,inode,device,mode,nlink,uid,gid,size,blocks,atime,mtime,ctime,btime,error,flags");
}

std::vector<OutputColumn> fetched_columns(schema::ColumnSet there) {
  std::vector<OutputColumn> columns = *parse_output_columns("directory,name");
  for (const schema::ColumnSpec& spec : schema::kColumns)
    if (there.has(spec.id)) columns.push_back({spec.name, Source::batch, spec.id});
  for (const schema::TextColumnSpec& spec : schema::kTextColumns)
    if (there.has(spec.id)) columns.push_back({spec.name, Source::text, spec.id});
  return columns;
}

std::vector<OutputColumn> default_jsonl_columns() {
  std::vector<OutputColumn> columns{kTextColumns[0]};
  for (const schema::ColumnSpec& spec : schema::kColumns)
    if (!schema::ColumnSet::opt_in().has(spec.id)) columns.push_back({spec.name, Source::batch, spec.id});
  return columns;
}

}  // namespace pwalk::tools
