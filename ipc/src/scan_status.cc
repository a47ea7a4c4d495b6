#include "scan_status.h"

#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "messages.h"

namespace pwalk::ipc {
namespace {

using nlohmann::json;
using FigureWords = std::array<std::uint64_t, sizeof(ScanFigures) / sizeof(std::uint64_t)>;

constexpr std::size_t kMostText = kMostStatusBytes - sizeof(MessageHeader);

/// Bytes as code points below 256, in UTF-8.
std::string widen(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes)
    if (byte < 0x80) {
      text += char(byte);
    } else {
      text += char(0xc0 | byte >> 6);
      text += char(0x80 | (byte & 0x3f));
    }
  return text;
}

/// The inverse; code points above 255 become '?'.
std::string narrow(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes += char(lead);
    } else if (lead < 0xe0 && i + 1 < text.size()) {
      const unsigned point = unsigned(lead & 0x1f) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f);
      bytes += point < 256 ? char(point) : '?';
    } else {
      bytes += '?';
      while (i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80) ++i;
    }
  }
  return bytes;
}

json consumer_object(const ConsumerStatus& consumer) {
  return {{"label", widen(consumer.label)},
          {"command", widen(consumer.command)},
          {"pid", consumer.pid},
          {"group", widen(consumer.group)},
          {"evicted", consumer.evicted},
          {"held_batches", consumer.held_batches},
          {"lag_rows", consumer.lag_rows},
          {"holding_back", consumer.holding_back},
          {"holding_back_seconds", consumer.holding_back_seconds}};
}

/// Appends to `array` as long as the whole stays within its bound.
void append_bounded(json& array, json value, std::size_t& used) {
  const std::size_t size = value.dump().size() + 1;
  if (used + size > kMostText) return;
  used += size;
  array.push_back(std::move(value));
}

template <class T>
void read(const json& object, const char* key, T& out) {
  const auto found = object.find(key);
  if (found == object.end()) return;
  if constexpr (std::is_same_v<T, std::string>) {
    if (found->is_string()) out = narrow(found->template get_ref<const std::string&>());
  } else if constexpr (std::is_same_v<T, bool>) {
    if (found->is_boolean()) out = found->template get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (found->is_number()) out = found->template get<double>();
  } else {
    if (found->is_number_unsigned()) out = found->template get<T>();
  }
}

template <class Each>
void each_in(const json& object, const char* key, Each&& each) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return;
  for (const json& element : *found) each(element);
}

ConsumerStatus read_consumer(const json& object) {
  ConsumerStatus consumer;
  read(object, "label", consumer.label);
  read(object, "command", consumer.command);
  read(object, "pid", consumer.pid);
  read(object, "group", consumer.group);
  read(object, "evicted", consumer.evicted);
  read(object, "held_batches", consumer.held_batches);
  read(object, "lag_rows", consumer.lag_rows);
  read(object, "holding_back", consumer.holding_back);
  read(object, "holding_back_seconds", consumer.holding_back_seconds);
  return consumer;
}

/// As many numbers as there are figures, in their order.
std::optional<ScanFigures> read_figures(const json& object) {
  FigureWords words{};
  std::size_t count = 0;
  bool fine = true;
  each_in(object, "figures", [&](const json& word) {
    fine &= word.is_number_unsigned() && count < words.size();
    if (fine) words[count++] = word.get<std::uint64_t>();
  });
  if (!fine || count != words.size()) return std::nullopt;
  return std::bit_cast<ScanFigures>(words);
}

}  // namespace

std::string ConsumerStatus::who() const {
  std::string known = pid ? "pid " + std::to_string(pid) : "";
  if (!group.empty()) known += (known.empty() ? "" : ", ") + ("group " + group);
  if (!command.empty() && command != label) known += (known.empty() ? "" : ", ") + command;
  return known.empty() ? label : label + " (" + known + ")";
}

std::string print_status(const ScanStatus& status) {
  json object{
      {"name", widen(status.name)},   {"state", widen(status.state)}, {"started", widen(status.started)},
      {"entries", status.entries},    {"errors", status.errors},      {"pool_bytes", status.pool_bytes},
      {"pages", widen(status.pages)}, {"image", widen(status.image)},
      {"goes_on_from_image", status.goes_on_from_image},
      {"roots", json::array()},       {"consumers", json::array()}};
  if (status.figures) object["figures"] = std::bit_cast<FigureWords>(*status.figures);
  std::size_t used = object.dump().size();
  for (const std::string& root : status.roots) append_bounded(object["roots"], widen(root), used);
  for (const ConsumerStatus& consumer : status.consumers)
    append_bounded(object["consumers"], consumer_object(consumer), used);
  return object.dump();
}

std::optional<ScanStatus> parse_status(std::string_view text) {
  const json object = json::parse(text.begin(), text.end(), nullptr, false);
  if (!object.is_object()) return std::nullopt;
  ScanStatus status;
  read(object, "name", status.name);
  read(object, "state", status.state);
  read(object, "started", status.started);
  read(object, "entries", status.entries);
  read(object, "errors", status.errors);
  read(object, "image", status.image);
  read(object, "goes_on_from_image", status.goes_on_from_image);
  read(object, "pool_bytes", status.pool_bytes);
  read(object, "pages", status.pages);
  each_in(object, "roots", [&](const json& root) {
    if (root.is_string()) status.roots.push_back(narrow(root.get_ref<const std::string&>()));
  });
  each_in(object, "consumers", [&](const json& consumer) {
    if (consumer.is_object()) status.consumers.push_back(read_consumer(consumer));
  });
  status.figures = read_figures(object);
  return status;
}

}  // namespace pwalk::ipc
