#include "export/parquet_export.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "formats/row_path.h"

namespace pwalk::tools {
namespace {

using Source = OutputColumn::Source;

// DuckDB's C API, as far as it is used here. Its header is not needed to build, nor
// the library to run anything else. States: 0 is success.
using Handle = void*;
using Index = std::uint64_t;
struct QueryResult {
  Index columns, rows, changed;
  void* deprecated_columns;
  char* deprecated_error;
  void* internal;
};
enum TypeNumber : int { kUnsigned8 = 6, kUnsigned32 = 8, kUnsigned64 = 9, kBlob = 18, kTimestampNs = 22 };

/// The functions of the library; every one is there, or the library is refused.
struct DuckDb {
  int (*open)(const char*, Handle*);
  void (*close)(Handle*);
  int (*connect)(Handle, Handle*);
  void (*disconnect)(Handle*);
  int (*query)(Handle, const char*, QueryResult*);
  const char* (*result_error)(QueryResult*);
  void (*destroy_result)(QueryResult*);
  Handle (*create_table_function)();
  void (*destroy_table_function)(Handle*);
  void (*table_function_set_name)(Handle, const char*);
  void (*table_function_set_extra_info)(Handle, void*, void (*)(void*));
  void (*table_function_set_bind)(Handle, void (*)(Handle));
  void (*table_function_set_init)(Handle, void (*)(Handle));
  void (*table_function_set_function)(Handle, void (*)(Handle, Handle));
  int (*register_table_function)(Handle, Handle);
  void* (*bind_get_extra_info)(Handle);
  void (*bind_add_result_column)(Handle, const char*, Handle);
  void* (*function_get_extra_info)(Handle);
  void (*function_set_error)(Handle, const char*);
  Handle (*create_logical_type)(int);
  void (*destroy_logical_type)(Handle*);
  Index (*vector_size)();
  Handle (*data_chunk_get_vector)(Handle, Index);
  void (*data_chunk_set_size)(Handle, Index);
  void* (*vector_get_data)(Handle);
  void (*vector_ensure_validity_writable)(Handle);
  std::uint64_t* (*vector_get_validity)(Handle);
  void (*vector_assign_string_element_len)(Handle, Index, const char*, Index);
};

template <class Function>
bool load(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(library, (std::string("duckdb_") + name).c_str()));
  return into != nullptr;
}

Result<DuckDb> load_duckdb() {
  const char* named = std::getenv("PWALK_LIBDUCKDB");
  void* const library = ::dlopen(named && *named ? named : "libduckdb.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const std::string why = ::dlerror();
    return fail(ENOTSUP, "Parquet is written by DuckDB's C library, which is not here (" + why +
                             "); install libduckdb.so, or name it in PWALK_LIBDUCKDB");
  }
  DuckDb api{};
#define PWALK_DUCKDB(name) load(library, #name, api.name)
  const bool all = PWALK_DUCKDB(open) && PWALK_DUCKDB(close) && PWALK_DUCKDB(connect) && PWALK_DUCKDB(disconnect) &&
      PWALK_DUCKDB(query) && PWALK_DUCKDB(result_error) && PWALK_DUCKDB(destroy_result) && PWALK_DUCKDB(create_table_function) &&
      PWALK_DUCKDB(destroy_table_function) && PWALK_DUCKDB(table_function_set_name) && PWALK_DUCKDB(table_function_set_extra_info) &&
      PWALK_DUCKDB(table_function_set_bind) && PWALK_DUCKDB(table_function_set_init) && PWALK_DUCKDB(table_function_set_function) &&
      PWALK_DUCKDB(register_table_function) && PWALK_DUCKDB(bind_get_extra_info) && PWALK_DUCKDB(bind_add_result_column) &&
      PWALK_DUCKDB(function_get_extra_info) && PWALK_DUCKDB(function_set_error) && PWALK_DUCKDB(create_logical_type) &&
      PWALK_DUCKDB(destroy_logical_type) && PWALK_DUCKDB(vector_size) && PWALK_DUCKDB(data_chunk_get_vector) &&
      PWALK_DUCKDB(data_chunk_set_size) && PWALK_DUCKDB(vector_get_data) && PWALK_DUCKDB(vector_ensure_validity_writable) &&
      PWALK_DUCKDB(vector_get_validity) && PWALK_DUCKDB(vector_assign_string_element_len);
#undef PWALK_DUCKDB
  if (!all) return fail(ENOTSUP, "the libduckdb.so that was found lacks functions of DuckDB's C interface");
  return api;
}

int type_of(const schema::ColumnSpec& spec) {
  if (spec.arrow_format.starts_with("ts")) return kTimestampNs;
  const std::size_t width = schema::width_of(spec.element);
  return width == 1 ? kUnsigned8 : width == 4 ? kUnsigned32 : kUnsigned64;
}

/// What DuckDB calls to get rows. Nothing may be thrown into it.
class RowFeed {
 public:
  RowFeed(const DuckDb& api, BatchSource& source, std::vector<OutputColumn> columns)
      : api_(api), source_(source), columns_(std::move(columns)) {}

