#include "walk_tree.h"

#include <algorithm>
#include <cerrno>

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

using schema::Column;

/// A name of one of our own lists, as bytes.
std::string bytes_of(py::handle name) {
  if (PyBytes_Check(name.ptr())) return name.cast<std::string>();
  const auto bytes = py::reinterpret_steal<py::object>(PyUnicode_EncodeFSDefault(name.ptr()));
  if (!bytes) throw py::error_already_set();
  return bytes.cast<std::string>();
}

std::string_view above(const std::string& path) { return std::string_view(path).substr(0, path.rfind('/')); }

bool is_unchanged(const py::list& now, const py::tuple& before) {
  if (now.size() != before.size()) return false;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (PyList_GET_ITEM(now.ptr(), Py_ssize_t(i)) != PyTuple_GET_ITEM(before.ptr(), Py_ssize_t(i))) return false;
  return true;
}

}  // namespace

WalkTree::WalkTree(WalkTreeOptions options) : options_(std::move(options)) {}

void WalkTree::add(const schema::EntryBatchView& batch) {
  const auto directory = batch.directory_index();
  for (std::uint32_t first = 0; first < batch.rows();) {
    std::uint32_t end = first + 1;
    while (end < batch.rows() && directory[end] == directory[first]) ++end;
    add_rows(batch, first, end);
    first = end;
  }
  std::string path;
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) {
    const schema::PlacedRecord placed = batch.record(i);
    path.clear();
    batch.append_directory_path(placed.directory, path);
    Directory& at = waiting_[path];
    at.all_rows = placed.record.entries;
    at.error = int(placed.record.error);
    if (placed.record.flags & schema::kDirectoryVanished) at.error = ENOENT;
    complete(path);
  }
}

/// Rows of one directory; the root's own row says only where the walk begins.
void WalkTree::add_rows(const schema::EntryBatchView& batch, std::uint32_t first, std::uint32_t end) {
  std::string path;
  for (; first < end && batch.column(Column::depth).at<std::uint32_t>(first) == 0; ++first) {
    batch.append_path(first, path);
    root_ = path == "/" ? "" : path;
    if (options_.topdown) want(*root_);
  }
  if (first == end) return;
  path.clear();
  batch.append_directory_path(std::uint32_t(batch.directory_index()[first]), path);
  Directory& at = waiting_[path];
  for (std::uint32_t row = first; row < end; ++row) add_row(batch, row, at);
  at.rows += end - first;
  complete(path);
}

void WalkTree::add_row(const schema::EntryBatchView& batch, std::uint32_t row, Directory& into) {
  const auto flags = batch.column(Column::flags).at<std::uint32_t>(row);
  if (flags & schema::kVanished) return;
  const bool is_directory = batch.column(Column::type).at<char>(row) == 'd' || flags & schema::kToDirectory;
  (is_directory ? into.directories : into.others).append(name_object(batch.name(row)));
  if (is_directory) into.entered.push_back(is_entered(batch, row));
}

/// What the scanner decides (Worker::may_enter), from what its row tells.
bool WalkTree::is_entered(const schema::EntryBatchView& batch, std::uint32_t row) const {
  const auto flags = batch.column(Column::flags).at<std::uint32_t>(row);
  if (flags & (schema::kLoop | schema::kToDirectory)) return false;
  if (options_.one_file_system && (flags & schema::kOtherMount)) return false;
  return !options_.max_depth || batch.column(Column::depth).at<std::uint32_t>(row) < *options_.max_depth;
}

void WalkTree::complete(const std::string& path) {
  const auto found = waiting_.find(path);
  Directory& at = found->second;
  if (!at.is_complete()) return;
  if (options_.topdown) {
    if (at.declined) return drop(path);
    if (at.wanted) ready_.push_back(path);
    return;
  }
  at.missing_below += std::count(at.entered.begin(), at.entered.end(), true);
  if (at.missing_below == 0) ready_.push_back(path);
}

void WalkTree::want(const std::string& path) {
  Directory& at = waiting_[path];
  if (at.wanted) return;
  at.wanted = true;
  if (at.is_complete()) ready_.push_back(path);
}

void WalkTree::decline(const std::string& path, bool tell_scanner) {
  Directory& at = waiting_[path];
  at.declined = true;
  const bool is_over = at.is_complete() && std::find(at.entered.begin(), at.entered.end(), true) == at.entered.end();
  if (tell_scanner && !is_over) tell('d', path);
  if (at.is_complete()) drop(path);
}

