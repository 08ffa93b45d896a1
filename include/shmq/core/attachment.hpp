// One attachment of this process to a segment: the mapping, the participant row, the lock that proves this
// process alive, and which objects it has open. Shared by every handle; the last handle to go detaches.
//
// Thread safety: all members may be called from any thread. After fork() the child's copy is `detached`: it
// touches nothing in shared memory any more, and a new attachment has to be made.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shmq/core/segment_view.hpp"
#include "shmq/layout/words.hpp"
#include "shmq/options.hpp"
#include "shmq/result.hpp"

namespace shmq::core {

/// What a reap found and mended.
struct Repairs {
  std::uint32_t participants = 0;  // dead ones swept
  std::uint32_t messages = 0;      // that are delivered again
  std::uint32_t claims = 0;        // that were never published and are stepped over
  std::uint32_t tasks = 0;         // that the dead had, and that others run
  std::uint32_t blocks = 0;        // given back
  std::uint32_t objects = 0;       // half-made or half-removed ones cleared away
  std::uint32_t total() const { return participants + messages + claims + tasks + blocks + objects; }
};

struct OpenSegment;

enum class Liveness { alive, dead, inaccessible };

class Attachment {
 public:
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment();

  /// Creates the segment and attaches; already_exists where the name is taken.
  static Result<std::shared_ptr<Attachment>> create(const std::string& name, const SegmentOptions& options,
                                                    const AttachOptions& attach);
  static Result<std::shared_ptr<Attachment>> open(const std::string& name, const AttachOptions& attach);

  const SegmentView& view() const { return view_; }
  const std::string& name() const { return name_; }
  layout::Owner me() const { return me_; }
  /// True in the child of a fork(): every operation on an inherited handle answers `detached`.
  bool detached() const { return detached_.load(std::memory_order_relaxed); }
  const std::atomic<bool>& detached_flag() const { return detached_; }

  /// Whether the participant in row `index`, whose word was just read as `word`, is gone. The kernel says so.
  Liveness liveness(std::uint32_t index, std::uint64_t word) const;

  /// Whether nobody is left of the participant `id` (1 to rows; false of others), and reap() has something to mend.
  bool is_dead(std::uint32_t id) const;

  /// Keeps the space of a directory entry while it is open here. Counted; false where the entry is not `word`
  /// any more.
  bool pin(std::uint32_t entry, std::uint64_t word);
  void unpin(std::uint32_t entry);

  /// Sweeps every dead participant. Idempotent, lock-free against other reapers; one thread of this
  /// attachment at a time (others return at once).
  Repairs reap();
  /// The same, but waits for the turn of another thread: whoever is dead now is swept when it returns.
  Repairs reap_in_turn();
  /// reap(), unless this or another participant did so less than a sleep slice ago.
  Repairs reap_now_and_then(std::int64_t now_ns);

  /// In the child of a fork(), called by the pthread_atfork handler: lets go of the lock and marks handles
  /// detached.
  void fork_child();

 private:
  friend class Reaper;
  Attachment() = default;
  static std::shared_ptr<Attachment> adopt(const std::string& name, OpenSegment&& opened);
  Status start(const AttachOptions& attach);
  Status join(const AttachOptions& attach);
  void leave();
  Repairs reap_with_lock();

  struct Os;
  std::unique_ptr<Os> os_;
  SegmentView view_;
  std::string name_;
  layout::Owner me_;
  std::uint64_t row_word_ = 0;
  std::atomic<bool> detached_{false};
  std::mutex pins_mutex_;
  std::vector<std::uint32_t> pins_;
  std::mutex reap_mutex_;
  std::atomic<std::int64_t> reaped_ns_{0};
};

}  // namespace shmq::core