  /// The first batch says which columns there are.
  Result<void> begin() { return advance(); }
  const std::optional<Error>& error() const { return error_; }

  static void bind(Handle info) {
    auto& feed = *static_cast<RowFeed*>(api_of_bind(info));
    feed.add_columns(info);
  }
  static void ignore(Handle) {}
  static void fill(Handle info, Handle chunk) {
    auto& feed = *static_cast<RowFeed*>(current_->api_.function_get_extra_info(info));
    feed.fill_chunk(info, chunk);
  }

  /// DuckDB's callbacks do not say whose library calls: one export per thread.
  static inline thread_local RowFeed* current_ = nullptr;

 private:
  static void* api_of_bind(Handle info) { return current_->api_.bind_get_extra_info(info); }

  Result<void> advance() {
    auto batch = source_.next();
    if (!batch) return tl::unexpected(batch.error());
    batch_ = *batch;
    row_ = 0;
    return {};
  }

  void add_column(Handle info, const std::string& name, int type) {
    Handle logical = api_.create_logical_type(type);
    api_.bind_add_result_column(info, name.c_str(), logical);
    api_.destroy_logical_type(&logical);
  }

  void add_columns(Handle info) {
    if (columns_.empty()) columns_ = fetched_columns(batch_ ? batch_->columns() : schema::ColumnSet::all() - schema::ColumnSet::opt_in());
    for (const OutputColumn& column : columns_)
      add_column(info, std::string(column.name), column.source == Source::batch ? type_of(schema::spec_of(column.column)) : kBlob);
  }

  void fill_chunk(Handle info, Handle chunk) {
    while (batch_ && row_ == batch_->rows()) {
      if (const auto moved = advance(); moved) continue;
      else error_ = moved.error();
      return api_.function_set_error(info, "the rows ended early");
    }
    const auto rows = batch_ ? std::uint32_t(std::min<Index>(api_.vector_size(), batch_->rows() - row_)) : 0;
    if (rows != 0) fill_columns(chunk, rows);
    api_.data_chunk_set_size(chunk, rows);
    row_ += rows;
  }

  void fill_columns(Handle chunk, std::uint32_t rows) {
    for (Index at = 0; at < columns_.size(); ++at) fill_column(api_.data_chunk_get_vector(chunk, at), columns_[at], rows);
  }

  void fill_column(Handle vector, const OutputColumn& column, std::uint32_t rows) {
    switch (column.source) {
      case Source::batch: return fill_numbers(vector, schema::spec_of(column.column), rows);
      case Source::text: return fill_text(vector, batch_->text(column.column), rows);
      default: return fill_path(vector, column.source, rows);
    }
  }

  void fill_path(Handle vector, Source source, std::uint32_t rows) {
    RowPath path(*batch_);
    std::string text;
    for (std::uint32_t i = 0; i < rows; ++i) {
      path.move_to(row_ + i);
      text.clear();
      path.append_to(text, source);
      api_.vector_assign_string_element_len(vector, i, text.data(), text.size());
    }
  }

