#include "batch_content.h"

#include <limits>

namespace pwalk::schema {

std::uint64_t sum_file_sizes(const BatchContent& content) {
  const ColumnView &types = content.column(Column::type), &sizes = content.column(Column::size);
  if (!types || !sizes) return 0;
  std::uint64_t sum = 0;
  for (std::uint32_t row = 0; row < content.rows; ++row) {
    const std::uint64_t size = types.at<char>(row) == 'f' ? sizes.at<std::uint64_t>(row) : 0;
    if (__builtin_add_overflow(sum, size, &sum)) return std::numeric_limits<std::uint64_t>::max();
  }
  return sum;
}

}  // namespace pwalk::schema
