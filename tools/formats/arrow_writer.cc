#include "formats/arrow_writer.h"

#include <cstring>

#include "arrow_ipc_generated.h"
#include "formats/row_path.h"

namespace pwalk::tools {
namespace {

namespace wire = arrow_wire;
using flatbuffers::FlatBufferBuilder;
using Source = OutputColumn::Source;

constexpr std::size_t kAlignment = 64;  // of buffers; Arrow asks for 8 and recommends this
constexpr std::string_view kMagic{"ARROW1\0\0", 8};
constexpr std::uint32_t kContinuation = 0xffffffff;

constexpr std::size_t padded(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

template <class Number>
void append_number(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

flatbuffers::Offset<wire::Field> add_field(FlatBufferBuilder& builder, const OutputColumn& column) {
  const auto name = builder.CreateString(column.name.data(), column.name.size());
  if (column.source != Source::batch)
    return wire::CreateField(builder, name, column.source == Source::text, wire::Type_Binary, wire::CreateBinary(builder).Union());
  const schema::ColumnSpec& spec = schema::spec_of(column.column);
  if (spec.arrow_format.starts_with("ts")) {
    const auto zone = builder.CreateString("UTC");
    return wire::CreateField(builder, name, true, wire::Type_Timestamp,
                             wire::CreateTimestamp(builder, wire::TimeUnit_NANOSECOND, zone).Union());
  }
  const int bits = int(schema::width_of(spec.element)) * 8;
  return wire::CreateField(builder, name, true, wire::Type_Int,
                           wire::CreateInt(builder, bits, spec.element == schema::ElementType::i8).Union());
}

flatbuffers::Offset<wire::Schema> add_schema(FlatBufferBuilder& builder, const std::vector<OutputColumn>& columns) {
  std::vector<flatbuffers::Offset<wire::Field>> fields;
  fields.reserve(columns.size());
  for (const OutputColumn& column : columns) fields.push_back(add_field(builder, column));
  return wire::CreateSchema(builder, wire::Endianness_Little, builder.CreateVector(fields));
}

/// The buffers of one record batch, one after the other, and where they are.
class Body {
 public:
  void add(std::string_view bytes) {
    buffers_.emplace_back(std::int64_t(bytes_.size()), std::int64_t(bytes.size()));
    bytes_.append(bytes);
    bytes_.resize(padded(bytes_.size()));
  }
  void add_node(std::uint32_t rows, std::uint32_t nulls) { nodes_.emplace_back(rows, nulls); }

  std::string bytes_;
  std::vector<wire::FieldNode> nodes_;
  std::vector<wire::Buffer> buffers_;
};

void add_texts(const schema::EntryBatchView& batch, Source source, Body& body) {
  std::string offsets, text;
  RowPath path(batch);
  append_number(offsets, std::int32_t{0});
  for (std::uint32_t row = 0; row < batch.rows(); ++row) {
    path.move_to(row);
    path.append_to(text, source);
    append_number(offsets, std::int32_t(text.size()));
  }
  body.add_node(batch.rows(), 0);
  body.add({});
  body.add(offsets);
  body.add(text);
}

template <class View>
std::string bitmap_of(const View& view, std::uint32_t rows) {
  std::string bits((rows + 7) / 8, '\0');
  if (view && view.valid) std::memcpy(bits.data(), view.valid, bits.size());
  return bits;
}

void add_numbers(const schema::EntryBatchView& batch, schema::Column column, Body& body) {
  const schema::ColumnView& view = batch.column(column);
  const std::size_t width = schema::width_of(schema::spec_of(column).element);
  const std::uint32_t nulls = view ? view.null_count : batch.rows();
  body.add_node(batch.rows(), nulls);
  body.add(nulls == 0 ? std::string() : bitmap_of(view, batch.rows()));
  if (view && !view.constant)
    return body.add({reinterpret_cast<const char*>(view.values), batch.rows() * width});
  std::string values;
  values.reserve(batch.rows() * width);
  const std::string one = view ? std::string(reinterpret_cast<const char*>(view.values), width) : std::string(width, '\0');
  for (std::uint32_t row = 0; row < batch.rows(); ++row) values += one;
  body.add(values);
}

/// A text column of the batch. The batch's own offsets begin at 0, as Arrow's.
void add_text_column(const schema::EntryBatchView& batch, schema::Column column, Body& body) {
  const schema::TextView& view = batch.text(column);
  const std::uint32_t nulls = view ? view.null_count : batch.rows();
  const std::size_t offsets = (batch.rows() + std::size_t{1}) * sizeof(std::int32_t);
  body.add_node(batch.rows(), nulls);
  body.add(nulls == 0 ? std::string() : bitmap_of(view, batch.rows()));
  body.add(view ? std::string(reinterpret_cast<const char*>(view.offsets.data()), offsets) : std::string(offsets, '\0'));
  body.add(view ? view.bytes : std::string_view());
}

void add_column(const schema::EntryBatchView& batch, const OutputColumn& column, Body& body) {
  switch (column.source) {
    case Source::batch: return add_numbers(batch, column.column, body);
    case Source::text: return add_text_column(batch, column.column, body);
    default: return add_texts(batch, column.source, body);
  }
}

}  // namespace

struct ArrowWriter::State {
  std::vector<OutputColumn> columns;
  ArrowLayout layout;
  bool started = false;
  std::int64_t written = 0;  ///< bytes so far: the offsets of the footer
  std::vector<wire::Block> blocks;

  void append(std::string& out, std::string_view bytes) {
    out.append(bytes);
    written += std::int64_t(bytes.size());
  }

  /// A message's frame and its metadata, padded so that the body is aligned in the file.
  std::int32_t append_message(std::string& out, FlatBufferBuilder& builder) {
    const std::size_t head = 2 * sizeof(std::uint32_t);
    const std::size_t end = padded(std::size_t(written) + head + builder.GetSize());
    const auto length = std::int32_t(end - std::size_t(written) - head);
    std::string frame;
    append_number(frame, kContinuation);
    append_number(frame, length);
    frame.append(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
    frame.resize(head + std::size_t(length));
    append(out, frame);
    return std::int32_t(frame.size());
  }

  void start(std::string& out, schema::ColumnSet there) {
    started = true;
    if (columns.empty()) columns = fetched_columns(there);
    FlatBufferBuilder builder;
    builder.Finish(wire::CreateMessage(builder, wire::MetadataVersion_V5, wire::MessageHeader_Schema,
                                       add_schema(builder, columns).Union(), 0));
    append_message(out, builder);
  }

  void append_footer(std::string& out) {
    FlatBufferBuilder builder;
    const auto schema = add_schema(builder, columns);
    const auto none = builder.CreateVectorOfStructs(std::vector<wire::Block>{});
    const auto batches = builder.CreateVectorOfStructs(blocks);
    builder.Finish(wire::CreateFooter(builder, wire::MetadataVersion_V5, schema, none, batches));
    append(out, {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()});
    std::string tail;
    append_number(tail, std::int32_t(builder.GetSize()));
    append(out, tail);
    append(out, kMagic.substr(0, 6));
  }
};

ArrowWriter::ArrowWriter(std::vector<OutputColumn> columns, ArrowLayout layout)
    : state_(new State{.columns = std::move(columns), .layout = layout, .blocks = {}}) {}
ArrowWriter::~ArrowWriter() = default;

void ArrowWriter::begin(std::string& out) {
  if (state_->layout == ArrowLayout::file) state_->append(out, kMagic);
}

void ArrowWriter::write(const schema::EntryBatchView& batch, std::string& out) {
  if (!state_->started) state_->start(out, batch.columns());
  if (batch.rows() == 0) return;
  Body body;
  for (const OutputColumn& column : state_->columns) add_column(batch, column, body);
  FlatBufferBuilder builder;
  const auto record = wire::CreateRecordBatchDirect(builder, batch.rows(), &body.nodes_, &body.buffers_);
  builder.Finish(wire::CreateMessage(builder, wire::MetadataVersion_V5, wire::MessageHeader_RecordBatch, record.Union(),
                                     std::int64_t(body.bytes_.size())));
  const std::int64_t offset = state_->written;
  const std::int32_t metadata = state_->append_message(out, builder);
  state_->append(out, body.bytes_);
  if (state_->layout == ArrowLayout::file) state_->blocks.emplace_back(offset, metadata, std::int64_t(body.bytes_.size()));
}

void ArrowWriter::finish(std::string& out) {
  if (!state_->started) state_->start(out, schema::ColumnSet::all() - schema::ColumnSet::opt_in());
  std::string end;
  append_number(end, kContinuation);
  append_number(end, std::int32_t{0});
  state_->append(out, end);
  if (state_->layout == ArrowLayout::file) state_->append_footer(out);
}

}  // namespace pwalk::tools