  void fill_numbers(Handle vector, const schema::ColumnSpec& spec, std::uint32_t rows) {
    const schema::ColumnView& view = batch_->column(spec.id);
    const std::size_t width = schema::width_of(spec.element);
    auto* to = static_cast<std::byte*>(api_.vector_get_data(vector));
    for (std::uint32_t i = 0; i < rows; ++i, to += width) {
      const std::uint64_t value = view ? view.at<std::uint64_t>(row_ + i) : 0;
      std::memcpy(to, &value, width);  // little-endian, as everything here
    }
    if (!view || view.null_count != 0) mark_nulls(vector, view, rows);
  }

  void fill_text(Handle vector, const schema::TextView& view, std::uint32_t rows) {
    for (std::uint32_t i = 0; view && i < rows; ++i) {
      const std::string_view text = view.at(row_ + i);
      api_.vector_assign_string_element_len(vector, i, text.data(), text.size());
    }
    if (!view || view.null_count != 0) mark_nulls(vector, view, rows);
  }

  template <class View>
  void mark_nulls(Handle vector, const View& view, std::uint32_t rows) {
    api_.vector_ensure_validity_writable(vector);
    std::uint64_t* const valid = api_.vector_get_validity(vector);
    for (std::uint32_t i = 0; i < rows; ++i)
      if (!view || !view.is_valid(row_ + i)) valid[i / 64] &= ~(std::uint64_t{1} << (i % 64));
  }

  const DuckDb& api_;
  BatchSource& source_;
  const schema::EntryBatchView* batch_ = nullptr;
  std::uint32_t row_ = 0;
  std::vector<OutputColumn> columns_;
  std::optional<Error> error_;
};

/// A database in memory with one connection.
class Connection {
 public:
  explicit Connection(const DuckDb& api) : api_(api) {}
  ~Connection() {
    if (connection_) api_.disconnect(&connection_);
    if (database_) api_.close(&database_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool open() { return api_.open(nullptr, &database_) == 0 && api_.connect(database_, &connection_) == 0; }

  bool add_rows(RowFeed& feed) {
    Handle function = api_.create_table_function();
    api_.table_function_set_name(function, "pwalk_rows");
    api_.table_function_set_extra_info(function, &feed, nullptr);
    api_.table_function_set_bind(function, RowFeed::bind);
    api_.table_function_set_init(function, RowFeed::ignore);
    api_.table_function_set_function(function, RowFeed::fill);
    const bool registered = api_.register_table_function(connection_, function) == 0;
    api_.destroy_table_function(&function);
    return registered;
  }

  /// EIO with what DuckDB says.
  Result<void> run(const std::string& statement) {
    QueryResult result{};
    const bool done = api_.query(connection_, statement.c_str(), &result) == 0;
    const char* why = done ? nullptr : api_.result_error(&result);
    Result<void> outcome;
    if (!done) outcome = fail(EIO, std::string("DuckDB: ") + (why ? why : "it did not say why"));
    api_.destroy_result(&result);
    return outcome;
  }

 private:
  const DuckDb& api_;
  Handle database_ = nullptr, connection_ = nullptr;
};

std::string quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char byte : text) quoted += byte == '\'' ? std::string("''") : std::string(1, byte);
  return quoted + "'";
}

}  // namespace

Result<void> export_parquet(BatchSource& source, std::vector<OutputColumn> columns, const std::string& file) {
  const auto api = load_duckdb();
  if (!api) return tl::unexpected(api.error());
  RowFeed feed(*api, source, std::move(columns));
  if (auto begun = feed.begin(); !begun) return begun;
  Connection connection(*api);
  RowFeed::current_ = &feed;
  if (!connection.open() || !connection.add_rows(feed)) return fail(EIO, "DuckDB could not be started");
  // One thread, which is this one: rows keep their order, and the feed needs no lock.
  if (auto set = connection.run("SET threads = 1"); !set) return set;
  auto copied = connection.run("COPY (SELECT * FROM pwalk_rows()) TO " + quoted(file) + " (FORMAT parquet, USE_TMP_FILE false)");
  RowFeed::current_ = nullptr;
  if (feed.error()) return tl::unexpected(*feed.error());
  return copied;
}

}  // namespace pwalk::tools
