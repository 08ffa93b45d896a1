// Operations under ptrace, and a hostile writer who changes words between any two of their instructions.
#include "stepped.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "corrupter.hpp"
#include "image.hpp"
#include "operations.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"

namespace hostile {
namespace {

namespace layout = shmq::layout;

/// A living copy, and where things lie in it.
struct Victim {
  Victim()
      : live("hostile-stepped-" + std::to_string(::getpid()), sound_image()),
        view(shmq::core::SegmentView::check(live.base(), live.size(), "it").value()) {}

  layout::DirectoryEntry& entry(const std::string& name, std::uint32_t* index = nullptr) {
    for (std::uint32_t i = 0; i < view.geometry().objects_max; ++i) {
      if (index != nullptr) *index = i;
      if (view.entry(i).name.get() == name) return view.entry(i);
    }
    throw std::logic_error("no entry " + name);
  }
  layout::QueueHeader& queue(const std::string& name) {
    return *view.at<layout::QueueHeader>(entry(name).offset.load());
  }
  layout::SlotHeader& slot(const std::string& name, std::uint64_t position) {
    const layout::QueueHeader& h = queue(name);
    const std::uint64_t index = position & ((std::uint64_t{1} << h.capacity_log2) - 1);
    return *view.at<layout::SlotHeader>(entry(name).offset.load() + h.slots_offset + index * h.slot_bytes);
  }