/// Forgets a declined directory that has come, and what has come from below it.
void WalkTree::drop(std::string path) {
  std::vector<std::string> doomed{std::move(path)};
  while (!doomed.empty()) {
    const std::string next = std::move(doomed.back());
    doomed.pop_back();
    const auto found = waiting_.find(next);
    Directory& at = found->second;
    at.declined = true;
    if (!at.is_complete()) continue;
    for (std::string& below : entered_below(next, at.directories, at.entered)) {
      waiting_.try_emplace(below);  // its record comes in any case
      doomed.push_back(std::move(below));
    }
    waiting_.erase(next);
    ++unsent_;
  }
}

std::vector<std::string> WalkTree::entered_below(const std::string& path, const py::handle& names,
                                                 const std::vector<bool>& entered) const {
  std::vector<std::string> paths;
  std::size_t i = 0;
  for (const py::handle name : names)
    if (entered[i++]) paths.push_back(path + "/" + bytes_of(name));
  return paths;
}

py::object WalkTree::next() {
  if (ready_.empty() || !root_) return py::none();
  const std::string path = std::move(ready_.back());
  ready_.pop_back();
  Directory at = std::move(waiting_.extract(path).mapped());
  if (!options_.topdown) take_from_above(path);
  if (!options_.topdown || at.error != 0) ++unsent_;
  if (at.error != 0) {
    if (options_.topdown)
      for (const std::string& below : entered_below(path, at.directories, at.entered)) decline(below, true);
    return py::make_tuple(shown_path(path), at.error);
  }
  if (options_.topdown) taken_ = {path, py::tuple(at.directories), std::move(at.entered)};
  return py::make_tuple(shown_path(path), at.directories, at.others);
}

void WalkTree::take_from_above(const std::string& path) {
  if (path == root_) return;
  const std::string parent(above(path));
  Directory& at = waiting_[parent];
  --at.missing_below;
  if (at.is_complete() && at.missing_below == 0) ready_.push_back(parent);
}

py::list WalkTree::resume(const py::list& directories) {
  ++unsent_;
  py::list added;
  const Taken taken = std::move(taken_);
  const std::vector<std::string> below = entered_below(taken.path, taken.names, taken.entered);
  if (is_unchanged(directories, taken.names)) {
    for (const std::string& path : below) want(path);
    return added;
  }
  const py::set kept(directories), before(taken.names);
  bool any_kept = false;
  for (const py::handle name : taken.names) any_kept |= kept.contains(name);
  if (!any_kept && below.size() > 1) tell('d', taken.path);  // one frame for all of them
  std::size_t i = 0, at = 0;
  for (const py::handle name : taken.names) {
    if (!taken.entered[i++]) continue;
    if (kept.contains(name))
      want(below[at]);
    else
      decline(below[at], any_kept || below.size() == 1);
    ++at;
  }
  for (const py::handle name : directories)
    if (!before.contains(name)) added.append(name);
  return added;
}

void WalkTree::finish() {
  std::vector<std::string> left;
  for (const auto& [path, at] : waiting_)
    if (at.is_complete()) left.push_back(path);
  // The deepest last, where next() looks first.
  std::sort(left.begin(), left.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  for (const std::string& path : left) waiting_[path].missing_below = -1;  // not to be made ready twice
  ready_ = std::move(left);
}

py::bytes WalkTree::take_messages() {
  if (unsent_ != 0) tell('a', {reinterpret_cast<const char*>(&unsent_), sizeof unsent_});
  unsent_ = 0;
  return py::bytes(std::exchange(messages_, {}));
}

void WalkTree::tell(char what, std::string_view payload) {
  const auto length = std::uint32_t(payload.size());
  messages_ += what;
  messages_.append(reinterpret_cast<const char*>(&length), sizeof length);
  messages_.append(payload);
}

/// os.path.join(top, ...) of what lies below the root.
py::object WalkTree::shown_path(const std::string& path) const {
  std::string shown = options_.top;
  if (path.size() > root_->size()) {
    if (shown.back() != '/') shown += '/';
    shown.append(path, root_->size() + 1);
  }
  return name_object(shown);
}

py::object WalkTree::name_object(std::string_view name) const {
  PyObject* const object = options_.as_bytes ? PyBytes_FromStringAndSize(name.data(), Py_ssize_t(name.size()))
                                             : PyUnicode_DecodeFSDefaultAndSize(name.data(), Py_ssize_t(name.size()));
  if (!object) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

}  // namespace pwalk::bindings
