#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pwalk/base/result.h"
#include "pwalk/ipc/batch_lease.h"
#include "pwalk/ipc/scan_figures.h"
#include "pwalk/schema/columns.h"

namespace pwalk::ipc {

class BatchSource;

/// Where a newcomer begins.
enum class StartAt : std::uint8_t {
  first,   ///< the scan's first entry; ENODATA if something of it is gone, and no image has it
  oldest,  ///< the oldest batch that is still there, per lane
  now,     ///< only what is published from here on
};

/// Bytes of a group's name.
inline constexpr std::size_t kMostGroupName = 63;

struct AttachOptions {
  /// A scan's name, USER/NAME, or the absolute path of one of its roots; empty:
  /// the only live scan there is. Where no such scan runs: what open_image() takes,
  /// an image file first of all.
  std::string scan = {};
  /// How long to wait for the scan to appear; zero: it must be there.
  std::chrono::milliseconds timeout{0};
  /// Share the stream without anybody's help, reproducibly: together `world` readers
  /// get each row once. This one gets the batches whose number leaves `rank` when divided
  /// by `world`: of an image its batches' own number, of a scan lane + sequence. EINVAL
  /// unless rank < world; not together with a group.
  std::uint32_t rank = 0, world = 1;
  /// A scan whose image is being built is read out of that for what its lanes do not have
  /// any more: by who comes late, and by who was evicted if the scan says so.
  bool use_image = true;
  /// Columns that views show, see EntryBatchView::limited_to(). Nothing is fetched less.
  std::optional<schema::ColumnSet> columns = {};
  StartAt start = StartAt::first;
  std::string label = {};   ///< shown to people who ask who holds the scan back; "" = program name
  /// Share the stream with the other members of this group: each batch goes to one
  /// of them, and is done when its lease is dropped. What a member had when it died,
  /// or kept beyond the scanner's --group-lease, is given to another one, marked
  /// BatchLease::redelivered(), at most --group-attempts times. The stream ends when
  /// everything is done, or everybody who still has something asks for more. At most
  /// 63 bytes. `start` counts for the member that comes first. Not of an image.
  std::string group = {};
  bool verify_rows = true;  ///< recompute the content hash from the rows (about 20 ns a row)
  /// Asked at least every 100 ms in every wait; true ends the wait with EINTR.
  std::function<bool()> interrupted = {};
};

/// How a stream ended.
enum class StreamEnd : std::uint8_t {
  running,
  complete,      ///< the walk went through; everything was read
  cut_short,     ///< the scanner was stopped; everything published was read
  scanner_died,  ///< likewise, and the scanner is gone without a word
};
// An image has the same ends; one that nobody is building any more and that was not
// finished ends with scanner_died, after what it holds.

struct ConsumerStats {
  std::uint64_t batches = 0, rows = 0, file_bytes = 0;
  std::uint64_t directories = 0;   ///< directory records
  std::uint64_t errors = 0;        ///< rows and directory records with an errno
  std::uint64_t content_hash = 0;  ///< of the rows read: recomputed if verify_rows, else as stated
  std::uint64_t missed_rows = 0;   ///< before the start, with StartAt::oldest or now
  std::uint64_t waited_ns = 0;     ///< time next() slept
  std::uint64_t redelivered = 0;   ///< of the batches, those that another member had before
};

/// A process attached to a scan: reads every batch (or its share of them, see
/// AttachOptions::group and rank), each once, in lane order. Or a
/// reader of an image, finished or growing, which is given the same stream out of the
/// mapped file (copied where a mapping can fault, see ImageAccess), and which no scan
/// waits for. Move-only; one thread at a time (leases may be dropped by any).
class Consumer {
 public:
  /// Finds the scan and attaches. Errors: ENOENT or ETIMEDOUT, no such scan (the
  /// message names those there are); EMLINK, several and none was named; ENODATA,
  /// something of it is gone and StartAt::first was asked (see missed_rows());
  /// EINVAL, no such name or user can be, or a rank that cannot; EPROTO, it speaks another
  /// version, or the image is damaged; EACCES; EINTR. The message of ENODATA begins with the number of rows gone.
  static Result<Consumer> attach(const AttachOptions& options);

  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  /// Detaches; leases stay valid.
  ~Consumer();

  /// The next batch, waiting at most `timeout`. nullopt: nothing came in time,
  /// or the stream is over (then end() says how). Errors: EPROTO, a batch or a
  /// descriptor failed its check, or the end's counts and hash do not match what
  /// was read; EINTR; ESTALE, this is a forked child's copy of the handle;
  /// ECANCELED, evicted, alone or with its group; ENOTCONN, after detach().
  Result<std::optional<BatchLease>> next(std::chrono::milliseconds timeout);

  StreamEnd end() const;
  /// Rows gone before this consumer's start.
  std::uint64_t missed_rows() const;
  ConsumerStats stats() const;
  /// How the scan itself is doing, as the scanner told last; also while next() waits
  /// in another thread, and after the end. nullopt: it has told nothing yet.
  std::optional<ScanFigures> scan_figures() const;

  const std::string& scan_name() const;
  /// The scanner's process number as seen from here; 0 if it has none here or is gone.
  pid_t scanner_pid() const;
  /// The image that is read; empty: a live scan is.
  std::string image_file() const;

  /// Stops reading. Idempotent; leases stay valid.
  void detach();

  /// True if `address` lies in the mapped pool, or in the mapped image: for proofs of zero copy.
  bool in_pool(const void* address) const;

 private:
  explicit Consumer(std::shared_ptr<BatchSource> source);
  std::shared_ptr<BatchSource> source_;
};

}  // namespace pwalk::ipc
