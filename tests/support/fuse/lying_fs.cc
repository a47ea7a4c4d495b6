// A small synthetic tree served by a file system that cannot be trusted: types,
// inode numbers and listings that are not so, requests that fail at the nth time
// or are never answered, and answers in the shape of a parallel file system's.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "dirent_buffer.h"
#include "failure_rule.h"
#include "false_tree.h"
#include "fuse_server.h"
#include "stripe_layout.h"

namespace {

using namespace pwalk::fuse;

struct LyingFs {
  explicit LyingFs(std::size_t files) : tree(files) {}

  FalseTree tree;
  FailureRules failures;
  Plus plus = Plus::never;
  Layout layout = Layout::none;
  OperationCounts counts;

  static LyingFs& of(fuse_req_t request) { return *static_cast<LyingFs*>(fuse_req_userdata(request)); }

  /// True: the request was failed or dropped by a rule, and is done with.
  /// One that hangs is neither answered nor freed: the kernel's side waits until
  /// the connection is aborted, which is the point; the few bytes go with the process.
  bool refuses(fuse_req_t request, Request kind, std::string_view name) {
    const auto verdict = failures.verdict(kind, name);
    if (verdict && *verdict != 0) fuse_reply_err(request, *verdict);
    return verdict.has_value();
  }
};

fuse_entry_param entry_of(const FalseNode& node) {
  fuse_entry_param entry{};
  entry.ino = node.status.st_ino;
  entry.attr = node.status;
  return entry;
}

void init(void* filesystem, fuse_conn_info* connection) {
  configure_connection(*connection, static_cast<LyingFs*>(filesystem)->plus);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(Request::lookup);
  if (fs.refuses(request, Request::lookup, name)) return;
  const FalseNode* found = fs.tree.find(fs.tree.node(parent), name);
  if (!found) return void(fuse_reply_err(request, ENOENT));
  const fuse_entry_param entry = entry_of(*found);
  fuse_reply_entry(request, &entry);
}

void getattr(fuse_req_t request, fuse_ino_t number, fuse_file_info*) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(Request::getattr);
  const FalseNode& node = fs.tree.node(number);
  if (fs.refuses(request, Request::getattr, node.name)) return;
  fuse_reply_attr(request, &node.status, 0);
}

void opendir(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(Request::opendir);
  if (!fs.refuses(request, Request::opendir, fs.tree.node(number).name)) fuse_reply_open(request, file);
}

/// Where reading goes on from `offset`, and what offset stands after entry `index`.
struct Position {
  std::size_t index;
  off_t base;  ///< added to index + 1
};

Position position_of(const FalseNode& directory, off_t offset) {
  const auto count = off_t(directory.listing.size());
  if (directory.lie == Lie::repeat_constant) return {0, 0};
  if (directory.lie == Lie::repeat_growing) return {std::size_t(offset % count), offset - offset % count};
  return {std::size_t(offset), 0};
}

off_t offset_after(const FalseNode& directory, std::size_t index, off_t base) {
  if (directory.lie == Lie::repeat_constant) return 1;
  if (directory.lie == Lie::repeat_restart && index + 1 == directory.listing.size()) return 0;
  return base + off_t(index) + 1;
}

void fill(LyingFs& fs, const FalseNode& directory, off_t offset, bool plus, DirentBuffer& buffer) {
  const auto [start, base] = position_of(directory, offset);
  for (std::size_t i = start; i < directory.listing.size(); ++i) {
    const Listed& listed = directory.listing[i];
    const off_t next = offset_after(directory, i, base);
    const FalseNode* found = is_dot(listed.name) ? nullptr : fs.tree.find(directory, listed.name);
    fuse_entry_param entry = found ? entry_of(*found) : fuse_entry_param{};
    if (!found) entry.attr.st_mode = mode_t(listed.type) << 12;
    if (!(plus ? buffer.add_plus(listed, entry, next) : buffer.add(listed, next))) break;
  }
}

void read_directory(fuse_req_t request, fuse_ino_t number, std::size_t size, off_t offset, Request kind) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(kind);
  const FalseNode& directory = fs.tree.node(number);
  if (fs.refuses(request, kind, directory.name)) return;
  DirentBuffer buffer(request, size);
  fill(fs, directory, offset, kind == Request::readdirplus, buffer);
  buffer.reply();
}

void readdir(fuse_req_t request, fuse_ino_t number, std::size_t size, off_t offset, fuse_file_info*) {
  read_directory(request, number, size, offset, Request::readdir);
}

void readdirplus(fuse_req_t request, fuse_ino_t number, std::size_t size, off_t offset, fuse_file_info*) {
  read_directory(request, number, size, offset, Request::readdirplus);
}

