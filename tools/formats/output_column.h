#pragma once

#include <string_view>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/schema/columns.h"

namespace pwalk::tools {

/// One column as it is printed: text that is put together, or a column of the batch.
struct OutputColumn {
  enum class Source : std::uint8_t { path, directory, name, batch, text };
  std::string_view name;
  Source source = Source::batch;
  schema::Column column = schema::Column::type;  ///< with Source::batch and text
};

/// The columns of a comma-separated list. EINVAL: which name is unknown or stands there
/// twice, and what is allowed.
Result<std::vector<OutputColumn>> parse_output_columns(std::string_view list);

/// path,type,inode,device,mode,nlink,uid,gid,size,blocks,atime,mtime,ctime,btime,error,flags
std::vector<OutputColumn> default_csv_columns();

/// directory, name, and the columns that there are: of formats whose columns have types.
std::vector<OutputColumn> fetched_columns(schema::ColumnSet there);

/// The path and everything that is fetched without being asked for.
std::vector<OutputColumn> default_jsonl_columns();

}  // namespace pwalk::tools
