#include "facts_codec.h"

#include "scan_facts_generated.h"

namespace pwalk::image {
namespace {

auto put(flatbuffers::FlatBufferBuilder& builder, const std::string& text) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::string get(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : std::string();
}

}  // namespace

std::vector<std::byte> encode_facts(const ScanFacts& facts) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Root>> roots;
  for (const std::string& root : facts.roots) roots.push_back(wire::CreateRoot(builder, put(builder, root)));
  const auto name = put(builder, facts.name), host = put(builder, facts.host), version = put(builder, facts.version),
             selection = put(builder, facts.selection);
  const auto list = builder.CreateVector(roots);
  wire::FinishScanFactsBuffer(builder, wire::CreateScanFacts(builder, name, host, version, list, facts.uid,
                                                             facts.started_ns, facts.columns.bits(), selection));
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {bytes, bytes + builder.GetSize()};
}

Result<ScanFacts> decode_facts(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size());
  if (!wire::VerifyScanFactsBuffer(verifier)) return fail(EPROTO, "no scan facts");
  const wire::ScanFacts* read = wire::GetScanFacts(data);
  ScanFacts facts;
  facts.name = get(read->name());
  facts.host = get(read->host());
  facts.version = get(read->version());
  facts.selection = get(read->selection());
  facts.uid = read->uid();
  facts.started_ns = read->started_ns();
  for (const schema::ColumnSpec& spec : schema::kColumns)
    if (read->columns() >> unsigned(spec.id) & 1) facts.columns.insert(spec.id);
  for (const schema::TextColumnSpec& spec : schema::kTextColumns)
    if (read->columns() >> unsigned(spec.id) & 1) facts.columns.insert(spec.id);
  if (read->roots())
    for (const wire::Root* root : *read->roots()) facts.roots.push_back(get(root->path()));
  for (const std::string& root : facts.roots)
    if (root.empty() || root[0] != '/') return fail(EPROTO, "a root that is no absolute path");
  return facts;
}

}  // namespace pwalk::image
