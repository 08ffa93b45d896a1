#include "shmq/selector.hpp"

#include <algorithm>
#include <vector>

#include "objects/receiving.hpp"
#include "objects/waiter.hpp"

namespace shmq {

namespace core {

struct Selection {
  struct Member {
    std::size_t number = 0;
    ConsumerEndpoint* endpoint = nullptr;  // null once it has ended
    Outcome state = Outcome::ok;
  };

  Wait wait = Wait::spin_futex;
  std::vector<Member> members;  // in the order of their numbers
  std::size_t next_number = 0;
  std::size_t turn = 0;  // where the next look begins
  std::size_t active = 0;
  std::vector<Attachment*> attachments;  // of those that take part, each once
  std::vector<os::FutexSleep> sleeps;

  Selection() = default;
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  ~Selection() {
    for (Member& member : members)
      if (member.endpoint != nullptr) member.endpoint->give_back();
  }

  Member* find(std::size_t number) {
    const auto at =
        std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.number == number; });
    return at == members.end() ? nullptr : &*at;
  }

  void count_again() {
    active = 0;
    attachments.clear();
    for (const Member& member : members) {
      if (member.endpoint == nullptr) continue;
      ++active;
      Attachment* const attachment = member.endpoint->queue->attachment.get();
      if (std::find(attachments.begin(), attachments.end(), attachment) == attachments.end())
        attachments.push_back(attachment);
    }
  }

  /// The endpoint was borrowed like a loan is: a consumer that is destroyed leaves it behind until we let go
  /// of it.
  void end(Member& member, Outcome how) {
    std::exchange(member.endpoint, nullptr)->give_back();
    member.state = how;
    count_again();
  }

  void erase(std::size_t index) {
    if (ConsumerEndpoint* const endpoint = members[index].endpoint) endpoint->give_back();
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(index));
    if (turn > index) --turn;
    if (turn == members.size()) turn = 0;
    count_again();
  }

  void forget_the_destroyed() {
    for (std::size_t i = members.size(); i-- > 0;)
      if (members[i].endpoint != nullptr && members[i].endpoint->abandoned) erase(i);
  }

  Outcome outcome_of_none() const {
    for (const Member& member : members)
      if (member.state != Outcome::closed) return member.state;
    return Outcome::closed;
  }

  /// One look at each that takes part, in turn. `from` is set with ok, corrupt, busy and detached.
  Outcome look_around(bool thorough, Taken& taken, Member*& from) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::size_t index = turn + i < members.size() ? turn + i : turn + i - members.size();
      Member& member = members[index];
      if (member.endpoint == nullptr) continue;
      const Outcome outcome =
          member.endpoint->is_detached() ? Outcome::detached : look(*member.endpoint, 1, thorough, taken);
      if (outcome == Outcome::empty) continue;
      if (outcome != Outcome::ok) end(member, outcome);
      if (outcome == Outcome::closed || outcome == Outcome::removed) continue;
      from = &member;
      turn = index + 1 < members.size() ? index + 1 : 0;
      return outcome;
    }
    return active == 0 ? outcome_of_none() : Outcome::empty;
  }
};

namespace {

/// Where a selector waits (objects/waiter.hpp): on the events of all its queues.
class ManyPlaces {
 public:
  explicit ManyPlaces(Selection& selection) : selection_(selection) {}
  bool detached() const { return false; }  // each look asks every consumer
  /// The clock is read as often as one queue by itself reads it.
  std::uint32_t turns() const {
    return std::max<std::uint32_t>(1, objects::kTurns / static_cast<std::uint32_t>(selection_.active));
  }
  void keep_house(std::int64_t now_ns) {
    for (Attachment* attachment : selection_.attachments) objects::housekeeping(*attachment, now_ns);
  }
  EventWord& choose() {
    selection_.sleeps.clear();
    for (const Selection::Member& member : selection_.members)
      if (member.endpoint != nullptr) selection_.sleeps.push_back({&receive_event(*member.endpoint->queue)});
    return *selection_.sleeps.front().word;
  }
  void prepare() { prepare_sleep(selection_.sleeps); }
  void sleep(std::int64_t timeout_ns) { os::futex_wait_any(selection_.sleeps, timeout_ns); }

 private:
  Selection& selection_;
};

}  // namespace

}  // namespace core

Selector::Selector(const SelectorOptions& options) : selection_(std::make_unique<core::Selection>()) {
  selection_->wait = options.wait;
}
Selector::Selector(Selector&&) noexcept = default;
Selector& Selector::operator=(Selector&&) noexcept = default;
Selector::~Selector() = default;

std::size_t Selector::add(Consumer<void>& consumer) {
  core::ConsumerEndpoint* const endpoint = consumer.endpoint_.get();
  if (endpoint == nullptr) return Selected::kNobody;
  selection_->forget_the_destroyed();
  for (const auto& member : selection_->members)
    if (member.endpoint == endpoint) return member.number;
  selection_->members.push_back({selection_->next_number, endpoint});
  selection_->sleeps.reserve(selection_->members.size());  // so that no receive allocates
  endpoint->borrow();
  selection_->count_again();
  return selection_->next_number++;
}

void Selector::remove(std::size_t number) {
  if (const core::Selection::Member* member = selection_->find(number))
    selection_->erase(static_cast<std::size_t>(member - selection_->members.data()));
}

std::size_t Selector::size() const { return selection_->active; }

Outcome Selector::state(std::size_t number) const {
  const core::Selection::Member* const member = selection_->find(number);
  return member == nullptr ? Outcome::empty : member->state;
}

Selected Selector::take(const Limit* limit) {
  core::Selection& selection = *selection_;
  selection.forget_the_destroyed();
  core::Taken taken;
  core::Selection::Member* from = nullptr;
  const auto attempt = [&](bool thorough) { return selection.look_around(thorough, taken, from); };
  Outcome outcome = attempt(limit == nullptr);
  if (outcome == Outcome::empty && limit == nullptr) {
    // What is missing may be in the hands of the dead: mend, then look once more.
    for (core::Attachment* attachment : selection.attachments) objects::housekeeping_of_a_try(*attachment);
    outcome = attempt(true);
  } else if (outcome == Outcome::empty) {
    for (const auto& member : selection.members)
      if (member.endpoint != nullptr)
        member.endpoint->queue->user->empty_waits.fetch_add(1, std::memory_order_relaxed);
    std::int64_t now_ns = 0;
    core::ManyPlaces places(selection);
    outcome = objects::wait_at(places, selection.wait, *limit, Outcome::empty, now_ns, attempt);
    if (outcome == Outcome::ok)
      from->endpoint->queue->user->taken_ns.store(now_ns, std::memory_order_relaxed);
  }
  Selected selected;
  if (from != nullptr) selected.source = from->number;
  if (outcome == Outcome::ok) {
    from->endpoint->borrow();
    selected.message = Message(from->endpoint, from->endpoint->first_of(taken));
  } else {
    selected.message = Message(outcome);
  }
  return selected;
}

Selected Selector::receive(const Limit& limit) { return take(&limit); }
Selected Selector::try_receive() { return take(nullptr); }

}  // namespace shmq
