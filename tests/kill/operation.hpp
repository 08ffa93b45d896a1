// One public operation, killed or stopped at every point of it, among two survivors who attached before.
//
// A Deed says what is particular about it; the rest is the same for all. The world has a segment with the queues "a"
// and "b", each of four slots (or an spsc ring of 1 KiB), and four blocks. After the kill the survivors send more than a lap of each queue through
// it with blocking calls and no explicit reap: whatever the dead is in the way of, the waits mend. They close the
// queues and drain them to the end of the stream. Then they reap once more, and the audit accounts for everything.
#pragma once

#include "ledger.hpp"
#include "party.hpp"
#include "scenario.hpp"

#include "shmq/options.hpp"

#include <functional>
#include <string>

namespace killtest {

/// Positions in the 48-bit ring words and the laps in the slot words wrap within the first few messages.
inline constexpr std::uint64_t near_the_wrap = (std::uint64_t{1} << 48) - 3;

/// Long enough, under the stepper, to fall asleep and to look for the dead.
inline constexpr std::chrono::milliseconds one_slice{90};

/// The survivors, as the driver's half of a scenario sees them.
struct Crew {
  World& world;
  std::string segment;
  Process& sender;
  Process& receiver;
  Ledger ledger;
  bool receiver_waits = false;  // it was posted "drain a", "select a" or "poll a" before the deed
  bool sender_waits = false;    // it was posted "send a ..." before the deed
  Process* newcomer = nullptr;  // attached while the victim was stopped
  std::size_t others = 0;       // attachments besides sender and receiver
  bool drops = false;           // "a" drops its oldest message where it is full
  bool paced = false;           // send to "a" only what it has room for: somebody receives
  bool spsc = false;            // "a" has a producer and a consumer that own its ends
  bool b_is_spsc = false;

  std::string send(const std::string& queue, std::uint64_t first, std::uint64_t count = 1,
                   std::size_t bytes = inline_bytes);
  void post_drain(const std::string& verb = "drain");  // or "select" or "poll"; waits until the receiver sleeps in it
  void post_send(std::uint64_t value);     // to a queue that is full, and waits until the sender sleeps in it
};

/// Ends of the spsc queue "a".
enum Ends : unsigned { no_end = 0, producers_end = 1, consumers_end = 2 };

struct Deed {
  std::function<void(Crew&)> setting = [](Crew&) {};       // in the driver, before the victim is there
  std::function<void(Party&)> before = [](Party&) {};      // in the victim, at full speed
  std::function<void(Party&)> act;                         // in the victim, under the stepper
  std::function<void(Ledger&, Fate)> rules = [](Ledger&, Fate) {};
  /// Instead of the light work that survivors do past a stopped victim.
  std::function<void(Crew&)> meanwhile = nullptr;
  /// Further checks by survivors after the kill or the completion, before the common ones.
  std::function<void(Crew&, Fate)> after = [](Crew&, Fate) {};
  std::uint64_t start = 0;  // position at which the queue "a" starts
  shmq::QueueOptions a = queue_options();  // how the queue "a" is declared
  shmq::QueueOptions b = queue_options();
  unsigned owns = no_end;                  // what the victim has had since `before`: nobody else gets it while it is stopped
};

/// Every point killed.
void killed(const std::string& name, const Deed& deed, Detail detail = Detail::changes);
/// Every point stopped: survivors go on past the victim, which then finishes as if nothing had been.
void stopped(const std::string& name, const Deed& deed, Detail detail = Detail::changes);
void killed_and_stopped(const std::string& name, const Deed& deed);
/// Stopped at every instruction: a victim goes on with values that others have since changed, so a stop between two
/// points is not like one at a point. A kill there is, so killing at every instruction is left to SHMQ_LONG=1.
void at_every_instruction(const std::string& name, const Deed& deed);

/// The common end of a scenario: drains "a" and "b" (and leaves out what `but` names), reaps, audits.
void finish(Crew& crew);

/// Of a run whose points are single instructions about 600 are tried, others each time; with SHMQ_LONG=1 all of them.
/// With SHMQ_KILL_FIRST=1 in the environment a run ends at its first finding: enough to know that a mutation was caught.
Limits scenario_limits();

/// A small segment; "a" starts at the given position.
void create_segment(const std::string& name, std::uint64_t start = 0, std::uint32_t participants_max = 6,
                    const shmq::QueueOptions& a = queue_options(), const shmq::QueueOptions& b = queue_options());
shmq::SegmentOptions segment_options(std::uint32_t participants_max = 6);

/// Waits until a process sleeps in a futex, or in poll().
void await_sleep(const Process& process);

}  // namespace killtest