  LiveCopy live;
  shmq::core::SegmentView view;
};

/// What a child has open; made by `prepare`, used by `operation`.
struct Open {
  explicit Open(const std::string& name) : segment(shmq::Segment::open(name).value()) {}
  shmq::Queue<void> queue(const std::string& name) { return segment.open_queue(name).value(); }
  shmq::Segment segment;
  std::optional<shmq::Queue<void>> used;
  std::optional<shmq::Producer<void>> producer;
  std::optional<shmq::Consumer<void>> consumer;
  shmq::Message message;
};

constexpr std::uint64_t kSteps = 400'000;

/// The operation ends although the words never stand still.
void expect_an_end(Victim& victim, const std::function<void(Open&)>& prepare, const std::function<void(Open&)>& operation,
                   const std::function<void(std::uint64_t)>& between) {
  Open* open = nullptr;
  const Stepped result = step_through(
      [&] {
        open = new Open(victim.live.name());
        prepare(*open);
      },
      [&] { operation(*open); }, between, kSteps);
  EXPECT_EQ(result.wrong, "");
  EXPECT_TRUE(result.ended) << "after " << result.steps << " steps it still waits for a word to stand still";
}

TEST(EachStep, OfALookAtObjectsFindsTheirEntryChanged) {
  Victim victim;
  auto& word = victim.entry("a").word;
  expect_an_end(victim, [](Open&) {}, [](Open& open) { (void)open.segment.queues(); },
                [&](std::uint64_t step) {
                  word.store(layout::owner_word(step & 0xffff, 0, 0, static_cast<std::uint8_t>(layout::EntryState::live)));
                });
}

TEST(EachStep, OfAReclaimFindsAUserWhereThereWasNone) {
  Victim victim;
  std::uint32_t index = 0;
  auto& word = victim.entry("gone", &index).word;
  auto& users = victim.view.users(index, 0);
  const std::uint64_t removing = word.load();
  expect_an_end(
      victim, [&](Open&) { word.store(removing); },
      [](Open& open) { (void)open.segment.queues(); },
      [&](std::uint64_t) {
        const auto state = static_cast<layout::EntryState>(layout::word_state(word.load()));
        users.store(state == layout::EntryState::reclaiming ? std::uint64_t{1} << 4 : 0);
      });
}

TEST(EachStep, OfAReleaseFindsItsBlockInOtherHands) {
  Victim victim;
  layout::Word* word = nullptr;
  // The next new message of "a" lies in a block; one that its dead holder left comes before it.
  const std::uint64_t position = layout::ring_position(victim.queue("a").head.load());
  layout::SlotHeader& slot = victim.slot("a", position);
  const std::uint64_t reference = *reinterpret_cast<std::uint64_t*>(&slot + 1);
  ASSERT_TRUE(layout::descriptor_length(slot.descriptor) & layout::kLengthInBlock);
  word = &victim.view.block_word(layout::reference_index(reference));
  expect_an_end(
      victim,
      [](Open& open) {
        open.consumer = open.queue("a").consumer();
        open.consumer->try_receive().release();
        open.message = open.consumer->try_receive();
        if (open.message.size() != 400) std::_Exit(9);
      },
      [](Open& open) { open.message.release(); },
      [&](std::uint64_t step) {
        word->store(layout::owner_word(layout::reference_epoch(reference), step & 0xff, 1,
                                       static_cast<std::uint8_t>(layout::BlockState::taken)));
      });
}

TEST(EachStep, OfAPublicationFindsAnotherSleeper) {
  Victim victim;
  auto& event = victim.queue("typed").data_event;
  expect_an_end(
      victim, [](Open& open) { open.producer = open.queue("typed").producer(); },
      [](Open& open) { (void)open.producer->try_send({}); },
      [&](std::uint64_t step) { event.store(static_cast<std::uint32_t>(step * 8 | 1)); });
}

TEST(EachStep, OfAnEndpointFindsTheBaseOfPositionsFarAway) {
  Victim victim;
  auto& base = victim.queue("typed").position_base;
  expect_an_end(
      victim, [](Open& open) { open.used = open.queue("typed"); }, [](Open& open) { (void)open.used->producer(); },
      [&](std::uint64_t step) { base.store(0 - (std::uint64_t{1} << 42) - step); });
}

TEST(EachStep, OfAReceiveFindsOneMoreAbortedClaim) {
  Victim victim;
  auto& head = victim.queue("typed").head;
  expect_an_end(
      victim, [](Open& open) { open.consumer = open.queue("typed").consumer(); },
      [](Open& open) { (void)open.consumer->try_receive(); },
      [&](std::uint64_t) {
        const std::uint64_t position = layout::ring_position(head.load());
        victim.slot("typed", position).word.store(layout::slot_word(static_cast<std::uint32_t>(position >> 2), layout::SlotState::tomb));
      });
}

TEST(EachStep, OfAPurgeFindsOneMoreMessage) {
  Victim victim;
  auto& header = victim.queue("typed");
  const std::uint64_t tail = layout::ring_position(header.tail.load());
  expect_an_end(
      victim, [](Open& open) { open.used = open.queue("typed"); }, [](Open& open) { (void)open.used->purge(); },
      [&](std::uint64_t) {
        const std::uint64_t last = layout::position_sub(tail, 1);
        if (layout::ring_position(header.head.load()) == tail) header.head.store(layout::ring_word(last, 1));
        victim.slot("typed", last).word.store(layout::slot_word(static_cast<std::uint32_t>(last >> 2), layout::SlotState::ready));
      });
}

/// Any operation, any field: what was looked at is another thing at the next look.
TEST(EachStep, FindsAnyFieldChanged) {
  const Fields fields = fields_of(sound_image().bytes);
  const char* const asked = std::getenv("SHMQ_LONG");
  const std::uint64_t cases = asked != nullptr && std::string(asked) == "1" ? 5000 : 60;
  std::uint64_t steps = 0, endless = 0;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    Dice dice(seed * 7 + 3);
    Victim victim;
    Corrupter corrupter(fields, victim.live.base());
    corrupter.remember(false);
    Progress progress;
    std::optional<Operations> operations;
    // One kind of field all the time, or another with every step.
    std::string name;
    const Field one = corrupter.any_field(dice, &name);
    const bool always = dice.one_in(2);
    Field last = one;
    std::uint64_t sound = corrupter.load(one);
    const Stepped result = step_through(
        [&] {
          operations.emplace(victim.live.name(), dice, progress);
          operations->hurry();
          operations->open();
        },
        [&] {
          for (int i = 0; i < 4; ++i) operations->step();
        },
        [&](std::uint64_t step) {
          if (step % 2 == 1) return corrupter.store(last, sound);
          if (!always) last = corrupter.any_field(dice);
          sound = corrupter.load(last);
          corrupter.store(last, corrupter.value_for(last, sound, dice));
        },
        60'000);
    steps += result.steps;
    endless += !result.ended;
    EXPECT_EQ(result.wrong, "") << "seed " << seed << ", " << (always ? name : "any field");
  }
  std::printf("%llu cases, %llu steps, %llu longer than these steps\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(steps), static_cast<unsigned long long>(endless));
}

}  // namespace
}  // namespace hostile
