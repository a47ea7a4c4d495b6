// A directory seen through a slow server: its metadata, read-only, with a fixed
// time for every LOOKUP, GETATTR, OPENDIR and READDIR(PLUS). What a scan over a
// network does to a server can then be counted and repeated on one machine.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <ctime>

#include "dirent_buffer.h"
#include "fuse_server.h"
#include "passthrough_tree.h"
#include "service_time.h"

namespace {

using namespace pwalk::fuse;

struct LatencyFs {
  PassthroughTree tree;
  ServiceTime service;
  Plus plus = Plus::never;
  double ttl_seconds = 0;
  OperationCounts counts;

  static LatencyFs& of(fuse_req_t request) { return *static_cast<LatencyFs*>(fuse_req_userdata(request)); }

  PassthroughNode& node(fuse_ino_t number) {
    return number == FUSE_ROOT_ID ? tree.root() : *reinterpret_cast<PassthroughNode*>(number);
  }

  fuse_entry_param entry_of(const PassthroughTree::Found& found) const {
    fuse_entry_param entry{};
    entry.ino = reinterpret_cast<fuse_ino_t>(found.node);
    entry.attr = found.status;
    entry.attr_timeout = entry.entry_timeout = ttl_seconds;
    return entry;
  }
};

void init(void* filesystem, fuse_conn_info* connection) {
  configure_connection(*connection, static_cast<LatencyFs*>(filesystem)->plus);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::lookup);
  fs.service.pass();
  const auto found = fs.tree.look_up(fs.node(parent), name);
  if (!found) return void(fuse_reply_err(request, found.error().code));
  const fuse_entry_param entry = fs.entry_of(*found);
  fuse_reply_entry(request, &entry);
}

void forget(fuse_req_t request, fuse_ino_t number, std::uint64_t lookups) {
  LatencyFs& fs = LatencyFs::of(request);
  if (number != FUSE_ROOT_ID) fs.tree.forget(fs.node(number), lookups);
  fuse_reply_none(request);
}

void getattr(fuse_req_t request, fuse_ino_t number, fuse_file_info*) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::getattr);
  fs.service.pass();
  const auto status = fs.tree.status(fs.node(number));
  if (!status) return void(fuse_reply_err(request, status.error().code));
  fuse_reply_attr(request, &*status, fs.ttl_seconds);
}

void opendir(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::opendir);
  fs.service.pass();
  auto listing = PassthroughTree::list(fs.node(number));
  if (!listing) return void(fuse_reply_err(request, listing.error().code));
  file->fh = reinterpret_cast<std::uint64_t>(new Listing(*std::move(listing)));
  fuse_reply_open(request, file);
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  delete reinterpret_cast<Listing*>(file->fh);
  fuse_reply_err(request, 0);
}

void readdir(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::readdir);
  fs.service.pass();
  const Listing& listing = *reinterpret_cast<Listing*>(file->fh);
  DirentBuffer buffer(request, size);
  for (std::size_t i = std::size_t(offset); i < listing.size() && buffer.add(listing[i], off_t(i + 1)); ++i) {
  }
  buffer.reply();
}

void readdirplus(fuse_req_t request, fuse_ino_t number, std::size_t size, off_t offset,
                 fuse_file_info* file) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::readdirplus);
  fs.service.pass();
  const Listing& listing = *reinterpret_cast<Listing*>(file->fh);
  DirentBuffer buffer(request, size);
  for (std::size_t i = std::size_t(offset); i < listing.size() && buffer.has_room_plus(listing[i]); ++i) {
    // An entry with inode number 0 tells the kernel nothing but the name (fuse_direntplus_link).
    fuse_entry_param entry{};
    entry.attr.st_ino = listing[i].inode;
    entry.attr.st_mode = mode_t(listing[i].type) << 12;
    if (!is_dot(listing[i].name))
      if (const auto found = fs.tree.look_up(fs.node(number), listing[i].name.c_str()))
        entry = fs.entry_of(*found);
    buffer.add_plus(listing[i], entry, off_t(i + 1));
  }
  buffer.reply();
}

void readlink(fuse_req_t request, fuse_ino_t number) {
  LatencyFs& fs = LatencyFs::of(request);
  const auto served = fs.counts.begin(Request::readlink);
  fs.service.pass();
  const auto target = PassthroughTree::read_link(fs.node(number));
  if (!target) return void(fuse_reply_err(request, target.error().code));
  fuse_reply_readlink(request, target->c_str());
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = init;
  ops.lookup = lookup;
  ops.forget = forget;
  ops.getattr = getattr;
  ops.opendir = opendir;
  ops.releasedir = releasedir;
  ops.readdir = readdir;
  ops.readdirplus = readdirplus;
  ops.readlink = readlink;
  return ops;
}

/// One descriptor is held per directory that the kernel knows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  std::string source;
  MountOptions mount;
  long delay_us = 500;
  unsigned capacity = 0;
  LatencyFs fs;

  CLI::App app("shows the metadata of SOURCE at MOUNTPOINT with a delay per request");
  app.add_option("source", source, "directory to show")->required()->check(CLI::ExistingDirectory);
  app.add_option("mountpoint", mount.mountpoint, "empty directory")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--delay-us", delay_us, "time per request, microseconds")
      ->check(CLI::Range(0L, 60'000'000L));
  app.add_option("--capacity", capacity,
                 "requests the server works on at once; more wait in line (0: no limit)");
  app.add_option("--plus", fs.plus, "READDIRPLUS")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Plus>{
          {"never", Plus::never}, {"always", Plus::always}, {"auto", Plus::by_kernel}}));
  app.add_option("--ttl", fs.ttl_seconds, "seconds for which the kernel may keep names and attributes")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--threads", mount.threads, "most requests taken from the kernel at once")
      ->check(CLI::Range(1, 4096));
  app.add_option("--subtype", mount.subtype, "file system type shown as fuse.SUBTYPE");
  app.add_flag("--die-with-parent", mount.die_with_parent, "unmount when the starting process ends");
  CLI11_PARSE(app, argc, argv);

  raise_descriptor_limit();
  if (const auto opened = fs.tree.open(source); !opened) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    return 1;
  }
  fs.service.configure(std::chrono::microseconds(delay_us), capacity);
  return serve(mount, operations(), &fs, fs.counts);
}
