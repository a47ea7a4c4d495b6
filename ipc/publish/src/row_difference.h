#pragma once

#include "pwalk/image/entry_ref.h"
#include "pwalk/schema/columns.h"

namespace pwalk::publish {

/// What two scans are compared by, of the columns that both fetched: not the time of access, which
/// reading changes, nor what says where the tree is mounted and how it was asked.
schema::ColumnSet compared_columns(schema::ColumnSet before, schema::ColumnSet after);

/// The same name in the same directory, before and after: some of `columns` differs.
bool differs(const EntryRef& before, const EntryRef& after, schema::ColumnSet columns);

}  // namespace pwalk::publish