/// size 0 asks how long the value is (getxattr(2)).
void getxattr(fuse_req_t request, fuse_ino_t number, const char* name, std::size_t size) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(Request::getxattr);
  const FalseNode& node = fs.tree.node(number);
  if (fs.refuses(request, Request::getxattr, node.name)) return;
  const std::string value = S_ISREG(node.status.st_mode) ? lustre_layout(fs.layout) : std::string();
  if (std::strcmp(name, "lustre.lov") != 0 || value.empty()) return void(fuse_reply_err(request, ENODATA));
  if (size == 0) return void(fuse_reply_xattr(request, value.size()));
  if (size < value.size()) return void(fuse_reply_err(request, ERANGE));
  fuse_reply_buf(request, value.data(), value.size());
}

/// The answer to one ioctl; empty: not one of ours. Servers 0 to 3 by inode number.
std::string ioctl_answer(const FalseNode& node, unsigned command) {
  const auto server = std::uint32_t(node.status.st_ino % 4);
  const bool directory = S_ISDIR(node.status.st_mode);
  if (command == kLustreMdtIndexIoctl && directory)
    return {reinterpret_cast<const char*>(&server), sizeof server};
  if (command == kLustreDirectoryStripeIoctl && directory) return lustre_directory_layout(2, server);
  if (command == kBeegfsEntryIoctl && directory) return beegfs_entry(server);
  if (command == kBeegfsStripeIoctl && !directory) return beegfs_stripe(512 * 1024, 4);
  return {};
}

void ioctl(fuse_req_t request, fuse_ino_t number, unsigned command, void*, fuse_file_info*, unsigned,
           const void*, std::size_t, std::size_t room) {
  LyingFs& fs = LyingFs::of(request);
  const auto served = fs.counts.begin(Request::ioctl);
  const FalseNode& node = fs.tree.node(number);
  if (fs.refuses(request, Request::ioctl, node.name)) return;
  const std::string answer = fs.layout == Layout::none ? std::string() : ioctl_answer(node, command);
  if (answer.empty() || answer.size() > room) return void(fuse_reply_err(request, ENOTTY));
  fuse_reply_ioctl(request, 0, answer.data(), answer.size());
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = init;
  ops.lookup = lookup;
  ops.getattr = getattr;
  ops.opendir = opendir;
  ops.readdir = readdir;
  ops.readdirplus = readdirplus;
  ops.getxattr = getxattr;
  ops.ioctl = ioctl;
  return ops;
}

/// {"honest": 0, ...} in the order of the enum.
template <class E, std::size_t N>
std::map<std::string, E> words(const std::array<std::string_view, N>& names) {
  std::map<std::string, E> values;
  for (std::size_t i = 0; i < N; ++i) values.emplace(names[i], E(i));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  MountOptions mount;
  std::size_t files = 10;
  std::vector<Lie> lies;
  std::vector<std::string> rules;
  Plus plus = Plus::never;
  Layout layout = Layout::none;

  CLI::App app("serves a synthetic tree that lies as told at MOUNTPOINT");
  app.add_option("mountpoint", mount.mountpoint, "empty directory")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--files", files, "files in each directory")->check(CLI::Range(1, 99999));
  app.add_option("--lie", lies, "adds the directory of this lie; repeatable")
      ->transform(CLI::CheckedTransformer(words<Lie>(kLieNames)));
  app.add_option("--fail", rules, "REQUEST[/NAME]=ERROR[@N[+]]; ERROR is an errno or `hang`; repeatable");
  app.add_option("--plus", plus, "READDIRPLUS")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Plus>{
          {"never", Plus::never}, {"always", Plus::always}, {"auto", Plus::by_kernel}}));
  app.add_option("--layout", layout, "what lustre.lov says; other than none, the directory ioctls answer too")
      ->transform(CLI::CheckedTransformer(words<Layout>(kLayoutNames)));
  app.add_option("--subtype", mount.subtype, "file system type shown as fuse.SUBTYPE");
  app.add_flag("--die-with-parent", mount.die_with_parent, "unmount when the starting process ends");
  CLI11_PARSE(app, argc, argv);

  LyingFs fs(files);
  fs.plus = plus;
  fs.layout = layout;
  for (const Lie lie : lies) fs.tree.add(lie);
  for (const std::string& text : rules) {
    auto rule = parse_failure_rule(text);
    if (!rule) {
      std::fprintf(stderr, "lying_fs: --fail %s\n", rule.error().what.c_str());
      return 2;
    }
    fs.failures.add(*std::move(rule));
  }
  return serve(mount, operations(), &fs, fs.counts);
}
