#include "shmq/core/attachment.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "core/attachment_os.hpp"
#include "core/directory.hpp"
#include "core/fork_guard.hpp"
#include "core/participants.hpp"
#include "core/reaper.hpp"
#include "core/segment_files.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace shmq::core {

namespace {

/// How often an operation starts again because others changed names under it.
constexpr int kAttempts = 100;

Status touch_pages(const os::Mapping& mapping) {
#ifdef MADV_POPULATE_WRITE
  if (::madvise(mapping.data(), mapping.size(), MADV_POPULATE_WRITE) == 0) return Done{};
  if (errno != EINVAL) return base::system_error(errno, "cannot prefault the segment");
#endif
  // A kernel without it: a read maps the page, which is what costs; the bytes stay as they are.
  for (std::uint64_t offset = 0; offset < mapping.size(); offset += layout::kPageBytes)
    (void)*static_cast<volatile std::byte*>(mapping.data() + offset);
  return Done{};
}

}  // namespace

/// An attachment of opened files, registered before any fork can go on; it has no row yet.
std::shared_ptr<Attachment> Attachment::adopt(const std::string& name, OpenSegment&& opened) {
  std::shared_ptr<Attachment> made(new Attachment);
  made->name_ = name;
  made->view_ = opened.view;
  made->os_ = std::make_unique<Os>();
  made->os_->mapping = std::move(opened.mapping);
  made->os_->lock = std::move(opened.lock);
  made->pins_.assign(made->view_.geometry().objects_max, 0);
  guard_forks(*made);
  return made;
}

Result<std::shared_ptr<Attachment>> Attachment::create(const std::string& name, const SegmentOptions& options,
                                                       const AttachOptions& attach) {
  AttachOptions joined = attach;
  joined.prefault |= options.prefault;
  for (int attempt = 0;; ++attempt) {
    auto held = hold_forks();
    Result<NewSegment> made = make_segment_file(name, options);
    if (!made) {
      // A collector takes temporaries that nobody has locked, and we had not yet.
      if (made.error().code() == ErrorCode::not_found && attempt < kAttempts) continue;
      return made.error();
    }
    const std::shared_ptr<Attachment> attachment = adopt(name, std::move(*made));
    held.unlock();
    Status done = attachment->start(joined);
    if (done) done = publish_segment_file(made->temporary_name, name);
    if (done) return attachment;
    (void)os::remove_file_if(made->temporary_name, attachment->os_->mapping.file());
    if (attempt >= kAttempts) return done.error();
    if (done.error().code() == ErrorCode::already_exists) {
      // A segment that is marked removed and still has its name: its remover was killed. Opening it frees the
      // name.
      const Result<OpenSegment> other = open_segment_file(name);
      if (other || other.error().code() != ErrorCode::busy) return done.error();
    } else if (done.error().code() != ErrorCode::not_found) {
      return done.error();
    }
  }
}

Result<std::shared_ptr<Attachment>> Attachment::open(const std::string& name, const AttachOptions& attach) {
  for (int attempt = 0;; ++attempt) {
    auto held = hold_forks();
    Result<OpenSegment> opened = open_segment_file(name);
    if (!opened) {
      // The name may stand for another segment than a moment ago: a remove and a create went by.
      if (opened.error().code() == ErrorCode::busy && attempt < kAttempts) continue;
      return opened.error();
    }
    const std::shared_ptr<Attachment> attachment = adopt(name, std::move(*opened));
    held.unlock();
    if (Status done = attachment->start(attach); !done) {
      if (done.error().code() != ErrorCode::busy || attempt >= kAttempts) return done.error();
      ::usleep(1000);  // somebody else is sweeping the dead out of a full table
      continue;
    }
    if (!attachment->view_.removed() || attempt >= kAttempts) return attachment;
  }
}

Status Attachment::start(const AttachOptions& attach) {
  if (attach.prefault)
    if (Status touched = touch_pages(os_->mapping); !touched) return touched;
  if (Status joined = join(attach); !joined) return joined;
  declare_barriers(view_.header().blocks_event);
  return Done{};
}

