// Queues as objects of a segment: what a declaration says, opening and declaring them; and of the mpmc kind how much
// space it takes, how it is initialised and checked, and what the reaper does with it (of the spsc kind: spsc_object.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/directory.hpp"
#include "shmq/core/queue_handle.hpp"
#include "shmq/options.hpp"
#include "shmq/result.hpp"

namespace shmq::objects {

/// A declaration with every default filled in and every number checked.
struct QueueShape {
  QueueKind kind = QueueKind::mpmc;
  unsigned capacity_log2 = 0;    // mpmc
  std::uint32_t slot_bytes = 0;  // mpmc
  unsigned ring_log2 = 0;        // spsc
  std::uint32_t flags = 0;
  OnFull on_full = OnFull::block;
  std::uint32_t element_bytes = 0;
  std::uint32_t delivery_limit = 0;
  std::string dead_letter;
};
Result<QueueShape> shape_of(const QueueOptions& options, std::uint32_t element_bytes);

/// Where its parts lie, from the object's start.
struct QueuePlaces {
  std::uint64_t users = 0;
  std::uint64_t producer_trail = 0;
  std::uint64_t consumer_trail = 0;
  std::uint64_t slots = 0;
  std::uint64_t size_bytes = 0;
};
QueuePlaces places_of(const QueueShape& shape, std::uint32_t rows);
/// Of either kind.
std::uint64_t size_of(const QueueShape& shape, std::uint32_t rows);

/// Opens or creates. `start_position` is where head and tail begin: tests start near a wrap.
Result<std::shared_ptr<core::QueueHandle>> declare_queue(std::shared_ptr<core::Attachment> attachment,
                                                         const std::string& name, const QueueShape& shape,
                                                         std::uint64_t start_position = 0);
/// `element_bytes` 0: any.
Result<std::shared_ptr<core::QueueHandle>> open_queue(std::shared_ptr<core::Attachment> attachment,
                                                      const std::string& name, std::uint32_t element_bytes);

/// The queue in a space, where its header is what it should be; a ring over it. False where it is not.
bool ring_of(const core::SegmentView& view, const core::ObjectSpace& space, core::ShmRing& ring,
             QueueShape* shape = nullptr);

extern const core::ObjectKindOperations kQueueOperations;

}  // namespace shmq::objects
