#include "formats/output_column.h"

#include <algorithm>
#include <string>

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
    const auto column = column_called(list.substr(from, comma - from));
    if (!column) return fail(EINVAL, "allowed are names from " + every_name() + ", separated by commas");
    columns.push_back(*column);
    from = comma + 1;
  }
  return columns;
}

std::vector<OutputColumn> default_csv_columns() {
  return *parse_output_columns(
      "path,type,inode,device,mode,nlink,uid,gid,size,blocks,atime,mtime,ctime,btime,error,flags");
}

std::vector<OutputColumn> default_jsonl_columns() {
  std::vector<OutputColumn> columns{kTextColumns[0]};
  for (const schema::ColumnSpec& spec : schema::kColumns)
    if (!schema::ColumnSet::opt_in().has(spec.id)) columns.push_back({spec.name, Source::batch, spec.id});
  return columns;
}

}  // namespace pwalk::tools