Status Attachment::join(const AttachOptions& attach) {
  const Participants participants(view_, os_->lock);
  const auto take = [&](std::uint32_t first, std::uint32_t end) {
    row_word_ = participants.take_row(attach, first, end);
    me_ = {layout::owner_of(row_word_), layout::word_incarnation(row_word_)};
    return me_.id != layout::kNobody;
  };
  const std::uint32_t last = view_.geometry().participants_max;
  // Who had it may have died there, too, and with every row taken nobody else could attach to sweep it.
  const auto take_over_spare = [&] {
    row_word_ = participants.take_over(attach, last);
    me_ = {layout::owner_of(row_word_), layout::word_incarnation(row_word_)};
    if (me_.id == layout::kNobody) return false;
    Reaper(*this).mend_predecessor();
    return true;
  };
  if (!take(0, last)) {
    // Some of the rows may belong to the dead. Sweeping them needs a row to say so in: the spare one.
    if (!take(last, last + 1) && !take_over_spare())
      return Error(ErrorCode::busy, "segment \"" + name_ +
                                        "\" has no free participant row, and another process is just "
                                        "looking for dead ones: try again");
    reap();
    leave();
    if (!take(0, last))
      return Error(ErrorCode::no_space, "segment \"" + name_ + "\" has no free participant row: all " +
                                            std::to_string(last) +
                                            " are held by living processes (shmq-stat show " + name_ +
                                            " lists them); create it with a larger participants_max "
                                            "(shmq create --participants)");
  }
  reap();  // whoever attaches mends what it finds
  return Done{};
}

void Attachment::leave() {
  // Every handle is gone, so nothing is held; what is left is the row itself.
  layout::ParticipantRow& row = view_.row(me_.id - 1);
  std::uint64_t expected = row_word_;
  row.word.compare_exchange_strong(
      expected, layout::owner_word(layout::epoch_add(layout::word_epoch(row_word_), 1), 0, 0,
                                   static_cast<std::uint8_t>(layout::RowState::free)));
  os_->lock.unlock(me_.id - 1);
  me_ = {};
}

Attachment::~Attachment() {
  if (detached()) return;
  // No child is born between the last look at the list and the end of the lock: it would keep a dead row
  // alive.
  const auto held = hold_forks();
  if (me_.id != layout::kNobody) leave();
  os_->lock.close();
  unguard_forks(*this);
}

void Attachment::fork_child() {
  os_->lock.close();
  detached_.store(true, std::memory_order_relaxed);
}

Liveness Attachment::liveness(std::uint32_t index, std::uint64_t word) const {
  if (index + 1 == me_.id) return Liveness::alive;  // one's own lock is not seen through one's own descriptor
  return Participants(view_, os_->lock).liveness(index, word);
}

bool Attachment::is_dead(std::uint32_t id) const {
  if (id == layout::kNobody || id > view_.geometry().rows) return false;
  const std::uint64_t word = view_.row(id - 1).word.load(std::memory_order_acquire);
  return row_state(word) != layout::RowState::free && liveness(id - 1, word) == Liveness::dead;
}

bool Attachment::pin(std::uint32_t entry, std::uint64_t word) {
  const std::uint64_t bit = std::uint64_t{1} << ((me_.id - 1) % 64);
  {
    const std::lock_guard lock(pins_mutex_);
    // Sequentially consistent on both sides: either the remover sees the bit or we see that it is removed.
    if (pins_[entry]++ == 0) view_.users(entry, me_.id - 1).fetch_or(bit, std::memory_order_seq_cst);
  }
  if (view_.entry(entry).word.load(std::memory_order_seq_cst) == word) return true;
  unpin(entry);
  return false;
}

void Attachment::unpin(std::uint32_t entry) {
  if (detached()) return;
  const std::uint64_t bit = std::uint64_t{1} << ((me_.id - 1) % 64);
  {
    const std::lock_guard lock(pins_mutex_);
    if (--pins_[entry] != 0) return;
    view_.users(entry, me_.id - 1).fetch_and(~bit, std::memory_order_seq_cst);
  }
  Directory(*this).reclaim_if_unused(entry);
}

}  // namespace shmq::core
